"""A long sound cut into pieces that a recogniser takes, where nobody is speaking."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from agent.audio import EAR_RATE, F32, I16

Sound = TypeVar("Sound", I16, F32)


def pieces(sound: Sound, longest_s: float) -> list[Sound]:
    """Sound (n,) at EAR_RATE cut into pieces of at most ``longest_s``, where it is quietest; they share its memory.

    A cut lies in the second half of the longest piece possible, in the middle of its quietest 0.2 s.
    """
    longest, tick = int(longest_s * EAR_RATE), EAR_RATE // 50
    found: list[Sound] = []
    while len(sound) > longest:
        half = sound[longest // 2 : longest].astype(np.float32)
        energy = np.square(half[: len(half) // tick * tick]).reshape(-1, tick).mean(axis=1)
        smooth = np.convolve(energy, np.ones(10), mode="valid")
        cut = longest // 2 + (int(smooth.argmin()) + 5) * tick
        found.append(sound[:cut])
        sound = sound[cut:]
    found.append(sound)
    return found
