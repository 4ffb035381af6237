"""One person in a room: a line, an ear of ours, and why they are gone in the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from agent.audio import AudioChunk
from agent.history import new_id
from agent.listening.listener import Listener
from agent.seat import ALONE, Seat
from agent.settings import LimitsSettings
from agent.speaking.talker import Talker
from agent.transports.base import Connection

log = logging.getLogger(__name__)

WATCH_S = 0.5
"""How often the line is looked at."""
ALONE_ID = "caller"
TOO_LONG = "longest call"
"""why somebody is gone whose call has taken as long as it may"""


class Participant:
    """One person, for as long as their line is there or may come back.

    :param extensions: their client wants `antiphon.*` events.
    :param longest_s: the longest that this call may take.
    """

    def __init__(
        self, call_id: str, line: Connection, *, extensions: bool, longest_s: float, seat: Seat = ALONE
    ) -> None:
        self.call_id = call_id
        self.id = new_id("person") if seat.room else ALONE_ID
        """names the person in events; stays when the line is lost and comes back"""
        self.line = line
        self.extensions = extensions
        self.longest_s = longest_s
        self.name = seat.name
        self.role = seat.role
        self.muted = False
        self.asks = False
        """holds the button: is heard, muted or not"""
        self.speaking = False
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """why they are gone"""
        self.listener: Listener | None = None
        self.talker = Talker()
        """what the others hear of them"""

    @property
    def silent(self) -> bool:
        """Nothing is heard of them, by their own wish."""
        return self.muted and not self.asks

    @property
    def here(self) -> bool:
        """Somebody is on the line."""
        return not self.line.lost_s

    async def said(self) -> AsyncIterator[AudioChunk]:
        """What is heard of this person among others, at EAR_RATE, while it goes to these."""
        async for chunk in self.talker.through(self._spoken()):
            yield chunk

    async def _spoken(self) -> AsyncIterator[AudioChunk]:
        async for chunk in self.line.chunks():
            if not self.silent and self.role == "talk":
                yield chunk

    async def until_gone(self, limits: LimitsSettings) -> str:
        """Why the line is gone: a call that never connects and a peer that falls silent are gone too."""
        loop = asyncio.get_running_loop()
        connect_by = loop.time() + limits.connect_s
        ends = loop.time() + self.longest_s
        gone = asyncio.ensure_future(self.line.closed())
        try:
            while not gone.done():
                last = self.line.last_heard or connect_by
                if not self.line.connected.is_set() and loop.time() >= connect_by:
                    return "never connected"
                if self.line.lost_s:
                    if self.line.lost_s > limits.reconnect_s:
                        return self.line.lost_for
                elif loop.time() - last > limits.peer_gone_s:
                    await self.line.lose("peer gone")
                    continue
                if loop.time() > ends:
                    return TOO_LONG
                await asyncio.wait({gone}, timeout=WATCH_S)
            return gone.result()
        finally:
            gone.cancel()
