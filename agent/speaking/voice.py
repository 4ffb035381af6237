"""What a reply speaks with: a synthesiser, its threads, and the short clauses it has said before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from contextlib import aclosing
from functools import partial

import numpy as np

from agent.audio import I16, speech_dbfs
from agent.engines.protocols import Synthesizer
from agent.engines.threads import iterate

LEVEL_DBFS = -21.0
"""of what is spoken, its pauses not counted, whatever level an engine's voices have: as loud as people on a call, whose
browsers level them, too"""
MOST_DB = 12.0
"""that are added or taken away for it"""
KEPT = 64
"""clauses that are kept; some 10 MB at most"""
KEPT_CHARS = 60
"""in the longest of them: greetings, apologies, "Yes, of course."; nobody says a long sentence twice"""


class Voice:
    """One way of speaking, shared by all conversations that use it.

    :param threads: where the TTS runs.
    :param name: the engine's name for the voice; "" is its default.
    :param language: ISO 639-1.
    :param speed: 1.0 is the voice's own pace.
    """

    def __init__(self, tts: Synthesizer, threads: Executor, name: str, language: str, *, speed: float = 1.0) -> None:
        self.tts = tts
        self.language = language
        self.threads = threads
        self._gain = 1.0
        self._name = name
        self._speed = speed
        self._phrases: dict[str, list[I16]] = {}
        self._kept: OrderedDict[str, list[I16]] = OrderedDict()

    @property
    def rate(self) -> int:
        """Hz of what `speak` yields."""
        return self.tts.rate

    def like(self, name: str, speed: float) -> Voice:
        """The same engine under another of its voices, and at another pace; itself where that is no difference.

        :param name: one that the engine does not have means the present one.
        """
        if name not in self.tts.voices:
            name = self._name
        if (name, speed) == (self._name, self._speed):
            return self
        other = Voice(self.tts, self.threads, name, self.language, speed=speed)
        other._gain = self._gain
        return other

    async def tune(self, text: str) -> I16:
        """Say something, and from then on be as loud as a voice should be; int16 (n,) at `rate`.

        :raises EngineError: if the engine failed.
        """
        self._gain = 1.0
        pcm = np.concatenate([chunk async for chunk in self.speak(text)])
        self._kept.pop(text, None)
        self._gain = 10 ** (float(np.clip(LEVEL_DBFS - speech_dbfs(pcm, self.rate), -MOST_DB, MOST_DB)) / 20)
        return self._levelled(pcm)

    async def prepare(self, text: str) -> None:
        """Have this ready for as long as the voice lives: a greeting, an apology.

        :raises EngineError: if the engine failed.
        """
        self._phrases[text] = [pcm async for pcm in self.speak(text)]

    async def speak(self, text: str) -> AsyncGenerator[I16, None]:
        """Int16 (n,) mono chunks at `rate`. What was said in full before, and is short, is there at once.

        :raises EngineError: if the engine failed.
        """
        ready = self._phrases.get(text) or self._kept.get(text)
        if ready is not None:
            if text in self._kept:
                self._kept.move_to_end(text)
            for pcm in ready:
                yield pcm
            return
        made: list[I16] = []
        work = partial(self.tts.speak, text, voice=self._name, language=self.language, speed=self._speed)
        async with aclosing(iterate(self.threads, work)) as chunks:
            async for chunk in chunks:
                pcm = self._levelled(chunk)
                made.append(pcm)
                yield pcm
        if text and len(text) <= KEPT_CHARS:
            self._kept[text] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _levelled(self, pcm: I16) -> I16:
        if self._gain == 1.0:
            return pcm
        louder: I16 = np.clip(pcm * np.float32(self._gain), -32768, 32767).astype(np.int16)
        return louder
