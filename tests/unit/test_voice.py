"""Every voice is as loud as a voice should be."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from agent.audio import I16, speech_dbfs
from agent.speaking.voice import LEVEL_DBFS, MOST_DB, Voice


class Tone:
    """A synthesiser with a level of its own."""

    rate = 24000
    languages = frozenset({"en"})
    voices: tuple[str, ...] = ("second",)

    def __init__(self, amplitude: float) -> None:
        self.amplitude = amplitude

    def speak(self, text: str, *, voice: str, language: str, speed: float = 1.0) -> Iterator[I16]:
        t = np.arange(self.rate // 2) / self.rate
        for _ in range(2):
            yield (self.amplitude * np.sin(2 * np.pi * 200 * t)).astype(np.int16)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    executor = ThreadPoolExecutor(1)
    yield executor
    executor.shutdown(wait=True)


@pytest.mark.parametrize("amplitude", [800, 3000, 12000])
async def test_a_voice_is_levelled_once_and_for_all(amplitude: float, threads: ThreadPoolExecutor) -> None:
    voice = Voice(Tone(amplitude), threads, "", "en")
    tuned = await voice.tune("Hello")
    said = np.concatenate([pcm async for pcm in voice.speak("Hello")])
    assert speech_dbfs(said, voice.rate) == pytest.approx(speech_dbfs(tuned, voice.rate), abs=0.01)
    untouched = 20 * np.log10(amplitude / 32768 / np.sqrt(2))
    wanted = LEVEL_DBFS if abs(LEVEL_DBFS - untouched) <= MOST_DB else untouched + MOST_DB
    assert speech_dbfs(said, voice.rate) == pytest.approx(wanted, abs=0.3)


async def test_another_voice_is_as_loud_and_one_that_there_is_not_is_the_same(threads: ThreadPoolExecutor) -> None:
    voice = Voice(Tone(3000), threads, "", "en")
    tuned = await voice.tune("Hello")
    assert voice.like("alloy", 1.0) is voice
    for other in (voice.like("second", 1.0), voice.like("alloy", 1.2)):
        assert other is not voice
        said = np.concatenate([pcm async for pcm in other.speak("Hello")])
        assert speech_dbfs(said, voice.rate) == pytest.approx(speech_dbfs(tuned, voice.rate), abs=0.01)


async def test_a_voice_that_says_nothing_is_left_alone(threads: ThreadPoolExecutor) -> None:
    voice = Voice(Tone(0), threads, "", "en")
    assert not (await voice.tune("Hello")).any()
