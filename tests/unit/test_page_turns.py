"""What bench.page_turns makes of the levels that a page saw: a recording found again, and the time to each answer."""

from __future__ import annotations

import numpy as np
import pytest

from agent.audio import WIRE_RATE
from bench.page_turns import F64, STEP_MS, Recording, latencies, levels, recording
from bench.speech import Clip

QUIET = -90.0


def clip(seed: int, seconds: float) -> Clip:
    """Loud syllables of 120 ms with 60 ms between them."""
    sound = np.random.default_rng(seed).integers(-9000, 9000, round(seconds * WIRE_RATE))
    sound[(np.arange(len(sound)) % round(0.18 * WIRE_RATE)) > 0.12 * WIRE_RATE] = 0
    return Clip(f"{seed}", sound.astype(np.int16), "")


@pytest.fixture(scope="module")
def said() -> Recording:
    return recording([clip(1, 1.6), clip(2, 2.3), clip(3, 1.1)])


def seen(said: Recording, shift: int, answers: list[int | None], length_ms: int = 900) -> tuple[F64, F64]:
    """The levels as a page sees them that began to look `shift` steps after the recording, louder than it was sent."""
    heard = levels(said.pcm)
    microphone = np.maximum(heard + 8, QUIET)[shift:] if shift > 0 else np.pad(heard + 8, (-shift, 0))
    agent = np.full(len(microphone), QUIET)
    for (_, ends), answer_ms in zip(said.spans, answers, strict=True):
        if answer_ms is not None:
            first = ends - shift + answer_ms // STEP_MS
            agent[first : first + length_ms // STEP_MS] = -25
    return microphone, agent


@pytest.mark.parametrize("shift", [0, 137, 300])
def test_each_answer_is_timed_from_the_end_of_its_question(said: Recording, shift: int) -> None:
    assert latencies(said, *seen(said, shift, [430, 380, 1210])) == [430, 380, 1210]


def test_no_answer_and_one_that_did_not_wait_are_misses(said: Recording) -> None:
    assert latencies(said, *seen(said, 90, [None, 400, -200])) == [None, 400, None]


def test_a_microphone_that_heard_nothing_has_no_turns(said: Recording) -> None:
    microphone, agent = seen(said, 90, [400, 400, 400])
    assert latencies(said, np.full(len(microphone), QUIET), agent) == [None, None, None]
