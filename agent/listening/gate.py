"""Lets the voice activity detector rest while a line carries nothing but a quiet room.

A detector's run costs 0.1 ms when it is warm, but 0.6 ms once every 32 ms on a core that was idle: two per cent of a
core for each silent call. In a room that is quiet and steady there is nothing to detect. The first window that
stands out wakes the detector, which first hears what it slept through, so that its state is as if it had not.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from agent.audio import F32
from agent.engines.protocols import VadStream

QUIET_DBFS = -60.0
"""Louder than this, nothing is called silence here, whatever the floor."""
RISE_DB = 3.0
"""Above the floor; windows of steady noise differ by 1 dB, and speech stands out by 10 and more."""
AWAKE_WINDOWS = 32
"""1 s without anything of note, after which the detector may rest."""
RECALL_WINDOWS = 8
"""256 ms that a waking detector hears again: more than the padding of an utterance needs of its state."""
FLOOR_WINDOWS = 64
"""2 s, over which the floor is the least level."""


class Gate:
    """One participant's detector, asleep in silence.

    :param vad: the detector; `rested` counts the windows that it did not have to hear.
    """

    def __init__(self, vad: VadStream) -> None:
        self._vad = vad
        self._levels: deque[float] = deque(maxlen=FLOOR_WINDOWS)
        self._missed: deque[F32] = deque(maxlen=RECALL_WINDOWS)
        self._dull = 0
        self.rested = 0
        """windows that the detector did not hear when they came"""

    def __call__(self, raw: F32, levelled: F32) -> float:
        """The probability of speech in a window.

        :param raw: float32 (n,) as it came, by which it is decided whether it stands out.
        :param levelled: the same at the level that the detector hears best.
        """
        if self._stands_out(raw):
            self._dull = 0
        if self._dull >= AWAKE_WINDOWS:
            self.rested += 1
            self._missed.append(levelled)
            return 0.0
        while self._missed:
            self._vad(self._missed.popleft())
        self._dull += 1
        probability = self._vad(levelled)
        if probability >= 0.1:
            self._dull = 0
        return probability

    def _stands_out(self, window: F32) -> bool:
        power = float(np.dot(window, window)) / len(window)
        level = 10.0 * math.log10(power) if power > 0.0 else -math.inf
        self._levels.append(level)
        return level > QUIET_DBFS or level > min(self._levels) + RISE_DB
