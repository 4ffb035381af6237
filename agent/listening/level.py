"""Brings a quiet microphone up to the level that a voice activity detector was trained on.

Some people are recorded at -65 dBFS, and noise lies there too. What tells them apart is not the level but its
movement: speech stands out of its pauses, steady noise does not. So the noise floor is the
least of the last 2 s of window levels (minimum statistics, after R. Martin, IEEE Trans. Speech Audio Proc. 9(5),
2001, without his bias correction), a window counts as a voice only well above it, and the gain is what brings the
loudest recent voice to `TARGET_DBFS`. Without such a window the gain stays at what it was, 0 dB at first. It never
attenuates, and it never lifts the floor above `HIGHEST_FLOOR_DBFS`.

Ten English recordings scaled to a level, then Silero: windows of speech begin later than at their own level by
(median / most), and this much of the speech is found, without and with the leveller:

=======  ======================  ======================
dBFS     without                 with
=======  ======================  ======================
-50      48 / 864 ms, 97 %       0 / 32 ms, 99 %
-65      320 / 9760 ms, 81 %     0 / 32 ms, 98 %
-75      4 of 10 missed, 48 %    32 / 96 ms, 95 %
=======  ======================  ======================

No false start comes with it that was not there before on steady noise of -80 to -20 dBFS, bursts of noise, clicks,
dishes, a keyboard, an exercise bike or digital silence. For the ear of the detector alone: the recogniser
normalises by itself.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from agent.audio import F32

TARGET_DBFS = -26.0
"""level of a loud voiced window after the gain; ordinary calls lie between -30 and -15"""
MOST_DB = 40.0
"""largest gain"""
VOICE_ABOVE_FLOOR_DB = 10.0
"""how far above the floor a window must be; steady noise moves by 1 dB between windows"""
HIGHEST_FLOOR_DBFS = -50.0
"""where the gain may bring the noise floor to; Silero takes white noise there for what it is"""
LOWEST_FLOOR_DBFS = -90.0
"""digital silence counts as this much noise, so that the last bit's toggling is no voice"""
FALL_DB_PER_WINDOW = 0.3
"""how fast a loud voice is forgotten while a quieter one speaks; 9 dB/s"""
FLOOR_WINDOWS = 64
"""windows of 32 ms over which the floor is the least: longer than a phrase without a pause"""


class Leveller:
    """The gain of one participant; windows go in, louder windows come out. 4 us a window."""

    def __init__(self) -> None:
        self._levels: deque[float] = deque(maxlen=FLOOR_WINDOWS)
        self._voice: float | None = None
        self._gain = 1.0
        self.fallen_db = 0.0
        """how far the last window lies below the loudest recent voice; 0 before there was one"""

    @property
    def gain_db(self) -> float:
        """The present gain."""
        return 20.0 * math.log10(self._gain)

    def __call__(self, window: F32) -> F32:
        """Float32 (n,) in [-1, 1] to the same, louder; the gain changes along the window, without a step."""
        level = self._level(window)
        self._levels.append(level)
        floor = max(min(self._levels), LOWEST_FLOOR_DBFS)
        if level > floor + VOICE_ABOVE_FLOOR_DB:
            fallen = level if self._voice is None else self._voice - FALL_DB_PER_WINDOW
            self._voice = max(level, fallen)
        self.fallen_db = 0.0 if self._voice is None else self._voice - level
        before, self._gain = self._gain, self._wanted(floor)
        if before == self._gain == 1.0:
            return window
        ramp = np.linspace(before, self._gain, len(window), dtype=np.float32)
        louder: F32 = np.clip(window * ramp, -1.0, 1.0)
        return louder

    def _wanted(self, floor: float) -> float:
        """The gain, as a factor, for this floor and the voice heard so far."""
        if self._voice is None:
            return 1.0
        gain_db = min(TARGET_DBFS - self._voice, HIGHEST_FLOOR_DBFS - floor, MOST_DB)
        return float(10.0 ** (max(gain_db, 0.0) / 20.0))

    @staticmethod
    def _level(window: F32) -> float:
        """RMS in dBFS; LOWEST_FLOOR_DBFS at least."""
        power = float(np.dot(window, window)) / max(len(window), 1)
        return max(10.0 * math.log10(power), LOWEST_FLOOR_DBFS) if power > 0.0 else LOWEST_FLOOR_DBFS
