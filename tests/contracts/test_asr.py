"""What every recogniser must do, by whatever packages are installed, on real recordings and spoken sentences."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import ClassVar, cast

import numpy as np
import pytest
from hibari import SAMPLE_RATE, Hibari

from agent.audio import EAR_RATE, F32, WIRE_RATE, read_audio, resample, to_pcm, to_wave
from agent.engines import registry
from agent.engines.local import LocalEngines
from agent.engines.protocols import Hypothesis, Recognizer
from agent.errors import ConfigError, EngineError, ModelMissing
from agent.settings import Settings
from bench.speech import QUESTIONS, RECORDINGS, SENTENCES, english
from bench.wer import Errors, word_errors

pytestmark = pytest.mark.models

CEILING = 0.15
"""word error rate on clean English, also the bar of a whole call"""


UNSET = "as it comes"
"""the recogniser of a server whose settings name none"""


@pytest.fixture(scope="module", params=[UNSET, *registry.names("asr")])
def asr(request: pytest.FixtureRequest) -> Iterator[Recognizer]:
    try:
        if request.param == UNSET:
            yield LocalEngines(Settings()).asr()
        else:
            yield cast("Recognizer", registry.load("asr", request.param, {}, threads=1))
    except (ModelMissing, ConfigError) as error:  # a server's has an address, which nobody has given here
        pytest.skip(str(error))


@cache
def voice() -> Hibari:
    return Hibari()


def said(text: str) -> F32:
    """Spoken the same way every time: the TTS draws its intonation by lot."""
    return to_wave(resample(to_pcm(np.asarray(voice()(text, seed=1), np.float32)), SAMPLE_RATE, EAR_RATE))


class Mallinfo2(ctypes.Structure):
    """glibc's; ``uordblks`` is what its allocator has given away, in bytes."""

    _fields_: ClassVar = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def in_use() -> int:
    """Bytes that this process has asked for and not given back; skips where no glibc tells."""
    try:
        mallinfo2 = ctypes.CDLL("libc.so.6").mallinfo2
    except (OSError, AttributeError):
        pytest.skip("this C library does not tell what is in use")
    mallinfo2.restype = Mallinfo2
    return int(mallinfo2().uordblks)


def noise(seconds: float, dbfs: float) -> F32:
    random = np.random.default_rng(1)
    return (random.standard_normal(int(seconds * EAR_RATE)) * 10 ** (dbfs / 20)).astype(np.float32)


@pytest.mark.parametrize("prompt", ["", "Hello, how can I help you today?"])
def test_english_is_understood(asr: Recognizer, prompt: str) -> None:
    errors = Errors()
    for clip in english(longest_s=9.0):
        wave = to_wave(resample(clip.pcm, WIRE_RATE, EAR_RATE))
        errors += word_errors(clip.text, asr.transcribe(wave, language="en", prompt=prompt).text)
    assert errors.rate <= CEILING


@pytest.mark.parametrize("text", ["Yes, please.", "Thank you.", "Stop.", "Hello?", "Can you repeat that?"])
def test_short_answers_come_once(asr: Recognizer, text: str) -> None:
    heard = asr.transcribe(said(text), language="en", prompt="")
    assert word_errors(text, heard.text).wrong == 0


def test_a_sentence_that_is_broken_off_has_no_sure_full_stop(asr: Recognizer) -> None:
    wave = said("I would like to book a table for four people.")
    whole = asr.transcribe(wave, language="en", prompt="").stop
    if whole is None:
        pytest.skip("this recogniser does not say how sure it is of a full stop")
    parts = [
        asr.transcribe(wave[: int(share * len(wave))], language="en", prompt="").stop or 0.0 for share in (0.3, 0.7)
    ]
    assert whole > 0.7 > max(parts)


def test_sounds_of_many_lengths_leave_nothing_behind(asr: Recognizer) -> None:
    """CTranslate2's oneDNN would keep code for each length: 0.6 MB a sound."""
    wave = said("I would like to book a table for four people, please, and can you tell me when you close?")
    lengths = np.random.default_rng(0).permutation(np.linspace(0.3, 1.0, 40) * len(wave)).astype(int)
    for length in lengths[:20]:
        asr.transcribe(wave[:length], language="en", prompt="")
    before = in_use()
    for length in lengths[20:]:
        asr.transcribe(wave[:length], language="en", prompt="")
    assert in_use() - before < 4e6


@pytest.mark.parametrize("language", ["en", "de", None])
@pytest.mark.parametrize("dbfs", [-200, -70, -30])
def test_no_words_come_out_of_noise(asr: Recognizer, dbfs: float, language: str | None) -> None:
    assert asr.transcribe(noise(3.0, dbfs), language=language, prompt="").text == ""


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings beside the repository")
@pytest.mark.parametrize("name", ["dishes", "exercise_bike", "keyboard", "rir_hall_rt08", "dtmf_5550142hash"])
def test_no_words_come_out_of_recorded_noise(asr: Recognizer, name: str) -> None:
    wave = to_wave(read_audio(RECORDINGS / "noise" / f"{name}.flac", EAR_RATE))
    assert asr.transcribe(wave, language="en", prompt="").text == ""
    assert asr.transcribe(wave[:EAR_RATE], language=None, prompt="").text == ""


@pytest.mark.parametrize("samples", [0, 1, 100, 1600])
def test_next_to_nothing_is_nothing(asr: Recognizer, samples: int) -> None:
    assert asr.transcribe(noise(samples / EAR_RATE, -30), language=None, prompt="").text == ""


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings beside the repository")
@pytest.mark.parametrize("file", ["de/fleurs-de-005.ogg", "es/fleurs-es-003.ogg", "fr/fleurs-fr-002.ogg"])
def test_the_language_is_detected(asr: Recognizer, file: str) -> None:
    wave = to_wave(read_audio(RECORDINGS / file, EAR_RATE))
    assert asr.transcribe(wave, language=None, prompt="").language == file[:2]


def test_a_language_that_is_given_is_reported(asr: Recognizer) -> None:
    assert asr.transcribe(said(SENTENCES[0]), language="en", prompt="").language == "en"
    assert asr.transcribe(said(SENTENCES[0]), language=None, prompt="").language == "en"


def test_an_unknown_language_is_refused_by_name(asr: Recognizer) -> None:
    with pytest.raises(EngineError, match="tlh"):
        asr.transcribe(said(QUESTIONS[0]), language="tlh", prompt="")


def test_a_long_monologue_is_heard_to_its_end(asr: Recognizer) -> None:
    text = " ".join([*SENTENCES, *QUESTIONS[:6]])
    wave = np.concatenate([said(part) for part in [*SENTENCES, *QUESTIONS[:6]]])
    assert len(wave) > 30 * EAR_RATE
    before = wave.copy()
    assert word_errors(text, asr.transcribe(wave, language="en", prompt="").text).rate <= CEILING
    assert np.array_equal(wave, before)


def test_several_threads_may_call_at_once(asr: Recognizer) -> None:
    waves = [said(text) for text in QUESTIONS[:4]]

    def heard(wave: F32) -> Hypothesis:
        return asr.transcribe(wave, language="en", prompt="")

    alone = [heard(wave) for wave in waves]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(heard, waves)) == alone
