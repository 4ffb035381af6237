"""Recordings and calls share a recogniser: recordings stand back, and there are never many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing, contextmanager
from typing import cast

import numpy as np
import pytest

from agent.audio import EAR_RATE, F32, I16
from agent.engines.protocols import Hypothesis, Vad
from agent.errors import EngineError, ModelMissing, SignalingError
from agent.listening.listener import Hearing
from agent.listening.slots import Slots
from agent.rest.transcription import MOST_ASKED, PIECE_S, Ask, Transcriptions

SECONDS = 3 * PIECE_S


class Slow:
    """A recogniser that is let go piece by piece, and says how long each was."""

    def __init__(self) -> None:
        self.free = threading.Semaphore(0)
        self.at_once = self.most = 0
        self.languages: list[str | None] = []
        self.lock = threading.Lock()

    def knows(self, language: str) -> bool:
        return True

    def transcribe(self, wave: F32, *, language: str | None, prompt: str) -> Hypothesis:
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            self.languages.append(language)
        self.free.acquire()
        with self.lock:
            self.at_once -= 1
        if prompt == "fail":
            raise EngineError("slow", "transcribe", "no")
        if prompt == "missing" and language:
            raise ModelMissing("small", "pull it")
        return Hypothesis(f"{len(wave) / EAR_RATE:.0f}", "de")


@contextmanager
def two_threads() -> Iterator[ThreadPoolExecutor]:
    threads = ThreadPoolExecutor(2)
    try:
        yield threads
    finally:
        threads.shutdown(wait=False)  # on the loop nobody waits for a thread


def recording() -> I16:
    return np.zeros(int(SECONDS * EAR_RATE), np.int16)


async def texts(work: Transcriptions, ask: Ask) -> list[str]:
    async with aclosing(work.heard(recording(), ask)) as pieces:
        return [one.text for piece in pieces_of([found async for found in pieces]) for one in piece.segments]


def pieces_of(found: list) -> list:  # type: ignore[type-arg]
    """In order, and their times, too."""
    starts = [one.start_s for piece in found for one in piece.segments]
    assert starts == sorted(starts)
    return found


async def test_recordings_take_one_slot_at_most_and_a_call_is_heard_meanwhile() -> None:
    asr = Slow()
    with two_threads() as threads:
        slots = Slots(threads, 2)
        work = Transcriptions(Hearing(cast("Vad", None), asr, slots, None), threads)
        several = [asyncio.ensure_future(texts(work, Ask(language="en"))) for _ in range(3)]
        while not asr.at_once:  # noqa: ASYNC110 - another thread says it
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert asr.at_once == 1
        assert await slots.run(lambda: "at once", lambda: True) == "at once"
        asr.free.release(100)
        found = await asyncio.gather(*several)
    assert asr.most == 1
    assert all(sum(map(float, one)) == pytest.approx(SECONDS, abs=3) and len(one) >= 3 for one in found)


async def test_the_language_that_was_found_holds_for_the_rest_if_its_model_is_here() -> None:
    asr = Slow()
    asr.free.release(100)
    with two_threads() as threads:
        work = Transcriptions(Hearing(cast("Vad", None), asr, Slots(threads, 2), None), threads)
        await texts(work, Ask())
        assert asr.languages[:2] == [None, "de"]
        assert len(await texts(work, Ask(prompt="missing"))) >= 3
        with pytest.raises(SignalingError, match="pull it"):
            await texts(work, Ask(language="de", prompt="missing"))


async def test_a_recogniser_without_times_gives_a_line_for_each_piece_and_does_not_translate() -> None:
    asr = Slow()
    asr.free.release(100)
    with two_threads() as threads:
        work = Transcriptions(Hearing(cast("Vad", None), asr, Slots(threads, 2), None), threads)
        assert len(await texts(work, Ask(times=True))) >= 3
        with pytest.raises(SignalingError, match="translate"):
            await texts(work, Ask(task="translate"))
        with pytest.raises(EngineError):
            await texts(work, Ask(prompt="fail"))
        assert len(await texts(work, Ask())) >= 3, "a failure holds nothing"


def test_one_recording_more_than_there_is_room_for_is_refused() -> None:
    work = Transcriptions(cast("Hearing", None), cast("ThreadPoolExecutor", None))
    with ExitStack() as all_of_them:
        for _ in range(MOST_ASKED):
            all_of_them.enter_context(work.admitted())
        with pytest.raises(SignalingError) as caught, work.admitted():
            pass
    assert (caught.value.status, caught.value.code) == (503, "server_busy")
    with work.admitted():
        pass
