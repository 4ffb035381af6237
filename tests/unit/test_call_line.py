"""A line goes on over another peer connection: the time between is silence, at whatever rate the sound has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from agent.audio import EAR_RATE, WIRE_RATE, AudioChunk
from agent.transports.line import CallLine

AWAY_S = 0.1


class Connection:
    """As much of a peer connection as a line sees of its sound."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.connected = asyncio.Event()
        self.connected.set()
        self.microphone = SimpleNamespace(lost=0)
        self._ended = asyncio.Event()
        self.put_ticks: list[tuple[bytes | None, int]] = []

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        frame = self.rate // 50
        for n in range(3):
            yield AudioChunk(np.zeros(frame, np.int16), n * frame)
        await self._ended.wait()

    def put(self, payload: bytes | None, ticks: int = 1) -> None:
        self.put_ticks.append((payload, ticks))

    def hang_up(self, reason: str) -> None:
        self._ended.set()

    async def close(self, reason: str) -> None:
        self._ended.set()


@pytest.mark.parametrize("rate", [EAR_RATE, WIRE_RATE])
async def test_the_time_between_two_connections_is_a_jump_at_the_lines_own_rate(rate: int) -> None:
    first, second = Connection(rate), Connection(rate)
    line = CallLine(cast("Any", first))
    assert line.rate == rate
    heard: list[AudioChunk] = []
    all_heard = asyncio.Event()

    async def listen() -> None:
        async for chunk in line.chunks():
            heard.append(chunk)
            if len(heard) == 6:
                all_heard.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(listen())
        await asyncio.sleep(AWAY_S)
        line.put(b"one")
        assert await line.switch(cast("Any", second), 1.0)
        line.put(None, 20)
        await all_heard.wait()
        line.hang_up("over")
    jump = heard[3].pts - heard[2].pts - len(heard[2].pcm)
    assert AWAY_S <= jump / rate < AWAY_S + 1.0
    assert [heard[n + 1].pts - heard[n].pts for n in (0, 1, 3, 4)] == [rate // 50] * 4
    assert (first.put_ticks, second.put_ticks) == ([(b"one", 1)], [(None, 20)])
