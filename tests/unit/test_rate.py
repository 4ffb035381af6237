"""How many events a client may send in a second, and what becomes of those over it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.realtime.rate import Rate
from agent.settings import LimitsSettings, Settings
from tests.sessions import Line, nobody, read, session

UPDATE = json.dumps({"type": "session.update", "session": {}})
TEN = Settings(limits=LimitsSettings(events_per_s=10))


def test_a_burst_passes_and_then_so_many_a_second() -> None:
    rate = Rate(10, 20)
    assert sum(rate.admits(5.0) for _ in range(50)) == 20
    assert sum(rate.admits(5.0 + n / 100) for n in range(1, 101)) == 10
    assert sum(rate.admits(60.0) for _ in range(50)) == 20


def test_without_a_rate_all_pass() -> None:
    rate = Rate(0, 0)
    assert all(rate.admits(0.0) for _ in range(10_000))


@given(st.lists(st.floats(0, 3), max_size=300), st.integers(1, 50))
def test_no_stretch_of_time_lets_more_pass_than_its_share(waits: list[float], per_s: int) -> None:
    rate, now, passed = Rate(per_s, 2 * per_s), 0.0, []
    for wait in waits:
        now += wait
        if rate.admits(now):
            passed.append(now)
    for first, began in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= 2 * per_s + (passed[last] - began) * per_s + 1e-6


class Timed(Line):
    """Messages that come at given times, by the loop's clock."""

    def __init__(self, script: list[tuple[float, int]]) -> None:
        super().__init__(())
        self._script = script
        self.now = 0.0

    async def messages(self) -> AsyncIterator[str]:
        for at, count in self._script:
            self.now = at
            for _ in range(count):
                yield UPDATE


async def test_what_is_over_the_rate_is_dropped_and_said_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Timed([(100.0, 25), (100.5, 30), (101.25, 30), (200.0, 5)])
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: line.now)
    await session(line, TEN).run(*nobody())
    told = [read(text) for text in line.sent]
    kinds = ["x" if event["type"] == "error" else "." for event in told[1:]]
    # 20 at once, 5 in the half second, 7 more, and 5 after a pause
    assert "".join(kinds) == "." * 20 + "x" + "." * 12 + "x" + "." * 5
    error = next(event["error"] for event in told if event["type"] == "error")
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert "10 events a second" in error["message"]
