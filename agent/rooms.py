"""The rooms of one process, and who is in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.errors import no_such_call
from agent.participant import Participant
from agent.room import Room
from agent.seat import Seat, Seats


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call is."""

    room: Room
    person: Participant


class Rooms:
    """Calls by their ids, and rooms by their names.

    :param capacity: people of one room.
    :param ended: told the id of each call that was begun and is over.
    :param sweep: called when a call or a room has left behind what it held.
    """

    def __init__(self, capacity: int, ended: Callable[[str], None], sweep: Callable[[], None]) -> None:
        self._seats = Seats(capacity)
        self._ended = ended
        self._sweep = sweep
        self._places: dict[str, Place] = {}
        self._named: dict[str, Room] = {}
        self._running: set[Room] = set()
        self._one_over = asyncio.Event()

    @property
    def calls(self) -> Mapping[str, Place]:
        """All of them, by their ids."""
        return self._places

    def __len__(self) -> int:
        """Calls in progress."""
        return len(self._places)

    def place(self, call_id: str) -> Place:
        """Where this call is.

        :raises SignalingError: 404 if there is no such call.
        """
        if call_id not in self._places:
            raise no_such_call(call_id)
        return self._places[call_id]

    def find(self, call_id: str) -> Place | None:
        """The same; None if there is no such call."""
        return self._places.get(call_id)

    def enter(self, seat: Seat, person: Participant, make: Callable[[], Room]) -> None:
        """Give somebody a place, in a room that is there or is made.

        :raises SignalingError: 403 if the room is full.
        """
        room = self._named.get(seat.room) if seat.room else None
        away = sum(not other.here for other in room.people) if room else 0
        self._seats.take(person.call_id, seat, away)
        if room is None or room.ending:
            room = make()
        if seat.room:
            self._named[seat.room] = room
        person.name = unlike(person.name, [*room.taken, *(other.name for other in room.people)])
        room.admit(person)
        self._places[person.call_id] = Place(room, person)

    def begin(self, call_id: str, group: asyncio.TaskGroup) -> asyncio.Task[None]:
        """Have the call begin, and the room with it if it is the first; the task is done when the call is over."""
        place = self._places[call_id]
        if place.room not in self._running:
            self._running.add(place.room)
            group.create_task(self._run(place.room), name=f"room of {call_id}")
        return group.create_task(self._attend(place), name=f"call {call_id}")

    def abandon(self, call_id: str) -> None:
        """The call that was given a place does not begin."""
        self._seats.leave(call_id)
        place = self._places.pop(call_id, None)
        if place is not None:
            place.room.dismiss(place.person, "not answered")
            self._forget(place.room)

    async def leave(self, reason: str) -> None:
        """Say goodbye in every room, and end it; returns when all calls are over."""
        for place in self._places.values():
            place.room.leave(reason)
        while self._places:
            self._one_over.clear()
            await self._one_over.wait()

    async def _run(self, room: Room) -> None:
        try:
            await room.run()
        finally:
            self._running.discard(room)
            self._forget(room)
            self._sweep()

    async def _attend(self, place: Place) -> None:
        try:
            await place.room.attend(place.person)
        finally:
            self._places.pop(place.person.call_id, None)
            self._seats.leave(place.person.call_id)
            self._forget(place.room)
            self._one_over.set()
            self._ended(place.person.call_id)
            self._sweep()

    def _forget(self, room: Room) -> None:
        if room.ending and self._named.get(room.name) is room:
            del self._named[room.name]


def unlike(name: str, others: list[str]) -> str:
    """The name, told apart from the others': "Anna 2". A joiner alone tells no two apart: one may not see it."""
    taken = {_plain(other) for other in others}
    if not name or _plain(name) not in taken:
        return name
    return next(f"{name} {n}" for n in range(2, len(others) + 3) if _plain(f"{name} {n}") not in taken)


def _plain(name: str) -> str:
    return name.replace("\u200d", "")
