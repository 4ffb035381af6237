"""A flood of joins: who is in the room neither hears of it nor waits for it, and its seats come back."""

from __future__ import annotations

import asyncio

import pytest

from agent.caller import Caller, trimmed
from agent.errors import SignalingError
from bench.flood import flood, offer
from bench.speech import spoken
from tests.people import models_missing
from tests.roommates import rooms, together, until

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

CAPACITY = 4
SOON = {"connect_s": 1.0, "reconnect_s": 0.0}
TIME = trimmed(spoken("Antiphon, what time is it?").pcm)


async def test_callers_who_never_come_take_no_seat_for_long_and_nobody_is_told() -> None:
    async with rooms(capacity=CAPACITY, limits=SOON) as (url, worker, llm), together(url, "Ann", "Ben") as (ann, ben):
        body = ("application/sdp", (await offer()).encode())
        flooding = asyncio.ensure_future(flood(url, [body] * 300, "?room=kitchen&name=Nobody"))
        ended = await ann.say(TIME)
        await ann.hears(ended, within_s=10.0)
        await ben.hears(ended, within_s=10.0)
        statuses = await flooding
        assert set(statuses) == {201, 403}
        assert statuses[403] > statuses[201], "more got in than there are seats"
        assert len(llm.requests) == 1
        async with asyncio.timeout(10.0):
            while len(worker._rooms.calls) > 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert [event["person"]["name"] for event in ann.of("antiphon.room.joined")] == ["Ben"]
        assert not ann.of("antiphon.room.left")
        async with Caller(url, room="kitchen", name="Cleo") as cleo:
            state = await until(cleo, "antiphon.room.state")
            assert [person["name"] for person in state["people"]] == ["Ann", "Ben", "Cleo"]


async def test_many_who_come_and_go_at_once_are_each_told_of_once() -> None:
    async with rooms(capacity=CAPACITY, limits=SOON) as (url, _, _), together(url, "Ann", "Ben") as (ann, ben):

        async def passes(number: int) -> bool:
            try:
                async with Caller(url, room="kitchen", name=f"Passer {number}"):
                    return True
            except SignalingError as error:
                assert "as many as it may" in str(error)
                return False

        came = sum(await asyncio.gather(*(passes(number) for number in range(12))))
        assert came >= CAPACITY - 2
        async with asyncio.timeout(10.0):
            while len(ann.of("antiphon.room.left")) < came:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        joined = [event["person"]["id"] for event in ann.of("antiphon.room.joined")][1:]
        assert len(set(joined)) == len(joined) == came
        assert sorted(joined) == sorted(event["person_id"] for event in ann.of("antiphon.room.left"))
        ended = await ben.say(TIME)
        await ann.hears(ended, within_s=10.0)
