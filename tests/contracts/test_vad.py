"""What every voice activity detector must do, by whatever packages are installed, on real recordings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

from agent.audio import EAR_RATE, F32, WIRE_RATE, resample, to_wave
from agent.engines import registry
from agent.engines.protocols import Vad
from agent.errors import AntiphonError, ModelMissing
from agent.listening.level import Leveller
from agent.listening.segmenter import Ended, Segmenter, Started, Transition
from bench.speech import english, spoken

pytestmark = pytest.mark.models


@pytest.fixture(scope="module", params=registry.names("vad"))
def vad(request: pytest.FixtureRequest) -> Iterator[Vad]:
    try:
        yield cast("Vad", registry.load("vad", request.param, {}, threads=1))
    except ModelMissing as error:
        pytest.skip(str(error))


def probabilities(vad: Vad, wave: F32) -> list[float]:
    stream = vad.stream()
    whole = len(wave) // vad.window * vad.window
    return [stream(window) for window in wave[:whole].reshape(-1, vad.window)]


def transitions(vad: Vad, wave: F32) -> list[Transition]:
    """As a participant's ear does it, with 1 s of silence after the sound."""
    stream, leveller, segmenter = vad.stream(), Leveller(), Segmenter(window=vad.window)
    wave = np.concatenate([wave, np.zeros(EAR_RATE, np.float32)])
    whole = len(wave) // vad.window * vad.window
    found = [
        segmenter(index * vad.window, stream(leveller(window)))
        for index, window in enumerate(wave[:whole].reshape(-1, vad.window))
    ]
    return [transition for transition in found if transition]


def noise(seconds: float, dbfs: float) -> F32:
    random = np.random.default_rng(1)
    return (random.standard_normal(int(seconds * EAR_RATE)) * 10 ** (dbfs / 20)).astype(np.float32)


def test_a_probability_for_every_window(vad: Vad) -> None:
    wave = to_wave(resample(spoken("Hello, can you hear me?").pcm, WIRE_RATE, EAR_RATE))
    found = probabilities(vad, wave)
    assert all(type(probability) is float and 0.0 <= probability <= 1.0 for probability in found)
    assert max(found) > 0.9


def test_streams_do_not_hear_each_other(vad: Vad) -> None:
    wave = to_wave(resample(spoken("Hello, can you hear me?").pcm, WIRE_RATE, EAR_RATE))
    alone = probabilities(vad, wave)
    one, other, beside = vad.stream(), vad.stream(), []
    for start in range(0, len(alone) * vad.window, vad.window):
        beside.append(one(wave[start : start + vad.window]))
        other(noise(vad.window / EAR_RATE, -20))
    assert beside == alone


def test_a_window_of_another_length_is_refused(vad: Vad) -> None:
    with pytest.raises(AntiphonError, match=str(vad.window)):
        vad.stream()(np.zeros(vad.window + 1, np.float32))


@pytest.mark.parametrize("dbfs", [-200, -70, -50, -30])
def test_noise_is_no_speech(vad: Vad, dbfs: float) -> None:
    assert transitions(vad, noise(10.0, dbfs)) == []


def test_noise_that_begins_in_silence_is_no_speech(vad: Vad) -> None:
    assert transitions(vad, np.concatenate([np.zeros(3 * EAR_RATE, np.float32), noise(3.0, -70)])) == []


def test_every_recording_is_heard_however_quiet(vad: Vad) -> None:
    for clip in english():
        found = transitions(vad, to_wave(resample(clip.pcm, WIRE_RATE, EAR_RATE)))
        assert [type(transition) for transition in found] == [Started, Ended] * (len(found) // 2), clip.name
        spoken_s = sum(end.at_s - start.at_s for start, end in zip(found[::2], found[1::2], strict=True))
        assert spoken_s > 0.5 * len(clip.pcm) / WIRE_RATE, clip.name
