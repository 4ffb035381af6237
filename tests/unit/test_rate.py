"""How many events a client may send in a second, and what becomes of those over it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.realtime.rate import SOUND_BYTES, Allowance, Rate
from agent.settings import LimitsSettings, Settings
from tests.sessions import Line, nobody, read, served, session

UPDATE = json.dumps({"type": "session.update", "session": {}})
USUAL = Settings()
TEN = Settings(limits=LimitsSettings(events_per_s=10))
LIGHT = Settings(limits=LimitsSettings(event_bytes_per_s=100_000))


def test_a_burst_passes_and_then_so_many_a_second() -> None:
    rate = Rate(10, 20)
    assert sum(rate.admits(5.0) for _ in range(50)) == 20
    assert sum(rate.admits(5.0 + n / 100) for n in range(1, 101)) == 10
    assert sum(rate.admits(60.0) for _ in range(50)) == 20


def test_without_a_rate_all_pass() -> None:
    rate = Rate(0, 0)
    assert all(rate.admits(0.0) for _ in range(10_000))


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 200)), max_size=300), st.integers(1, 50))
def test_no_stretch_of_time_lets_more_pass_than_its_share(sent: list[tuple[float, float]], per_s: int) -> None:
    rate, now, passed = Rate(per_s, 2 * per_s), 0.0, []
    for wait, weight in sent:
        now += wait
        if rate.admits(now, weight):
            passed.append((now, weight))
    for first, (began, _) in enumerate(passed):
        weighed = 0.0
        for ended, weight in passed[first:]:
            weighed += weight
            assert weighed <= 2 * per_s + (ended - began) * per_s + 1e-6


class Timed(Line):
    """Messages that come at given times, by the loop's clock."""

    def __init__(self, script: list[tuple[float, int]], message: str = UPDATE, *, plays_itself: bool = False) -> None:
        super().__init__(())
        self._script = script
        self._message = message
        self.plays_itself = plays_itself
        self.now = 0.0

    async def messages(self) -> AsyncIterator[str]:
        for at, count in self._script:
            self.now = at
            for _ in range(count):
                yield self._message


async def told(line: Timed, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a client on this line hears."""
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: line.now)
    await served(session(settings), line, nobody())
    return [read(text) for text in line.sent][1:]


async def test_what_is_over_the_rate_is_dropped_and_said_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Timed([(100.0, 25), (100.5, 30), (101.25, 30), (200.0, 5)])
    events = await told(line, TEN, monkeypatch)
    kinds = ["x" if event["type"] == "error" else "." for event in events]
    # 20 at once, 5 in the half second, 7 more, and 5 after a pause
    assert "".join(kinds) == "." * 20 + "x" + "." * 12 + "x" + "." * 5
    error = next(event["error"] for event in events if event["type"] == "error")
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert "More than 10 events or 2000000 bytes a second" in error["message"]


def update(size: int, **more: str) -> str:
    """A `session.update` of so many bytes, in which nothing is changed."""
    event = {"type": "session.update", "session": {}, **more, "padding": ""}
    return json.dumps({**event, "padding": "x" * (size - len(json.dumps(event)))})


async def test_large_events_are_dropped_where_small_ones_would_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Timed([(100.0, 30), (100.5, 30), (200.0, 1)], update(20_000))
    kinds = ["x" if event["type"] == "error" else "." for event in await told(line, LIGHT, monkeypatch)]
    assert "".join(kinds) == "." * 10 + "x" + ".." + "."  # 200 kB at once, 50 more in half a second


async def test_events_of_the_most_that_a_channel_carries_are_weighed_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = Timed([(100.0 + n / 200, 1) for n in range(400)], update(256 << 10))
    events = await told(line, USUAL, monkeypatch)
    assert sum(event["type"] == "session.updated" for event in events) == 30  # of 400; 8 MB in two seconds


@pytest.mark.parametrize("packet_ms", [10, 20, 100])
async def test_a_microphone_at_ten_times_its_speed_is_never_refused(
    packet_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 24 kHz, for a minute, and after ten minutes that came at once."""
    audio = base64.b64encode(bytes(48 * packet_ms)).decode()
    append = json.dumps({"event_id": "event_0123456789", "type": "input_audio_buffer.append", "audio": audio})
    every_s = packet_ms / 1000 / 10
    line = Timed([(100.0 + n * every_s, 1) for n in range(round(60 / every_s))], append, plays_itself=True)
    allowance = Allowance(200, USUAL.limits.event_bytes_per_s)
    assert allowance.sound(100.0, 600 * 64_000)
    assert all(allowance.sound(at, len(append)) for at, _ in line._script)


async def test_sound_that_is_over_its_weight_is_dropped_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = base64.b64encode(bytes(15 << 20)).decode()
    append = json.dumps({"type": "input_audio_buffer.append", "audio": audio})
    line = Timed([(100.0, 3)], append, plays_itself=True)
    events = await told(line, USUAL, monkeypatch)
    assert [event["error"]["code"] for event in events] == ["rate_limit_exceeded"]
    assert 1 < SOUND_BYTES / len(append) < 3


async def test_an_event_that_only_looks_like_sound_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Timed([(100.0, 30)], update(200, event_id="input_audio_buffer.append"), plays_itself=True)
    events = await told(line, TEN, monkeypatch)
    assert sum(event["type"] == "session.updated" for event in events) == 20
    assert [event["error"]["code"] for event in events[20:]] == ["rate_limit_exceeded"]
