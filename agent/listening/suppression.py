"""Takes the noise out of one participant's sound before anything listens to it."""

from __future__ import annotations

import numpy as np

from agent.audio import I16
from agent.engines.protocols import NoiseSuppressor


class Suppression:
    """One participant's suppressor, given packets of any length.

    No sample is added and none is lost, so positions in the sound stay what they are: what is no whole frame yet is
    held back, less than a frame, and nothing where packets are multiples of it, as the 20 ms of Opus are.
    """

    def __init__(self, engine: NoiseSuppressor) -> None:
        self._stream = engine.stream()
        self._frame = engine.frame
        self._held: I16 = np.zeros(0, np.int16)

    def __call__(self, pcm: I16) -> I16:
        """Int16 (n,) at EAR_RATE to int16 (m,): what came so far and was not given back yet, in whole frames."""
        heard = np.concatenate([self._held, pcm]) if len(self._held) else pcm
        whole = len(heard) // self._frame * self._frame
        self._held = heard[whole:]
        return self._stream(heard[:whole]) if whole else heard[:0]
