"""What of a microphone's sound is speech, and what is the room it stands in: by level, at next to no cost."""

from __future__ import annotations

import numpy as np

from agent.audio import I16, WIRE_RATE

HANG_S = 1.0
"""After what is louder than noise, so much noise is heard as well: pauses between words stay as they are."""
SILENT = 10.0
"""RMS, -70 dBFS: never heard"""
QUIET_LEAST, QUIET_MOST = 33.0, 184.0
"""RMS, -60 and -45 dBFS: below the one all is noise, above the other nothing"""
ABOVE = 2.0
"""6 dB above the floor, noise ends."""
RISE_S = 0.5
"""in which the floor rises by 2 dB while it is not reached; it falls at once"""


class NoiseFloor:
    """One microphone's."""

    def __init__(self) -> None:
        self._floor = QUIET_MOST / ABOVE
        self._hang_s = 0.0
        self.spoken = False
        """what came last was no noise"""

    def audible(self, pcm: I16) -> bool:
        """Take int16 (n,) at WIRE_RATE, in order; whether others should hear it."""
        level, length_s = rms(pcm), len(pcm) / WIRE_RATE
        self._floor = max(QUIET_LEAST / ABOVE, min(level, self._floor * 10 ** (0.1 * length_s / RISE_S)))
        self.spoken = level > self._quiet
        self._hang_s = HANG_S if self.spoken else max(0.0, self._hang_s - length_s)
        return self.spoken or (self._hang_s > 0.0 and level > SILENT)

    def pass_by(self, samples: int) -> None:
        """So much at WIRE_RATE was not heard."""
        self._hang_s = max(0.0, self._hang_s - samples / WIRE_RATE)

    def is_noise(self, pcm: I16) -> bool:
        """Whether nobody would miss int16 (n,)."""
        return rms(pcm) <= self._quiet

    @property
    def _quiet(self) -> float:
        return min(QUIET_MOST, ABOVE * self._floor)


def rms(pcm: I16) -> float:
    """The level of int16 (n,), 0..32768."""
    wave = pcm.astype(np.float32)
    return float(np.sqrt(np.dot(wave, wave) / len(wave)))
