"""The 20 ms tick that carries the voices of a room."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from agent.audio import TICK_S
from agent.outlets import Outlets
from agent.speaking.playout import Playout

REST_TICKS = 20
"""How long the tick sleeps at most while all is silent: a client hears of us every 400 ms."""
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
        self._resting = False
        self._watch = watch
        self._overrun = overrun

    def wake(self) -> None:
        """Somebody is to be heard who was silent."""
        if self._resting:
            self._playout.wake()

    async def run(self) -> None:
        """Every 20 ms, by absolute deadlines: play what there is to play.

        The first speech of a reply does not wait for its tick: the tick comes to it, and what the stream is ahead by
        then is given back in the next silence, a tick at a time. In a long silence there is no tick at all.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        ahead_s = 0.0
        count = 0
        while True:
            while (
                not self._outlets.anybody
            ):  # nothing is said to nobody: it goes on where it was when somebody is there again
                await asyncio.sleep(TICK_S)
                due, ahead_s = loop.time(), 0.0
            frame = self._playout.read()
            self._outlets.play(frame)
            count += 1
            if count % WATCH_TICKS == 0:
                self._watch()
            due += TICK_S
            if self._playout.silent and self._outlets.resting:
                ahead_s, due = await self._rest(ahead_s, due)
                continue
            if ahead_s >= TICK_S and not frame.any():
                ahead_s -= TICK_S
                due += TICK_S
            late = loop.time() - due
            if late > TICK_S:
                self._overrun()
                due += late - TICK_S  # one frame is caught up on; the rest is time that has passed
            if await self._woken(due):
                ahead_s += due - loop.time()
                due = loop.time()

    async def _rest(self, ahead_s: float, due: float) -> tuple[float, float]:
        """Sleep until there is speech, or a sign of life to be sent; how far the stream is ahead, and the next tick."""
        self._resting = True
        early = await self._woken(due + REST_TICKS * TICK_S)
        self._resting = False
        now = asyncio.get_running_loop().time()
        passed = max(0, math.ceil((now - due) / TICK_S))  # so that the stream is not behind
        back = min(passed, int(ahead_s / TICK_S))
        self._outlets.rest(passed - back)
        ahead_s += passed * TICK_S - (now - due) - back * TICK_S if early else -back * TICK_S
        self._watch()
        return ahead_s, now if early else due + passed * TICK_S

    async def _woken(self, due: float) -> bool:
        """Wait until then; true if a reply's first speech came before."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[bool] = loop.create_future()

        def end(early: bool) -> None:
            if not waiting.done():
                waiting.set_result(early)

        timer = loop.call_at(due, end, False)

        def come_early() -> None:
            if not self._outlets.even or self._resting:
                end(True)

        self._playout.wake = come_early
        try:
            return await waiting
        finally:
            timer.cancel()
