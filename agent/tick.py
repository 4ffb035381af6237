"""The 20 ms tick that carries the voices of a room."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress

from agent.audio import TICK_S
from agent.outlets import Outlets
from agent.speaking.playout import Playout

REST_TICKS = 20
"""How long the tick sleeps at most while all is silent: a client hears of us every 400 ms."""
EARLY_S = TICK_S / 2
"""With the lateness of a busy machine, less than a tick."""
WATCH_TICKS = 5
"""Captions follow the voice, and the watchdog looks, every 100 ms."""


class Tick:
    """One room's.

    :param outlets: who hears it.
    :param watch: called every `WATCH_TICKS`.
    :param overrun: called when a tick came too late.
    """

    def __init__(
        self,
        playout: Playout,
        outlets: Outlets,
        watch: Callable[[], None],
        overrun: Callable[[], None],
    ) -> None:
        self._playout = playout
        self._outlets = outlets
        self._woken = asyncio.Event()
        playout.wake = self._woken.set
        self._watch = watch
        self._overrun = overrun

    def wake(self) -> None:
        """Somebody is to be heard who was silent."""
        self._woken.set()

    async def run(self) -> None:
        """Every 20 ms, by absolute deadlines: play what there is to play. In a long silence there is no tick at all.

        The first speech after it comes up to `EARLY_S` before its tick, and all other sound at its own: a browser's
        jitter buffer grows by what is late by more than a tick compared with the earliest, and is slow to shrink again.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        count = 0
        while True:
            while (
                not self._outlets.anybody
            ):  # nothing is said to nobody: it goes on where it was when somebody is there again
                await asyncio.sleep(TICK_S)
                due = loop.time()
            frame = self._playout.read()
            self._outlets.play(frame)
            count += 1
            if count % WATCH_TICKS == 0:
                self._watch()
            due += TICK_S
            if self._playout.silent and self._outlets.resting:
                due = await self._rest(due)
                continue
            late = loop.time() - due
            if late > TICK_S:
                self._overrun()
                due += late - TICK_S  # one frame is caught up on; the rest is time that has passed
            await asyncio.sleep(due - loop.time())

    async def _rest(self, due: float) -> float:
        """Sleep until there is speech, or a sign of life to be sent; when the next tick is due."""
        loop = asyncio.get_running_loop()
        self._woken.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due + REST_TICKS * TICK_S):
                await self._woken.wait()
        passed = max(0, math.ceil((loop.time() - due) / TICK_S))
        self._outlets.rest(passed)
        self._watch()
        due += passed * TICK_S
        await asyncio.sleep(due - EARLY_S - loop.time())
        return due
