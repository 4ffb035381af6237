"""Noise suppression before the listener: nothing is added, nothing is lost, and all who listen hear the result."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audio import EAR_RATE, F32, I16, AudioChunk
from agent.engines.local import LocalEngines
from agent.engines.protocols import Hypothesis
from agent.engines.threads import pool
from agent.errors import ConfigError
from agent.events import Event, SpeechEnded, SpeechStarted
from agent.listening.endpointing import Endpointing
from agent.listening.listener import Ears, Hearing, Listener
from agent.listening.slots import Slots
from agent.listening.suppression import Suppression
from agent.settings import Settings


class Dividing:
    """A suppressor whose work can be seen; it takes frames of 10 ms."""

    frame = 160

    def __init__(self, by: int = 2) -> None:
        self.streams = 0
        self._by = by

    def stream(self) -> Callable[[I16], I16]:
        self.streams += 1
        return self._divided

    def _divided(self, pcm: I16) -> I16:
        assert len(pcm) > 0
        assert len(pcm) % self.frame == 0
        return pcm // self._by


class LevelVad:
    """Loud is speech."""

    window = 512

    def stream(self) -> Callable[[F32], float]:
        return lambda window: 0.9 if float(np.abs(window).max()) > 0.02 else 0.01


class Loudness:
    """A recogniser that says how loud the loudest sample was."""

    def knows(self, language: str) -> bool:
        return True

    def transcribe(self, wave: F32, *, language: str | None, prompt: str) -> Hypothesis:
        return Hypothesis(f"{float(np.abs(wave).max()):.2f}", "en")


@given(st.lists(st.integers(0, 700), max_size=20))
def test_packets_of_any_length_come_out_whole_and_in_order(lengths: list[int]) -> None:
    suppression = Suppression(Dividing())
    sound = np.arange(sum(lengths), dtype=np.int16)
    heard: list[I16] = []
    for length, end in zip(lengths, np.cumsum(lengths), strict=True):
        heard.append(suppression(sound[end - length : end]))
        assert 0 <= end - sum(map(len, heard)) < Dividing.frame
    whole = len(sound) // Dividing.frame * Dividing.frame
    assert np.array_equal(np.concatenate([*heard, sound[:0]]), sound[:whole] // 2)


def test_packets_of_opus_are_not_held_back() -> None:
    suppression = Suppression(Dividing())
    for milliseconds in (20, 10, 40, 60):
        assert len(suppression(np.ones(milliseconds * EAR_RATE // 1000, np.int16))) == milliseconds * EAR_RATE // 1000


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    executor = pool("asr", 2)
    yield executor
    executor.shutdown(wait=True)


async def heard(threads: ThreadPoolExecutor, noise: Dividing | None, amplitude: int, lost: int = 0) -> list[Event]:
    """What a listener tells of a second of speech in silence, after the first packet of which others were lost."""
    events: list[Event] = []
    hearing = Hearing(LevelVad(), Loudness(), Slots(threads, 2), None, noise)
    listener = Listener("ann", hearing, Ears(pause_ms=96, language="en"), Endpointing(), events.append, lambda: False)
    half = EAR_RATE // 2
    pcm = np.concatenate([np.ones(half), np.full(2 * half, amplitude), np.ones(half)]).astype(np.int16)

    async def chunks() -> AsyncIterator[AudioChunk]:
        for start in range(0, len(pcm), 320):
            yield AudioChunk(pcm[start : start + 320], start + (lost if start else 0))

    await listener.run(chunks())
    return events


def times(events: list[Event]) -> list[float]:
    """Where speech began, and where it ended."""
    began = [event.at for event in events if isinstance(event, SpeechStarted)]
    return began + [event.at for event in events if isinstance(event, SpeechEnded)]


@pytest.mark.parametrize("lost", [0, 700, 5 * EAR_RATE])
async def test_speech_is_dated_as_without_a_suppressor(threads: ThreadPoolExecutor, lost: int) -> None:
    plain, suppressed = await heard(threads, None, 8000, lost), await heard(threads, Dividing(), 8000, lost)
    assert len(times(plain)) == 2
    assert times(suppressed) == times(plain)


async def test_detector_and_recogniser_hear_what_is_left(threads: ThreadPoolExecutor) -> None:
    assert "'0.24'" in str(await heard(threads, None, 8000))
    assert "'0.12'" in str(await heard(threads, Dividing(), 8000))
    assert not await heard(threads, Dividing(8000), 8000)


async def test_each_participant_has_a_state_of_their_own(threads: ThreadPoolExecutor) -> None:
    engine = Dividing()
    await heard(threads, engine, 8000)
    await heard(threads, engine, 8000)
    assert engine.streams == 2


def test_it_is_off_unless_asked_for() -> None:
    assert Settings().noise.engine == ""


def test_a_suppressor_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match=r"there is no noise engine 'krisp'.*webrtc-ns"):
        LocalEngines(Settings.model_validate({"noise": {"engine": "krisp"}})).noise()
