"""What a room tells those of its people who asked for `antiphon.*` events: who is there, and whose words are whose."""

from __future__ import annotations

from typing import Literal

from agent.realtime.wire import ServerEvent, Wire


class RoomPerson(Wire):
    """Somebody in a room. Names are text, and never markup."""

    id: str
    """``person_…``; the same person has it again who drops and comes back"""
    name: str
    """at most 40 characters, on one line"""
    role: Literal["talk", "listen"]
    """listen: hears everybody, and may neither speak nor ask"""
    muted: bool
    """nothing is heard of this person, by their own wish"""
    speaking: bool
    here: bool
    """False while the line is lost; the person may come back"""


class RoomState(ServerEvent):
    """The whole of a room, to one client: when its session has begun, and again when it has come back."""

    type: Literal["antiphon.room.state"] = "antiphon.room.state"
    room: str
    policy: str
    """whom the agent answers: ``one_to_one``, ``addressed``, ``moderated``, ``scribe``"""
    agent: str
    """the agent's name"""
    you: str
    """the id of the person whose client this is"""
    people: list[RoomPerson]
    capacity: int
    """people that have a place, those who are here included"""
    recording: bool


class RoomJoined(ServerEvent):
    """Somebody came in."""

    type: Literal["antiphon.room.joined"] = "antiphon.room.joined"
    person: RoomPerson


class RoomLeft(ServerEvent):
    """Somebody has left, and does not come back as the same person."""

    type: Literal["antiphon.room.left"] = "antiphon.room.left"
    person_id: str
    reason: str


class RoomChanged(ServerEvent):
    """Somebody speaks or stops, is muted or not, is away or back, or has another name."""

    type: Literal["antiphon.room.changed"] = "antiphon.room.changed"
    person: RoomPerson


class RoomTurn(ServerEvent):
    """Whose turn an item is; comes before anything else about it. An item without one is the agent's."""

    type: Literal["antiphon.room.turn"] = "antiphon.room.turn"
    item_id: str
    person_id: str


class RoomRecording(ServerEvent):
    """From now on the room is recorded, or is no more."""

    type: Literal["antiphon.room.recording"] = "antiphon.room.recording"
    on: bool


ROOM_EVENTS: tuple[type[ServerEvent], ...] = (
    RoomState, RoomJoined, RoomLeft, RoomChanged, RoomTurn, RoomRecording,
)  # fmt: skip
"""Every event above."""
