"""What a reply speaks with: a synthesiser, its threads, and the short clauses it has said before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from contextlib import aclosing
from functools import partial

from agent.audio import I16
from agent.engines.protocols import Synthesizer
from agent.engines.threads import iterate

KEPT = 64
"""clauses that are kept; some 10 MB at most"""
KEPT_CHARS = 60
"""in the longest of them: greetings, apologies, "Yes, of course."; nobody says a long sentence twice"""


class Voice:
    """One way of speaking, shared by all conversations that use it.

    :param threads: where the TTS runs.
    :param name: the engine's name for the voice; "" is its default.
    :param language: ISO 639-1.
    """

    def __init__(self, tts: Synthesizer, threads: Executor, name: str, language: str) -> None:
        self.tts = tts
        self.language = language
        self._threads = threads
        self._name = name
        self._phrases: dict[str, list[I16]] = {}
        self._kept: OrderedDict[str, list[I16]] = OrderedDict()

    @property
    def rate(self) -> int:
        """Hz of what `speak` yields."""
        return self.tts.rate

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
        work = partial(self.tts.speak, text, voice=self._name, language=self.language)
        async with aclosing(iterate(self._threads, work)) as chunks:
            async for pcm in chunks:
                made.append(pcm)
                yield pcm
        if text and len(text) <= KEPT_CHARS:
            self._kept[text] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
