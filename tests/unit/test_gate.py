"""The gate: the detector rests in a quiet room, and misses nothing by it."""

from __future__ import annotations

import numpy as np

from agent.audio import F32
from agent.listening.gate import AWAKE_WINDOWS, RECALL_WINDOWS, Gate


class Counting:
    """A detector that keeps what it heard."""

    def __init__(self) -> None:
        self.heard: list[float] = []

    def __call__(self, window: F32) -> float:
        self.heard.append(float(window[0]))
        return 0.0


def room(seed: int, dbfs: float = -70.0) -> F32:
    noise = np.random.default_rng(seed).standard_normal(512) * 10 ** (dbfs / 20)
    return noise.astype(np.float32)


def give(gate: Gate, *windows: F32) -> list[float]:
    return [gate(window, window) for window in windows]


def test_a_quiet_room_lets_the_detector_rest_and_digital_silence_too() -> None:
    for windows in ([room(n) for n in range(200)], [np.zeros(512, np.float32)] * 200):
        vad = Counting()
        gate = Gate(vad)
        give(gate, *windows)
        assert len(vad.heard) <= AWAKE_WINDOWS + 2
        assert gate.rested >= 200 - AWAKE_WINDOWS - 2


def test_the_first_window_that_stands_out_is_heard_at_once_after_what_was_missed() -> None:
    vad = Counting()
    gate = Gate(vad)
    windows = [room(n) for n in range(100)]
    give(gate, *windows)
    before = len(vad.heard)
    word = room(7, dbfs=-62.0)
    give(gate, word)
    assert vad.heard[before:] == [float(w[0]) for w in windows[-RECALL_WINDOWS:]] + [float(word[0])]


def test_a_loud_room_is_always_listened_to() -> None:
    vad = Counting()
    give(Gate(vad), *[room(n, dbfs=-50.0) for n in range(200)])
    assert len(vad.heard) == 200
