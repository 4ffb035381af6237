"""A recording with questions, found again in what a page heard of it; and from there, the time to each answer.

The browser's noise suppression and gain change a recording on its way, so it is found by the course of its loudness, in
steps of 10 ms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.audio import I16, WIRE_RATE, dbfs
from agent.caller import AUDIBLE_DBFS, NOISE_DBFS, loud_end
from bench.speech import Clip

F64 = NDArray[np.float64]
STEP_MS = 10
STEP = WIRE_RATE * STEP_MS // 1000
LEAD_S, GAP_S = 4.0, 6.0
"""Before the first question, in which the call is set up; after each, for the answer."""
SPEECH_DBFS = (-55.0, -25.0)
"""Between these the course of the loudness is looked at: below is room, above is the browser's gain."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What the microphone hears."""

    pcm: I16
    spans: list[tuple[int, int]]
    """of each question, in steps: where it begins, and the end of its last loud one"""


def recording(clips: list[Clip]) -> Recording:
    """The questions one after the other, in a room that is never quite silent."""
    total = round(LEAD_S * WIRE_RATE) + sum(len(clip.pcm) + round(GAP_S * WIRE_RATE) for clip in clips)
    room = np.random.default_rng(7).standard_normal(total) * 32768 * 10 ** (NOISE_DBFS / 20)
    pcm = room.astype(np.int16)
    at, spans = round(LEAD_S * WIRE_RATE) // STEP * STEP, []
    for clip in clips:
        pcm[at : at + len(clip.pcm)] += clip.pcm
        spans.append((at // STEP, (at + loud_end(clip.pcm)) // STEP))
        at += (len(clip.pcm) + round(GAP_S * WIRE_RATE)) // STEP * STEP
    return Recording(pcm, spans)


def levels(pcm: I16) -> F64:
    """dBFS of each step of int16 (n,) at WIRE_RATE."""
    return np.array([dbfs(pcm[n : n + STEP]) for n in range(0, len(pcm) - STEP + 1, STEP)])


def latencies(said: Recording, microphone: F64, agent: F64) -> list[float | None]:
    """For each question the ms from its end to the agent, by the levels that the page saw, step by step.

    None for one that the page never heard, that got no answer, or that the agent did not wait for.
    """
    heard, wanted = _course(microphone), _course(levels(said.pcm))
    roughly = int(np.correlate(heard, wanted, "full").argmax()) - len(wanted) + 1
    found: list[float | None] = []
    for n, (begins, ends) in enumerate(said.spans):
        shape = wanted[begins - 20 : ends + 20]
        fits = {
            shift: float(heard[begins - 20 + shift :][: len(shape)] @ shape)
            for shift in range(roughly - 15, roughly + 16)
            if begins - 20 + shift >= 0 and begins - 20 + shift + len(shape) <= len(heard)
        }
        if not fits or max(fits.values()) == 0:
            found.append(None)
            continue
        shift = max(fits, key=lambda one: fits[one])
        until = said.spans[n + 1][0] + shift if n + 1 < len(said.spans) else len(agent)
        loud = np.flatnonzero(agent[begins + shift : until] > AUDIBLE_DBFS) + begins + shift
        early = len(loud) == 0 or loud[0] < ends + shift
        found.append(None if early else float(loud[0] - ends - shift) * STEP_MS)
    return found


def _course(level: F64) -> F64:
    low, high = SPEECH_DBFS
    course: F64 = (np.clip(level, low, high) - low) / (high - low)
    return course
