"""What every turn detector must do, by whatever packages are installed, on spoken sentences and recordings."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from agent.audio import EAR_RATE, F32, WIRE_RATE, resample, to_wave
from agent.engines import registry
from agent.engines.protocols import TurnDetector
from agent.engines.turn.smart_turn import SmartTurn
from agent.errors import EngineError, ModelMissing
from bench.speech import QUESTIONS, english, spoken

pytestmark = pytest.mark.models

PAUSE = np.zeros(EAR_RATE // 8, np.float32)


@pytest.fixture(scope="module", params=registry.names("turn"))
def detector(request: pytest.FixtureRequest) -> Iterator[TurnDetector]:
    try:
        yield cast("TurnDetector", registry.load("turn", request.param, {}, threads=1))
    except ModelMissing as error:
        pytest.skip(str(error))


def said(text: str) -> F32:
    wave = to_wave(resample(spoken(text).pcm, WIRE_RATE, EAR_RATE))
    loud = np.flatnonzero(np.abs(wave) > 0.02)
    return wave[loud[0] : loud[-1]]


def noise(seconds: float, dbfs: float) -> F32:
    random = np.random.default_rng(1)
    return (random.standard_normal(int(seconds * EAR_RATE)) * 10 ** (dbfs / 20)).astype(np.float32)


def test_there_is_one() -> None:
    assert "smart-turn" in registry.names("turn")


def test_ends_of_questions_are_heard(detector: TurnDetector) -> None:
    ends = [detector.finished(np.concatenate([said(text), PAUSE])) for text in QUESTIONS]
    assert all(type(end) is float and 0.0 <= end <= 1.0 for end in ends)
    assert np.median(ends) > 0.8


def test_an_end_is_likelier_than_the_middle(detector: TurnDetector) -> None:
    ends, middles = [], []
    for clip in english(longest_s=12.0):
        wave = to_wave(resample(clip.pcm, WIRE_RATE, EAR_RATE))
        ends.append(detector.finished(np.concatenate([wave, PAUSE])))
        middles += [detector.finished(wave[: int(part * len(wave))]) for part in (0.35, 0.5, 0.65)]
    assert np.mean(ends) > np.mean(middles) + 0.2


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.1, 7.99, 8.0, 8.01, 20.0])
@pytest.mark.parametrize("dbfs", [-200, -60, -10])
def test_any_length_and_level_has_a_probability(detector: TurnDetector, seconds: float, dbfs: float) -> None:
    assert 0.0 <= detector.finished(noise(seconds, dbfs)) <= 1.0


def test_only_the_last_seconds_count(detector: TurnDetector) -> None:
    wave = np.concatenate([noise(12.0, -30), said(QUESTIONS[0]), PAUSE])
    before = wave.copy()
    assert detector.finished(wave) == detector.finished(wave[-int(detector.seconds * EAR_RATE) :])
    assert np.array_equal(wave, before)


def test_the_level_does_not_count(detector: TurnDetector) -> None:
    wave = np.concatenate([said(QUESTIONS[0]), PAUSE])
    assert abs(detector.finished(wave) - detector.finished((0.05 * wave).astype(np.float32))) < 0.1


def test_several_threads_may_ask_at_once(detector: TurnDetector) -> None:
    waves = [np.concatenate([said(text), PAUSE]) for text in QUESTIONS[:4]]
    alone = [detector.finished(wave) for wave in waves]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(detector.finished, waves)) == alone


def test_sound_of_two_channels_is_refused(detector: TurnDetector) -> None:
    with pytest.raises(EngineError, match="mono"):
        detector.finished(np.zeros((2, EAR_RATE), np.float32))


def test_a_file_that_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "noise.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"noise\.onnx"):
        SmartTurn(path=path)
