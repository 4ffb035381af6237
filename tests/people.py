"""Scripted people and what they listen with: the other end of the line, and a second pair of ears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import numpy as np
from aiohttp import web

from agent.audio import EAR_RATE, I16, WIRE_RATE, resample, to_wave
from agent.commands.serve import access
from agent.engines.catalogue import Catalogue
from agent.engines.local import LocalEngines
from agent.engines.protocols import Recognizer, Synthesizer, TurnDetector, Vad
from agent.errors import ModelMissing
from agent.settings import Section, Settings
from agent.worker import Worker
from signaling.app import create_app
from signaling.processes import Processes
from signaling.runner import Runner

T = TypeVar("T")


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
    return Kept(Settings()).asr()


def transcribed(ears: Recognizer, pcm: I16) -> str:
    """What is said in int16 (n,) at WIRE_RATE."""
    wave = to_wave(resample(pcm, WIRE_RATE, EAR_RATE))
    return ears.transcribe(np.ascontiguousarray(wave), language="en", prompt="").text


_LOADED: dict[tuple[str, str], Any] = {}


class Kept(LocalEngines):
    """Engines that the servers of one test run load once. What starts a process of its own is each server's."""

    def vad(self) -> Vad:
        """The voice activity detector."""
        return _kept("vad", self._settings.vad, super().vad)

    def asr(self) -> Recognizer:
        """The recogniser."""
        return _kept("asr", self._settings.asr, super().asr)

    def turn(self) -> TurnDetector:
        """The turn detector."""
        return _kept("turn", self._settings.turn, super().turn)

    def tts(self) -> Synthesizer:
        """The synthesiser."""
        return _kept("tts", self._settings.tts, super().tts)


def _kept(kind: str, chosen: Section, load: Callable[[], T]) -> T:
    key = (kind, chosen.model_dump_json())
    if key not in _LOADED:
        _LOADED[key] = load()
    return cast("T", _LOADED[key])


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[str, Worker]]:
    """A whole server in this process; its address and its worker."""
    worker = Worker(settings, Kept(settings))
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
