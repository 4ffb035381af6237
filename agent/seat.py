"""Where a caller sits: in which room, under which name, and whether to talk there or only to listen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.errors import SignalingError

Role = Literal["talk", "listen"]


@dataclass(frozen=True, slots=True)
class Seat:
    """As what a call joins; its names have been checked and cleaned by whoever made it (`signaling.names`)."""

    room: str = ""
    """"" for a call of one's own"""
    name: str = "Guest"
    """of the person; two people of a room may have the same"""
    role: Role = "talk"
    """listen: hears everybody, and may neither speak nor ask"""


ALONE = Seat()
"""A call of one's own, of nobody in particular."""


class Seats:
    """Who sits where, from their offer on. Pure.

    :param capacity: people of one room.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._taken: dict[str, Seat] = {}

    def take(self, call_id: str, seat: Seat, away: int = 0) -> None:
        """An offer has come.

        :param away: people of the room whose line is lost; they keep their seats for a while.
        :raises SignalingError: 403 if the room has as many people as it may.
        """
        if seat.room and len(self.people(seat.room)) >= self._capacity:
            when = "soon, for the line of one of them is lost" if away else "when one has left"
            raise SignalingError(
                403,
                f"The room {seat.room} has {self._capacity} people, as many as it may; try again {when}.",
                code="room_full",
                param="room",
            )
        self._taken[call_id] = seat

    def leave(self, call_id: str) -> None:
        """The call is over, or was refused; its seat is free."""
        self._taken.pop(call_id, None)

    def people(self, room: str) -> set[str]:
        """The calls of a named room, by their ids; nobody else is in a call of one's own."""
        return {call_id for call_id, seat in self._taken.items() if room and seat.room == room}
