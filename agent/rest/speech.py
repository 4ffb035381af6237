"""Texts to speech, beside the calls: with the calls' own synthesiser, one step at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Executor
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

from agent.engines.threads import call
from agent.errors import SignalingError
from agent.rest.encoding import RATE, Encoder, Format
from agent.speaking.spoken import spoken
from agent.speaking.voice import Voice

MOST_SPEECHES = 8
"""that are made at once; one more is refused. Each costs the memory of a sentence"""
MOST_VOICES = 16
"""whose level is remembered"""
TUNING = "Hello, how are you today?"
"""what a voice's level is judged by"""
OPENAI_VOICES = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse",
)  # fmt: skip
"""of OpenAI's service: ours of the same name, or the usual one"""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a speech."""

    data: bytes
    """of the file"""
    seconds: float
    """of the speech so far"""


class Speech:
    """The synthesiser, for requests that are no calls.

    :param voice: the one that calls are answered with.
    :param name: the engine's name for it; "" is its default.
    :param threads: where speech is made and encoded: not where the calls' is, so that no call waits for it.
    """

    def __init__(self, voice: Voice, name: str, threads: Executor) -> None:
        self._tts, self._language = voice.tts, voice.language
        self._usual = name
        self._threads = threads
        self._made: dict[str, Voice] = {}
        self._tuning = asyncio.Lock()
        self._speeches = 0
        own = [one for one in getattr(voice.tts, "voices", ()) if isinstance(one, str)]
        self._voices = {one: one for one in [*own, *([name] if name else [])]}
        # An engine's voice that is named after one of theirs, as Kokoro's "af_nova", is that one.
        namesakes = {one.rpartition("_")[2]: one for one in own}
        for one in OPENAI_VOICES:
            self._voices.setdefault(one, namesakes.get(one, name))

    @property
    def voices(self) -> list[str]:
        """All names that a request may give."""
        return sorted(self._voices)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place among those who are served.

        :raises SignalingError: 503 if there is none.
        """
        if self._speeches >= MOST_SPEECHES:
            raise SignalingError(
                503, f"{MOST_SPEECHES} texts are being spoken; try again in a moment.", code="server_busy"
            )
        self._speeches += 1
        try:
            yield
        finally:
            self._speeches -= 1

    async def spoken(self, text: str, *, voice: str, form: Format, speed: float) -> AsyncGenerator[Part, None]:
        """A text as a file's bytes, the first as soon as the first sentence is made. Closing this stops the engine.

        :param voice: one of `voices`.
        :param speed: 0.25 to 4.
        :raises EngineError: if the engine failed.
        """
        speaker = await self._speaker(self._voices[voice])
        words = await call(self._threads, spoken, text, self._language)
        encoder = await call(self._threads, Encoder, form, speaker.rate, speed)
        async with aclosing(speaker.speak(words)) as chunks:
            async for pcm in chunks:
                if data := await call(self._threads, encoder, pcm):
                    yield Part(data, encoder.samples / RATE)
        data = await call(self._threads, encoder.end)
        yield Part(data, encoder.samples / RATE)

    async def _speaker(self, name: str) -> Voice:
        """The voice, at its level."""
        async with self._tuning:
            if name not in self._made:
                made = Voice(self._tts, self._threads, name, self._language)
                await made.tune(TUNING)
                while len(self._made) >= MOST_VOICES:
                    self._made.pop(next(iter(self._made)))
                self._made[name] = made
            return self._made[name]
