"""Silero VAD v6 (MIT) in ONNX Runtime, one thread.

The model is a small recurrent network over windows of 32 ms at 16 kHz. Its ONNX file takes ``input`` float32
(B, 64 + 512), the last 64 samples of the window before and the window itself, ``state`` float32 (2, B, 128) and
``sr`` int64 (); it gives ``output`` (B, 1), the probability of speech, and the next ``state``. The network is slow
to hear recordings below -50 dBFS: level them first (`agent.listening.level`).

Measured on one core: 0.13 ms a window, 0.04 s to load, 26 MB of memory, 4 KiB a stream.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

from agent.audio import EAR_RATE, F32
from agent.engines.catalogue import Catalogue
from agent.engines.onnx import session
from agent.engines.protocols import VadStream
from agent.errors import EngineError

WINDOW = 512
"""Samples at EAR_RATE that one call takes: 32 ms. The model was trained on this size and no other."""
CONTEXT = 64
"""Samples of the window before that the model sees again."""
_STATE = (2, 1, 128)
_RATE = np.array(EAR_RATE, np.int64)


class Silero:
    """The model's session, shared by all participants of the process.

    :param threads: cores for one call; more than one makes these small layers slower.
    :param model: an ONNX file to use in place of the catalogue's.
    :raises ModelMissing: if the model is not on this machine.
    :raises EngineError: if the file is not a Silero model.
    """

    window = WINDOW

    def __init__(self, *, threads: int = 1, model: Path | None = None) -> None:
        path = model or Catalogue.load().file("silero-vad", "silero_vad.onnx")
        self._session = session("silero", path, threads)
        inputs = {entry.name for entry in self._session.get_inputs()}
        if inputs != {"input", "state", "sr"}:
            raise EngineError(
                "silero", "load", f"{path} takes {sorted(inputs)}, not input, state, sr; use silero-vad v5 or v6"
            )

    def stream(self) -> VadStream:
        """A fresh state for one participant."""
        return _Stream(self._session)


class _Stream:
    """The state and context of one participant; not for two threads at once."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self._state = np.zeros(_STATE, np.float32)
        self._input = np.zeros((1, CONTEXT + WINDOW), np.float32)

    def __call__(self, window: F32) -> float:
        """Float32 (WINDOW,) at EAR_RATE to the probability of speech, 0..1.

        :raises EngineError: if the window has another length.
        """
        if window.shape != (WINDOW,):
            raise EngineError("silero", "window", f"got shape {window.shape}; give ({WINDOW},) at {EAR_RATE} Hz")
        self._input[0, :CONTEXT] = self._input[0, WINDOW:]
        self._input[0, CONTEXT:] = window
        feed = {"input": self._input, "state": self._state, "sr": _RATE}
        output, self._state = self._session.run(None, feed)
        return float(output[0, 0])
