"""The tick: what it sends keeps its place in the stream, whenever it is woken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import numpy as np

from agent.audio import I16, TICK_S, TICK_SAMPLES
from agent.speaking.playout import Playout
from agent.tick import EARLY_S, REST_TICKS, Tick

SILENCE = np.zeros(TICK_SAMPLES, np.int16)


class Voice:
    """Speaks for three ticks whenever it is told to."""

    def __init__(self) -> None:
        self.left = 0
        self.wake: Callable[[], None] = lambda: None

    @property
    def silent(self) -> bool:
        return self.left == 0

    def speak(self) -> None:
        self.left = 3
        self.wake()

    def read(self) -> I16:
        spoke, self.left = self.left, max(0, self.left - 1)
        return SILENCE + 1 if spoke else SILENCE


class Stream:
    """Where the sound goes: which tick of the stream was sent when."""

    anybody = True

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self.ticks = 0
        self.sent: list[tuple[int, float, bool]] = []
        """number of the tick, `loop.time()`, whether it is speech"""

    @property
    def resting(self) -> bool:
        return self._voice.silent

    def play(self, frame: I16) -> None:
        self.sent.append((self.ticks, asyncio.get_running_loop().time(), bool(frame.any())))
        self.ticks += 1

    def rest(self, ticks: int) -> None:
        self.ticks += ticks

    def flush(self) -> None:
        raise AssertionError("nothing is cut here")


async def test_no_sound_comes_long_before_its_tick_and_only_the_first_after_a_silence_before_it_at_all() -> None:
    voice = Voice()
    stream = Stream(voice)
    tick = Tick(cast("Playout", voice), stream, lambda: None, lambda: None)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(tick.run())
        for pause_s in (0.013, 0.21, 0.1774, 0.333, 0.301, REST_TICKS * TICK_S + 0.055):
            await asyncio.sleep(pause_s)
            voice.speak()
        await asyncio.sleep(0.1)  # its three ticks
        running.cancel()
    began = stream.sent[0][1]
    early = {number: number * TICK_S - (at - began) for number, at, speech in stream.sent if speech}
    assert len(early) == 18
    later = [s for number, s in early.items() if number - 1 in early]
    assert len(later) == 12
    # A busy machine makes ticks late, never early; what was late by more than a tick moves the stream behind the clock.
    assert max(early.values()) <= EARLY_S + 0.002
    assert max(later) <= 0.002
