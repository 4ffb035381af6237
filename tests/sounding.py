"""A worker with ears and a mouth and nothing between, and OpenAI's client to ask it."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeVar, cast

import openai
import pytest
from aiohttp import web

from agent.audio import I16, WIRE_RATE
from agent.engines.protocols import LanguageModel, Recognizer, Synthesizer, Vad
from agent.listening.listener import Hearing
from agent.listening.slots import Slots
from agent.rest.studio import Studio
from agent.room import Models
from agent.settings import Settings, load
from agent.speaking.voice import Voice
from bench.speech import SENTENCES, spoken
from bench.wer import word_errors
from signaling.app import Access, create_app
from tests.people import Kept, models_missing
from tests.wire.test_door import Answering

MARKS = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(60),
]

KEY = "a key of sixteen"
SETTINGS = Settings()
FLAGS: dict[str, dict[str, Any]] = {"server": {"processes": 2}, "llm": {"model": "smollm2"}}
SPLIT = load(None, **FLAGS)
LOCKED = Access(keys=[KEY])
LONG = " ".join(SENTENCES * 13)
T = TypeVar("T")
GOOD: dict[str, object] = {"model": "tts-1", "voice": "alloy", "input": "Hello."}


def ears() -> Recognizer:
    return Kept(SETTINGS).asr()


def mouth() -> Synthesizer:
    return Kept(SETTINGS).tts()


class Sounding(Answering):
    """A worker with ears and a mouth and nothing between."""

    def __init__(self) -> None:
        super().__init__()
        self.threads = ThreadPoolExecutor(3, "engines")
        hearing = Hearing(cast("Vad", None), ears(), Slots(self.threads, 2), None)
        voice = Voice(mouth(), self.threads, "", "en")
        self._studio = Studio(Models(hearing, cast("LanguageModel", None), None, voice), SETTINGS)

    @property
    def studio(self) -> Studio:
        return self._studio

    def close(self) -> None:
        self._studio.close()
        self.threads.shutdown(wait=False)


@asynccontextmanager
async def sounding(access: Access = LOCKED) -> AsyncIterator[tuple[str, Sounding]]:
    worker = await asyncio.to_thread(Sounding)
    runner = web.AppRunner(create_app(worker, access), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", worker
    finally:
        await runner.cleanup()
        worker.close()


async def client_does(url: str, what: Callable[[openai.OpenAI], T], key: str = KEY) -> T:
    """Something with OpenAI's client, in a thread of its own."""

    def run() -> T:
        with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
            return what(client)

    return await asyncio.to_thread(run)


def wav(pcm: I16, rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, rate, 0, "NONE", ""))
        writer.writeframes(pcm.astype("<i2").tobytes())
    return file.getvalue()


@cache
def sentence() -> tuple[bytes, str]:
    """A recording, and what is said in it."""
    return wav(spoken(SENTENCES[0]).pcm, WIRE_RATE), SENTENCES[0]


def transcribe(client: openai.OpenAI, file: bytes, **given: Any) -> Any:
    return client.audio.transcriptions.create(
        file=("speech.wav", file), **{"model": "whisper-1", "language": "en"} | given
    )


def errors(text: str, heard: str) -> float:
    return word_errors(text, heard).rate
