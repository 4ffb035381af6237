"""`POST /v1/rooms/{room}/invitations`: a token with which somebody else joins a room, and the link that carries it.

Who has a key invites to any room; who has a token of a room, to that room, and grants no more than the own token does:
not for longer, not for longer calls, and as a listener only to listen.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import time

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from agent.errors import SignalingError
from signaling.body import json_of
from signaling.checks import checked
from signaling.door import GRANT
from signaling.names import person_name, room_name
from signaling.rooms import admit
from signaling.tokens import LONGEST_S, SHORTEST_S, USUAL_S, Tokens, address

MOST, WINDOW_S = 30, 60.0
"""invitations that the people of one room make in so many seconds; who has a key makes as many as it likes"""


class Wanted(BaseModel):
    """The request's body; all of it is optional."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    """of the person; "" leaves it to them"""
    minutes: float = Field(USUAL_S / 60, ge=SHORTEST_S / 60, le=LONGEST_S / 60)
    """that the link is good"""


class Pace:
    """How many invitations the people of a room make. Pure; times are `loop.time()`."""

    def __init__(self) -> None:
        self._made: dict[str, deque[float]] = {}

    def take(self, room: str, now: float) -> None:
        """One more.

        :raises SignalingError: 429 if there have been as many as there may be.
        """
        self._made = {name: times for name, times in self._made.items() if now - times[-1] < WINDOW_S}
        times = self._made.setdefault(room, deque(maxlen=MOST))
        if len(times) == MOST and now - times[0] < WINDOW_S:
            raise SignalingError(
                429, f"This room made {MOST} invitations within {WINDOW_S:g} s; wait a little.", code="invitation_limit"
            )
        times.append(now)


def add_invitations(app: web.Application, tokens: Tokens) -> None:
    """Register the route."""
    pace = Pace()

    async def create(request: web.Request) -> web.Response:
        """A token of this room, and its link as a path of the page."""
        grant = request[GRANT]
        room = room_name(request.match_info["room"])
        admit(grant, room)
        wanted = checked(Wanted, await json_of(request))
        seconds = round(60 * wanted.minutes)
        if not grant.server:
            pace.take(room, asyncio.get_running_loop().time())
            seconds = min(seconds, grant.expires - int(time()))
        token, expires_at = tokens.issue(
            seconds=seconds,
            room=room,
            name=person_name(wanted.name) if wanted.name else "",
            role=grant.role,
            most_minutes=grant.most_minutes,
            session=grant.session,
        )
        return web.json_response({"token": token, "url": address("/", token, room), "expires_at": expires_at})

    app.router.add_post("/v1/rooms/{room}/invitations", create)
