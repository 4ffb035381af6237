"""What every noise suppressor must do, by whatever packages are installed, on a spoken sentence in steady noise."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

from agent.audio import EAR_RATE, I16, WIRE_RATE, dbfs, resample, speech_dbfs, to_pcm
from agent.engines import registry
from agent.engines.protocols import NoiseSuppressor
from agent.errors import ConfigError, ModelMissing
from bench.noise import mixed, through
from bench.speech import SENTENCES, spoken

NOISE_S = 2.0
"""of noise alone, before the sentence"""
LEARNING_S = 1.0
"""that it may take until the noise is known"""
SNR_DB = 15.0
MOST_LAG_S = 0.02
MOST_MS = 1.0
"""of work for a packet of 20 ms, on the loop"""


@pytest.fixture(scope="module", params=registry.names("noise"))
def engine(request: pytest.FixtureRequest) -> Iterator[NoiseSuppressor]:
    try:
        yield cast("NoiseSuppressor", registry.load("noise", request.param, {}, threads=1))
    except (ConfigError, ModelMissing) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def sentence() -> I16:
    """Silence, and a sentence."""
    pcm = resample(spoken(SENTENCES[0]).pcm, WIRE_RATE, EAR_RATE)
    return np.concatenate([np.zeros(int(NOISE_S * EAR_RATE), np.int16), pcm])


@pytest.fixture(scope="module")
def noisy(sentence: I16) -> I16:
    """The same in white noise."""
    return mixed(sentence, noise(len(sentence)), SNR_DB)


def noise(samples: int) -> I16:
    return to_pcm(np.random.default_rng(1).normal(0.0, 0.05, samples).astype(np.float32))


def lag(sound: I16, later: I16) -> int:
    """By how many samples it comes later."""
    size = 2 * len(sound)
    spectrum = np.fft.rfft(later, size) * np.conj(np.fft.rfft(sound, size))
    return int(np.argmax(np.fft.irfft(spectrum, size)[: len(sound)]))


def test_noise_goes_and_speech_stays(engine: NoiseSuppressor, noisy: I16) -> None:
    heard = through(engine)(noisy)
    alone = slice(int(LEARNING_S * EAR_RATE), int(NOISE_S * EAR_RATE))
    assert dbfs(heard[alone]) < dbfs(noisy[alone]) - 4.0
    assert speech_dbfs(heard, EAR_RATE) > speech_dbfs(noisy, EAR_RATE) - 3.0


def test_sound_is_as_long_as_it_was_and_hardly_later(engine: NoiseSuppressor, sentence: I16) -> None:
    heard = through(engine)(sentence)
    assert 0 <= len(sentence) - len(heard) < engine.frame
    assert heard.dtype == np.int16
    assert lag(sentence[: len(heard)], heard) <= MOST_LAG_S * EAR_RATE


def test_streams_do_not_hear_each_other(engine: NoiseSuppressor, noisy: I16) -> None:
    alone, one, other, beside = engine.stream(), engine.stream(), engine.stream(), noise(engine.frame)
    for start in range(0, EAR_RATE // engine.frame * engine.frame, engine.frame):
        frame = noisy[start : start + engine.frame]
        other(beside)
        assert np.array_equal(one(frame), alone(frame))


def test_the_loop_is_not_kept(engine: NoiseSuppressor, noisy: I16) -> None:
    stream, took = engine.stream(), []
    step = max(1, EAR_RATE // 50 // engine.frame) * engine.frame
    for start in range(0, len(noisy) // step * step, step):
        began = time.perf_counter()
        stream(noisy[start : start + step])
        took.append(1000 * (time.perf_counter() - began))
    assert float(np.median(took)) < MOST_MS * step / (EAR_RATE / 50)
