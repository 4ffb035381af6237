"""Tells the person at the microphone from the room behind: by level, once the person's own is known.

Used while the agent speaks: a television or a conversation in the background is speech to any voice activity
detector, and must not interrupt. Levels of windows of 32 ms; a voice's loudest windows lie within a few dB from one
sentence to the next, people across a room 15 dB below (inverse square: six times the distance).
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from agent.audio import F32

BELOW_DB = 11.0
"""so far below the person's own level a sound is somebody else's"""
VOICED = 0.5
"""probability of speech from which a window counts for the person's level"""
QUANTILE = 0.75
KEPT_WINDOWS = 300
"""10 s of speech that the level is taken from"""
FEWEST_WINDOWS = 15
"""0.5 s of speech before anything is judged"""
LOOK_WINDOWS = 4
"""the loudest of so many recent windows is what is compared"""


class Nearness:
    """One participant's own level."""

    def __init__(self) -> None:
        self._own: deque[float] = deque(maxlen=KEPT_WINDOWS)
        self._recent: deque[float] = deque(maxlen=LOOK_WINDOWS)
        self._learnt = 0
        self._limit = -math.inf

    def __call__(self, window: F32, probability: float, *, learn: bool) -> bool:
        """Whether a window can be the person's own voice.

        :param window: float32 (n,) in [-1, 1], as it came.
        :param learn: the person has the floor, so what is speech is theirs.
        """
        power = float(np.dot(window, window)) / len(window)
        level = 10.0 * math.log10(power) if power > 0.0 else -120.0
        self._recent.append(level)
        if learn and probability >= VOICED:
            self._own.append(level)
            self._learnt += 1
            if self._learnt % FEWEST_WINDOWS == 0:
                self._limit = float(np.quantile(np.array(self._own), QUANTILE)) - BELOW_DB
        return max(self._recent) >= self._limit
