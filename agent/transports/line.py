"""One participant's line: what stays when the peer connection below it is lost and another takes its place.

A page that is reloaded, a telephone that changes from Wi-Fi to the mobile network: the client offers anew under the
same call, and the conversation goes on. aiortc knows no ICE restart; a new peer connection does the same, and survives
the client's death as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from agent.audio import I16, AudioChunk
from agent.transports.p2p import PeerConnection


class CallLine:
    """A line over one peer connection after the other (`agent.transports.base.Connection`)."""

    plays_itself = False

    def __init__(self, connection: PeerConnection) -> None:
        self._current = self._newest = connection
        self.rate = connection.rate
        """of the sound that `chunks` gives, Hz; every further peer connection must have the same"""
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._next: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """done when another peer connection has taken over, or none will"""
        self._up = asyncio.Event()
        self._up.set()
        self._lost_at = 0.0
        self._lost = 0
        self.lost_for = ""
        """why the last peer connection was lost; "" while there is one"""

    # -- which connection ----------------------------------------------------------------------------------------

    @property
    def connected(self) -> asyncio.Event:
        """Set once ICE and DTLS are up."""
        return self._current.connected

    @property
    def last_heard(self) -> float:
        """`loop.time()` at which the client was heard of last; 0 before."""
        return self._current.last_heard

    @property
    def lost_s(self) -> float:
        """How long there has been no peer connection, s; 0 while there is one."""
        return 0.0 if self._up.is_set() else asyncio.get_running_loop().time() - self._lost_at

    @property
    def lost_packets(self) -> int:
        """Packets of the microphone that never became sound."""
        return self._lost + self._current.microphone.lost

    async def up(self) -> None:
        """Wait while there is no peer connection."""
        await self._up.wait()

    async def add_candidates(self, fragment: str) -> None:
        """Further candidates of the client, for the newest peer connection.

        :raises TransportError: if one is none, or there are too many.
        """
        await self._newest.add_candidates(fragment)

    async def watch(self) -> None:
        """Notice when a peer connection is lost, until the line is gone."""
        while not self._gone.done():
            connection = self._current
            reason, wanted = await connection.closed()
            if connection is not self._current:
                continue  # another has taken its place
            if wanted and not self.lost_for:
                self.hang_up(reason)
            else:
                await self.lose(reason)
                await self.up()

    async def lose(self, reason: str) -> None:
        """The peer connection is dead; the line waits for another."""
        if not self.lost_for:
            self.lost_for, self._lost_at = reason, asyncio.get_running_loop().time()
            self._up.clear()
            await self._current.close(reason)

    async def switch(self, connection: PeerConnection, within_s: float) -> bool:
        """Go on over another peer connection, once it is connected; whether it was in time."""
        before, self._newest = self._newest, connection
        if before is not self._current:
            await before.close("overtaken")  # of many offers only the last one counts
        try:
            async with asyncio.timeout(within_s):
                await connection.connected.wait()
        except TimeoutError:
            await connection.close("never connected")
            return False
        old, self._current = self._current, connection
        self._lost += old.microphone.lost
        self.lost_for = ""
        self._up.set()
        if self._gone.done():
            await connection.close(self._gone.result())
        else:
            taken, self._next = self._next, asyncio.get_running_loop().create_future()
            taken.set_result(None)
        await old.close("replaced")
        return True

    # -- the Connection protocol ---------------------------------------------------------------------------------

    @property
    def delay_s(self) -> float:
        """From `play` to the ear."""
        return self._current.delay_s

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        """The microphone; the time without a peer connection is a jump in pts."""
        loop = asyncio.get_running_loop()
        ends, ended_at = 0, loop.time()
        while True:
            connection = self._current
            offset: int | None = None
            async for chunk in connection.chunks():
                if offset is None:
                    offset = ends + round((loop.time() - ended_at) * self.rate) if ends else 0
                yield AudioChunk(chunk.pcm, chunk.pts + offset)
                ends, ended_at = chunk.pts + offset + len(chunk.pcm), loop.time()
            if not await self._another(connection):
                return

    async def messages(self) -> AsyncIterator[str]:
        """The client's messages."""
        while True:
            connection = self._current
            async for text in connection.messages():
                yield text
            if not await self._another(connection):
                return

    async def channel_open(self) -> None:
        """Wait until the client's data channel is open."""
        await self._current.channel_open()

    def play(self, frame: I16) -> None:
        """Encode and send one tick."""
        self._current.play(frame)

    def put(self, payload: bytes | None, ticks: int = 1) -> None:
        """Send what was encoded elsewhere."""
        self._current.put(payload, ticks)

    @property
    def resting(self) -> bool:
        """The client has been told that all is silent."""
        return self._current.resting

    def rest(self, ticks: int) -> None:
        """Send nothing, or a sign of life."""
        self._current.rest(ticks)

    def flush(self) -> None:
        """Throw away what has not left yet."""
        self._current.flush()

    def send(self, text: str) -> None:
        """A message to the client."""
        self._current.send(text)

    async def closed(self) -> str:
        """Wait until the line is gone; why."""
        return await asyncio.shield(self._gone)

    def hang_up(self, reason: str) -> None:
        """End the line."""
        if not self._gone.done():
            self._gone.set_result(reason)
            self._next.set_result(None)
            self._up.set()
            self._current.hang_up(reason)

    async def close(self, reason: str) -> None:
        """Hang up, and free everything."""
        self.hang_up(reason)
        await self._current.close(reason)

    async def _another(self, connection: PeerConnection) -> bool:
        """Wait for the one that follows this one; false if the line is gone."""
        if connection is self._current and not self._gone.done():
            await asyncio.shield(self._next)
        return not self._gone.done()
