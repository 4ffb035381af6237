"""The segmenter by invented probabilities, and the leveller by invented sound."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audio import EAR_RATE, F32
from agent.listening.level import MOST_DB, Leveller
from agent.listening.segmenter import PAUSE_MS, SPEECH_MS, WINDOW, Ended, Segmenter, Started, Transition

WINDOW_S = WINDOW / EAR_RATE


def run(
    probabilities: list[float], segmenter: Segmenter | None = None, *, gaps: dict[int, int] | None = None
) -> list[tuple[float, Transition]]:
    """(when it was noticed in s, the transition); ``gaps`` gives lost samples before a window."""
    segmenter = segmenter or Segmenter()
    found: list[tuple[float, Transition]] = []
    position = 0
    for index, probability in enumerate(probabilities):
        position += (gaps or {}).get(index, 0)
        if transition := segmenter(position, probability):
            found.append(((position + WINDOW) / EAR_RATE, transition))
        position += WINDOW
    if ended := segmenter.finish():
        found.append((position / EAR_RATE, ended))
    return found


def test_speech_between_silences() -> None:
    (began, started), (paused, ended) = run([0.0] * 10 + [0.9] * 20 + [0.0] * 20)
    assert began == pytest.approx(12 * WINDOW_S)
    assert started == Started(10 * WINDOW_S)
    assert ended == Ended(30 * WINDOW_S)
    assert PAUSE_MS / 1000 <= paused - 30 * WINDOW_S < PAUSE_MS / 1000 + WINDOW_S


def test_it_is_noticed_in_time_to_duck() -> None:
    noticed, started = run([0.0] * 10 + [0.9] * 3)[0]
    assert isinstance(started, Started)
    assert noticed - started.at_s <= 0.1


def test_a_click_is_no_speech() -> None:
    assert run(([0.0] * 10 + [0.99]) * 5) == []


def test_probabilities_between_the_thresholds_toggle_nothing() -> None:
    assert run([0.45] * 50) == []
    assert [type(transition) for _, transition in run([0.9, 0.9] + [0.45] * 50)] == [Started, Ended]


def test_a_short_pause_does_not_end_speech() -> None:
    pause = int(PAUSE_MS / 1000 / WINDOW_S) - 1
    assert len(run(([0.9] * 10 + [0.0] * pause) * 5)) == 2


def test_lost_audio_counts_as_silence() -> None:
    transitions = [transition for _, transition in run([0.9] * 20, gaps={10: EAR_RATE})]
    assert [type(transition) for transition in transitions] == [Started, Ended, Started, Ended]
    times = [transition.at_s for transition in transitions]
    assert times == pytest.approx([0.0, 10 * WINDOW_S, 1.0 + 10 * WINDOW_S, 1.0 + 20 * WINDOW_S])
    assert len(run([0.9] * 20, gaps={10: WINDOW})) == 2
    assert run([0.9, 0.9], gaps={1: WINDOW}) == []


def test_finish_ends_what_has_not_ended_once() -> None:
    segmenter = Segmenter()
    run([0.9] * 5, segmenter)
    assert segmenter.finish() is None
    assert not segmenter.speaking


def test_positions_only_rise() -> None:
    segmenter = Segmenter()
    segmenter(WINDOW, 0.0)
    with pytest.raises(ValueError, match="positions only rise"):
        segmenter(0, 0.0)


@pytest.mark.parametrize(("start", "end"), [(0.3, 0.5), (0.5, 0.0), (1.5, 0.5)])
def test_impossible_thresholds_are_refused(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="thresholds"):
        Segmenter(start=start, end=end)


@given(
    probabilities=st.lists(st.sampled_from([0.0, 0.2, 0.34, 0.35, 0.4, 0.5, 0.7, 1.0]), max_size=120),
    gaps=st.dictionaries(st.integers(0, 119), st.integers(0, 20_000), max_size=4),
    speech_ms=st.sampled_from([0, 32, 64, 96]),
    pause_ms=st.sampled_from([0, 32, 100, 200, 700]),
)
def test_transitions_alternate_and_lie_where_speech_was(
    probabilities: list[float], gaps: dict[int, int], speech_ms: int, pause_ms: int
) -> None:
    found = run(probabilities, Segmenter(speech_ms=speech_ms, pause_ms=pause_ms), gaps=gaps)
    kinds = [type(transition) for _, transition in found]
    assert kinds == [Started, Ended] * (len(found) // 2)
    times = [transition.at_s for _, transition in found]
    assert times == sorted(times)
    for (noticed, transition), (_, after) in pairwise(found):
        assert transition.at_s <= noticed
        if isinstance(transition, Started):
            assert after.at_s - transition.at_s >= max(speech_ms / 1000, WINDOW_S) - 1e-9
        elif pause_ms >= SPEECH_MS:
            assert after.at_s - transition.at_s >= pause_ms / 1000 - 1e-9


def windows(wave: F32) -> list[float]:
    """The leveller's gain in dB after each window of the sound."""
    leveller = Leveller()
    gains: list[float] = []
    for start in range(0, len(wave) - WINDOW + 1, WINDOW):
        louder = leveller(wave[start : start + WINDOW])
        assert louder.shape == (WINDOW,)
        assert louder.dtype == np.float32
        assert np.abs(louder).max() <= 1.0
        gains.append(leveller.gain_db)
    return gains


def noise(seconds: float, dbfs: float) -> F32:
    random = np.random.default_rng(1)
    return (random.standard_normal(int(seconds * EAR_RATE)) * 10 ** (dbfs / 20)).astype(np.float32)


@pytest.mark.parametrize("dbfs", [-90, -70, -50, -20])
def test_steady_noise_is_not_amplified(dbfs: float) -> None:
    assert max(windows(noise(5.0, dbfs))) == 0.0


def test_silence_and_the_last_bit_are_not_amplified() -> None:
    assert max(windows(np.zeros(EAR_RATE, np.float32))) == 0.0
    toggling = np.random.default_rng(1).integers(-1, 2, EAR_RATE).astype(np.float32) / np.float32(32768)
    assert max(windows(toggling)) == 0.0


def test_a_quiet_voice_is_lifted_and_a_loud_one_left() -> None:
    quiet = np.concatenate([noise(1.0, -95), noise(1.0, -60)])
    assert windows(quiet)[-1] == pytest.approx(34.0, abs=1.5)
    faint = np.concatenate([noise(1.0, -95), noise(1.0, -75)])
    assert windows(faint)[-1] == pytest.approx(MOST_DB, abs=1e-3)
    loud = np.concatenate([noise(1.0, -60), noise(1.0, -15)])
    assert max(windows(loud)) == 0.0


def test_the_noise_floor_limits_the_gain() -> None:
    assert max(windows(np.concatenate([noise(1.0, -70), noise(1.0, -57)]))) == pytest.approx(20.0, abs=1.5)


def test_a_quiet_voice_after_a_loud_one_is_lifted_in_time() -> None:
    gains = windows(np.concatenate([noise(1.0, -95), noise(0.2, -20)] + [noise(0.3, -60), noise(0.2, -95)] * 30))
    assert gains[int(1.3 / WINDOW_S)] < 3.0
    assert gains[-1] > 25.0
