"""Scripted people and what they listen with: the other end of the line, and a second pair of ears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from aiohttp import web

from agent.audio import EAR_RATE, I16, WIRE_RATE, resample, to_wave
from agent.commands.serve import access
from agent.engines.catalogue import Catalogue
from agent.engines.local import LocalEngines
from agent.engines.protocols import Recognizer
from agent.errors import ModelMissing
from agent.settings import Settings
from agent.worker import Worker
from signaling.app import create_app
from signaling.processes import Processes
from signaling.runner import Runner


def models_missing() -> str:
    """Why the embedded models can not be used here; "" if they can."""
    catalogue = Catalogue.load()
    try:
        for model in ("silero-vad", "whisper-tiny.en", "whisper-base", "smollm2", "smart-turn-v3.2"):
            catalogue.folder(model)
    except ModelMissing as error:
        return str(error)
    return ""


def second_ears() -> Recognizer:
    """A recogniser of the test's own, to hear what the caller heard."""
    return LocalEngines(Settings()).asr()


def transcribed(ears: Recognizer, pcm: I16) -> str:
    """What is said in int16 (n,) at WIRE_RATE."""
    wave = to_wave(resample(pcm, WIRE_RATE, EAR_RATE))
    return ears.transcribe(np.ascontiguousarray(wave), language="en", prompt="").text


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[str, Worker]]:
    """A whole server in this process; its address and its worker."""
    worker = Worker(settings)
    async with running(worker) as url:
        yield url, worker


@asynccontextmanager
async def running(worker: Worker | Processes) -> AsyncIterator[str]:
    """The server before this worker; its address."""
    runner = Runner(create_app(worker, access(worker.settings)), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    running = asyncio.ensure_future(worker.run())
    ready = asyncio.ensure_future(worker.ready.wait())
    try:
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        ready.cancel()
        running.cancel()
        await asyncio.wait({running})
        await runner.cleanup()
