"""Recordings to text, beside the calls: with the calls' own recogniser, when it has nothing better to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from agent.audio import EAR_RATE, I16, to_wave
from agent.engines.pieces import pieces
from agent.engines.protocols import Segment, Task, TimedHypothesis, TimedRecognizer
from agent.engines.threads import call
from agent.errors import ModelMissing, SignalingError
from agent.listening.listener import Hearing
from agent.rest.recordings import read

MOST_ASKED = 6
"""requests at once: sending their file, waiting, or heard; one more is refused"""
PIECE_S = 28.0
"""the longest piece that is recognised at once; between two, another request has its turn"""
LIVE_PIECE_S = 14.0
"""the same for who reads along: the text comes sooner, and loses a little of its context"""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is wanted of a recording."""

    language: str | None = None
    """ISO 639-1; None to detect it"""
    prompt: str = ""
    task: Task = "transcribe"
    times: bool = False
    """of sentences and words; costs some percent more"""
    live: bool = False
    """whoever asks reads along"""


class Transcriptions:
    """The recogniser, for requests that are no calls.

    They are recognised one piece at a time, and never before a call's words: one of the recogniser's slots at most is
    theirs, and only if nobody who speaks waits for it.

    :param threads: where files are decoded.
    """

    def __init__(self, hearing: Hearing, threads: Executor) -> None:
        self._hearing = hearing
        self._threads = threads
        self._one = asyncio.Semaphore(1)
        self._asked = 0

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place among those who are served.

        :raises SignalingError: 503 if there is none.
        """
        if self._asked >= MOST_ASKED:
            raise SignalingError(
                503, f"{MOST_ASKED} recordings are being transcribed; try again in a moment.", code="server_busy"
            )
        self._asked += 1
        try:
            yield
        finally:
            self._asked -= 1

    def knows(self, language: str) -> bool:
        """Whether a recording may be said to be in this language."""
        return self._hearing.asr.knows(language)

    async def decoded(self, upload: Sequence[bytes]) -> I16:
        """A file, in pieces as it came, as int16 (n,) at EAR_RATE.

        :raises SignalingError: 400 for what is no sound.
        """
        return await call(self._threads, lambda: read(b"".join(upload)))

    async def heard(self, pcm: I16, ask: Ask) -> AsyncGenerator[TimedHypothesis, None]:
        """What is said in int16 (n,) at EAR_RATE, piece by piece; times count from its beginning.

        :raises SignalingError: 400 if the recogniser can not do what is asked.
        :raises EngineError: if it failed.
        """
        begin, language = 0, ask.language
        longest_s = LIVE_PIECE_S if ask.live else PIECE_S
        for piece in await call(self._threads, pieces, pcm, longest_s):
            async with self._one:
                work = partial(self._recognised, piece, language, ask)
                found = await self._hearing.slots.run(work, lambda: False)
            language = language or found.language or None
            yield _later(found, begin / EAR_RATE)
            begin += len(piece)

    def _recognised(self, pcm: I16, language: str | None, ask: Ask) -> TimedHypothesis:
        """A piece's text. Blocks."""
        asr, wave = self._hearing.asr, to_wave(pcm)
        try:
            if isinstance(asr, TimedRecognizer) and (ask.times or ask.task == "translate"):
                return asr.timed(wave, language=language, prompt=ask.prompt, task=ask.task)
            if ask.task == "translate":
                raise SignalingError(
                    400,
                    "The recogniser of this server can not translate; set asr.engine to whisper.",
                    code="unsupported",
                )
            found = asr.transcribe(wave, language=language, prompt=ask.prompt)
        except ModelMissing as error:
            if language and ask.language is None:  # it was found out, by a model that is here
                return self._recognised(pcm, None, ask)
            raise SignalingError(400, f"The server can not do that: {error}", code="model_missing") from error
        whole = (Segment(found.text, 0.0, len(wave) / EAR_RATE),) if found.text else ()
        return TimedHypothesis(whole, found.language)


def _later(found: TimedHypothesis, by_s: float) -> TimedHypothesis:
    """The same, counted from the beginning of the recording."""
    if not by_s:
        return found
    return replace(
        found,
        segments=tuple(
            replace(
                one,
                start_s=one.start_s + by_s,
                end_s=one.end_s + by_s,
                words=tuple(replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s) for word in one.words),
            )
            for one in found.segments
        ),
    )
