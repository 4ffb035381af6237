"""Who joins which room, and as whom: what a request asks for, held against what its key or token grants.

A key may join any room under any name. A token made for a room joins that room and no other, under the token's name if
it has one; a token made for no room makes calls of one's own. A listener's token hears a room and says nothing in it.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from aiohttp import web

from agent.errors import SignalingError
from signaling.door import GRANT
from signaling.names import person_name, room_name
from signaling.tokens import Grant
from signaling.workers import ALONE, Seat

SEAT = "Antiphon-Seat"
"""header by which the process that callers reach tells the one that holds the room"""


def seat_of(request: web.Request, named: str | None = None) -> Seat:
    """The seat that a request is to get.

    :param named: the room, where the path says it; else it is ``?room=``, or the token's, or a call of one's own.
    :raises SignalingError: 400 for what can be no room's name, 403 for a room that is not the token's, or for a
        listener with nobody to listen to.
    """
    grant = request[GRANT]
    asked = request.query.get("room") if named is None else named
    room = grant.room if asked is None else room_name(asked)
    admit(grant, room)
    if grant.role == "listen" and not room:
        raise SignalingError(
            403, "This token is for listening, and in a call of one's own there is nobody else.", code="listen_only"
        )
    return Seat(room, person_name(grant.name or request.query.get("name", "")), grant.role)


def admit(grant: Grant, room: str) -> None:
    """Whether this is a room of the bearer's.

    :raises SignalingError: 403 if it is another one.
    """
    if grant.server or grant.room == room:
        return
    theirs = f"for the room {grant.room}" if grant.room else "for calls of one's own; a room wants an invitation"
    raise SignalingError(403, f"This token is {theirs}.", code="wrong_room", param="room")


def refuse_rooms(request: web.Request) -> None:
    """Refuse who wants a room, or may only be in one, where there are only calls of one's own.

    :raises SignalingError: 400 or 403.
    """
    if seat_of(request).room:
        raise SignalingError(
            400,
            "Rooms are joined over WebRTC: POST an offer to /v1/realtime/calls?room=….",
            code="room_wants_webrtc",
            param="room",
        )


def refuse_listeners(grant: Grant) -> None:
    """Refuse a listener what asks for more than to listen.

    :raises SignalingError: 403.
    """
    if grant.role == "listen":
        raise SignalingError(403, "This token is for listening only.", code="listen_only")


def told(seat: Seat) -> str:
    """As the header `SEAT` says it, in ASCII."""
    return json.dumps(asdict(seat))


def seat_told(request: web.Request) -> Seat:
    """What the header says; only another process of ours is asked so."""
    said = request.headers.get(SEAT)
    return Seat(**json.loads(said)) if said else ALONE
