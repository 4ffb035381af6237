"""Which of several processes a caller lands in: where the room's people are, else where there are the fewest calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SignalingError
from agent.settings import load
from signaling.calls import CALL_ID
from signaling.processes import CallProcess, Processes
from signaling.rooms import SEAT
from signaling.workers import ALONE, Seat

SETTINGS = load(None, server={"processes": 3}, room={"capacity": 3})
KITCHEN = Seat("kitchen", "Jürgen 🎈", "listen")


class Scripted(CallProcess):
    """A process that takes every call, once it is open."""

    def __init__(self, number: int, ended: Callable[[str], None]) -> None:
        super().__init__(number, ended)
        self.ready = True
        self.open = asyncio.Event()
        self.open.set()
        self.refuses = False
        self.seats: dict[str, Any] = {}

    async def ask(self, method: str, path: str, **given: Any) -> tuple[int, bytes]:
        await self.open.wait()
        if self.refuses:
            return 400, json.dumps(SignalingError(400, "No.", code="invalid_offer").body()).encode()
        self.seats[given["headers"][CALL_ID]] = json.loads(given["headers"][SEAT].encode("ascii"))
        return 201, b"v=0\r\n"

    def end(self, call_id: str) -> None:
        """A call of its own is over."""
        self._told({"ended": call_id})

    def die(self) -> None:
        """All its calls are over."""
        for call_id in list(self.calls):
            self.end(call_id)


class Front(Processes):
    """Three processes that are none."""

    def __init__(self) -> None:
        super().__init__(SETTINGS, config=None, flags={}, verbose=False)
        self.each = [Scripted(number, self._over) for number in (1, 2, 3)]
        self._all = list[CallProcess](self.each)
        self.over: list[str] = []
        self.ended = self.over.append

    async def join(self, call_id: str, seat: Seat = ALONE) -> int:
        """The number of the process in which this caller lands."""
        await self.answer(call_id, "v=0\r\n", extensions=False, session="{}", most_s=0.0, seat=seat)
        return next(each.number for each in self.each if call_id in each.calls)


async def test_people_of_a_room_are_together_and_all_others_where_it_is_empty() -> None:
    front = Front()
    assert [await front.join(f"k{number}", KITCHEN) for number in range(3)] == [1, 1, 1]
    assert [await front.join(f"a{number}") for number in range(4)] == [2, 3, 2, 3]
    assert await front.join("c", Seat("cellar")) == 2
    assert [await front.join("d", Seat("cellar")), await front.join("a5")] == [2, 3]


async def test_a_process_is_told_which_seat() -> None:
    front = Front()
    await front.join("1", KITCHEN)
    await front.join("2")
    assert front.each[0].seats["1"] == {"room": "kitchen", "name": "Jürgen 🎈", "role": "listen"}
    assert front.each[1].seats["2"] == {"room": "", "name": "Guest", "role": "talk"}


async def test_two_who_come_at_once_are_together() -> None:
    front = Front()
    for each in front.each:
        each.open.clear()
    joining = asyncio.gather(front.join("1", KITCHEN), front.join("2", KITCHEN), front.join("3"))
    await asyncio.sleep(0)
    for each in front.each:
        each.open.set()
    assert list(await joining) == [1, 1, 2]


async def test_a_room_that_was_left_may_be_elsewhere_the_next_time() -> None:
    front = Front()
    assert await front.join("1", KITCHEN) == 1
    front.each[0].end("1")
    assert front.over == ["1"]
    assert [await front.join("2"), await front.join("3", KITCHEN), await front.join("4", KITCHEN)] == [1, 2, 2]


async def test_a_full_room_is_refused_before_a_process_is_asked() -> None:
    front = Front()
    for number in range(3):
        await front.join(f"{number}", KITCHEN)
    with pytest.raises(SignalingError) as found:
        await front.join("3", KITCHEN)
    assert (found.value.status, found.value.code) == (403, "room_full")
    assert set(front.each[0].seats) == {"0", "1", "2"}
    front.each[0].end("1")
    assert await front.join("4", KITCHEN) == 1


async def test_who_is_refused_by_the_process_takes_no_seat() -> None:
    front = Front()
    front.each[0].refuses = True
    for number in range(5):
        with pytest.raises(SignalingError, match="No"):
            await front.join(f"{number}", KITCHEN)
    front.each[0].refuses = False
    assert await front.join("5", KITCHEN) == 1


async def test_a_process_that_dies_leaves_its_rooms_to_the_others() -> None:
    front = Front()
    for call_id in ("1", "2"):
        await front.join(call_id, KITCHEN)
    front.each[0].ready = False
    front.each[0].die()
    assert sorted(front.over) == ["1", "2"]
    assert [await front.join(f"{number}", KITCHEN) for number in (3, 4, 5)] == [2, 2, 2]


@given(st.lists(st.tuples(st.sampled_from("0123456789abcdef"), st.sampled_from(["", "x", "y", "z"])), max_size=60))
def test_no_room_is_ever_in_two_processes(steps: list[tuple[str, str]]) -> None:
    """Whoever is there leaves, and whoever is not comes."""

    async def tried() -> None:
        front, inside = Front(), dict[str, str]()
        for call_id, room in steps:
            if call_id in inside:
                del inside[call_id]
                next(each for each in front.each if call_id in each.calls).end(call_id)
            elif not room or list(inside.values()).count(room) < 3:
                inside[call_id] = room
                await front.join(call_id, Seat(room))
            for name in set(inside.values()) - {""}:
                people = {call for call, seat in inside.items() if seat == name}
                assert [each.calls & people for each in front.each].count(set()) == 2
        assert set().union(*(each.calls for each in front.each)) == set(inside)

    asyncio.run(tried())
