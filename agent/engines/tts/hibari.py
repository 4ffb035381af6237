"""hibari: English speech at a hundred times real time on one core, out of 8 MB inside its package."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import numpy as np
import onnxruntime
from hibari import SAMPLE_RATE
from hibari import Hibari as Model
from hibari.voices import DEFAULT, VOICES, voice_path

from agent.audio import I16, to_pcm
from agent.engines.tts.trim import short, tail_ms, trim
from agent.errors import ConfigError, EngineError

log = logging.getLogger(__name__)

SLOWEST, FASTEST = 0.25, 4.0
SEED = 0
"""of the noise in consonants: the same text sounds the same"""


class Hibari:
    """English only. Each sentence is synthesised at once, in about a hundredth of its duration.

    :param threads: ONNX Runtime's; one is enough.
    :param voice: "heart" is in the package. Others are used if their file is in hibari's own cache directory;
        nothing here downloads one.
    :param speed: 1.0 is the voice's own pace, 0.5 half of it.
    :raises ConfigError: if that voice is not on this machine.
    """

    rate = SAMPLE_RATE
    languages = frozenset({"en"})

    def __init__(self, *, threads: int = 1, voice: str = DEFAULT, speed: float = 1.0) -> None:
        self.voices = tuple(name for name in VOICES if _is_here(name))
        """what `speak` can be asked for"""
        if voice not in self.voices:
            raise ConfigError(f"hibari has no voice {voice!r} on this machine; it has: {', '.join(self.voices)}")
        if not SLOWEST <= speed <= FASTEST:
            raise ConfigError(
                f"hibari's speed is {speed:g}; give {SLOWEST:.2f} to {FASTEST:.1f}, 1.0 is the voice's own pace"
            )
        self._threads = threads
        self._voice = voice
        self._speed = speed
        self._models: dict[str, Model] = {}
        self._loading = threading.Lock()
        self._model(voice)

    def speak(self, text: str, *, voice: str, language: str, speed: float = 1.0) -> Iterator[I16]:
        """Int16 (n,) mono chunks at `rate`, one per sentence, without outer silence.

        :param voice: one of `voices`; any other, such as another service's, means the default one.
        :raises EngineError: if the model failed.
        """
        for sentence in Model.split_sentences(text):
            for piece in short(sentence):
                pcm = self._synthesise(piece, self._model(voice if voice in self.voices else self._voice), speed)
                if len(pcm):
                    yield pcm

    def _synthesise(self, text: str, model: Model, speed: float) -> I16:
        if not any(character.isalnum() for character in text):
            return np.zeros(0, np.int16)  # it would read "..." as a sigh
        try:
            wave = model(text, speed=min(max(self._speed * speed, SLOWEST), FASTEST), seed=SEED)
        except (ValueError, LookupError, TypeError, RuntimeError) as error:
            raise EngineError(
                "hibari", "speak", f"{type(error).__name__} for a text of {len(text)} characters"
            ) from error
        return trim(to_pcm(wave), self.rate, tail_ms(text))

    def _model(self, voice: str) -> Model:
        with self._loading:
            if voice not in self._models:
                model = Model(voice=voice, threads=self._threads)
                if self._threads > 1:
                    model.sess = _sleepy_session(model.model_path, self._threads)
                model("Hello there.")  # loads the dictionary and runs the model once
                self._models[voice] = model
            return self._models[voice]


def _is_here(voice: str) -> bool:
    try:
        voice_path(voice, download_missing=False)
    except FileNotFoundError:
        return False
    return True


def _sleepy_session(path: str, threads: int) -> onnxruntime.InferenceSession:
    """A session whose idle threads sleep; hibari's own spin, at the expense of the other engines."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
