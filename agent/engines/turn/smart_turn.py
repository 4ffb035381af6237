"""Smart Turn v3.2 (BSD-2-Clause) in ONNX Runtime: has the person finished, by the sound alone?

The encoder of Whisper tiny and a pooling head, trained on ends and pauses of turns in 23 languages, in int8. The
file takes ``input_features`` float32 (B, 80, 800), Whisper's log-mel of the last 8 s, and gives (B, 1), the
probability that the turn is over. As in its makers' own inference the sound stands at the end of the 8 s, behind
digital silence, and is brought to zero mean and unit variance, silence included, before the mel is taken.

Give it what was said and the pause so far, best about 100 ms of it: as silence grows it takes any pause for the end.
By itself it also takes many pauses in the middle of a sentence for the end (`python -m bench.endpointing`).

Measured on one thread of a machine of two cores that was busy otherwise: 47 ms, 100 while both cores work; the features
are 0.3 ms of it for 1 s of sound and 10 for 8.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

from agent.audio import EAR_RATE, F32
from agent.engines.catalogue import Catalogue
from agent.engines.onnx import REFUSALS, session
from agent.errors import EngineError

SECONDS = 8.0
"""what the model looks at; it was trained on this length and no other"""
_SAMPLES = int(SECONDS * EAR_RATE)
_HOP = 160
_EDGE = 480
"""samples of silence before the sound that are transformed with it, more than one window of the transform (400):
the frames before them are all alike"""
_VARIANCE_FLOOR = 1e-7
"""added to the variance, as the model was trained; keeps digital silence from a division by zero"""


class SmartTurn:
    """A turn detector. May be called from several threads at once: nothing is kept between calls.

    :param threads: cores for one call.
    :param model: the catalogue's id.
    :param path: an ONNX file to use in place of the catalogue's.
    :raises ModelMissing: if the model is not on this machine.
    :raises EngineError: if the file is not a Smart Turn v3 model.
    """

    seconds = SECONDS

    def __init__(self, *, threads: int = 1, model: str = "smart-turn-v3.2", path: Path | None = None) -> None:
        path = path or Catalogue.load().file(model)
        self._session = session("smart-turn", path, threads)
        inputs = {entry.name: entry.shape[1:] for entry in self._session.get_inputs()}
        if inputs != {"input_features": [80, _SAMPLES // _HOP]}:
            raise EngineError(
                "smart-turn", "load", f"{path} takes {inputs}, not input_features (80, 800); use smart-turn-v3.2"
            )
        self._mel = FeatureExtractor(feature_size=80)

    def finished(self, wave: F32) -> float:
        """Float32 (n,) at EAR_RATE, a turn so far up to now, to the probability that it is over, 0..1.

        Only the last `seconds` count. Blocks.

        :raises EngineError: if the wave has another shape, or the model failed.
        """
        if wave.ndim != 1:
            raise EngineError("smart-turn", "features", f"got shape {wave.shape}; give mono sound, (n,)")
        try:
            output = self._session.run(None, {"input_features": self._features(wave)[None]})[0]
        except REFUSALS as error:
            raise EngineError("smart-turn", "finished", str(error)) from error
        return float(output[0, 0])

    def _features(self, wave: F32) -> F32:
        """Log-mel float32 (80, 800) of the last `seconds`, with silence before a shorter wave."""
        wave = wave[-_SAMPLES:]
        silence = _SAMPLES - len(wave)
        mean = float(wave.sum(dtype=np.float64)) / _SAMPLES
        power = float(np.dot(wave, wave)) / _SAMPLES
        scale = 1.0 / np.sqrt(max(power - mean * mean, 0.0) + _VARIANCE_FLOOR)
        # Of the silence only the frames that touch the sound are transformed; the first stands for all before it.
        skipped = max(silence - _EDGE, 0) // _HOP
        edged = np.zeros(_SAMPLES - skipped * _HOP, np.float32)
        edged[len(edged) - len(wave) :] = wave
        mel: F32 = self._mel((edged - np.float32(mean)) * np.float32(scale), padding=0).astype(np.float32)
        if not skipped:
            return mel
        return np.concatenate([np.repeat(mel[:, :1], skipped, axis=1), mel], axis=1)
