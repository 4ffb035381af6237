"""A line over a WebSocket: text messages both ways, and the sound inside them.

The client plays what it is sent, when it likes; so there is no tick of ours in it, and no peer connection to lose.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

from agent.audio import I16, AudioChunk

WAITING = 4096
"""messages to the client that may wait; one that reads more slowly is hung up on"""
WAITING_BYTES = 64 << 20
"""and their size: ten minutes of voice"""
PLAYOUT_DELAY_S = 0.1
"""From sending to the ear: a client's buffer, guessed. A client that wants it exact truncates by itself."""
CLOSE_S = 2.0
"""for the last messages, and the closing handshake"""
NORMAL, GOING_AWAY = 1000, 1001
"""closing codes (RFC 6455)"""


class Socket(Protocol):
    """A WebSocket, as the server's framework has it."""

    async def receive(self) -> str | None:
        """The next message, "" for one that is no text; None when the client is gone."""
        ...

    async def send(self, text: str) -> None:
        """Send a message; waits while the client reads slowly.

        :raises ConnectionError: if it is gone.
        """
        ...

    async def close(self, code: int, reason: str) -> None:
        """Say why, and close."""
        ...


class SocketLine:
    """One participant's line (`agent.transports.base.Connection`)."""

    plays_itself = True
    lost_s = 0.0
    lost_for = ""
    lost_packets = 0
    delay_s = PLAYOUT_DELAY_S
    resting = True

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._outbox: asyncio.Queue[str] = asyncio.Queue(WAITING)
        self._bytes = 0
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.connected = asyncio.Event()
        self.connected.set()

    @property
    def last_heard(self) -> float:
        """Now: the framework's pings notice a client that is gone."""
        return asyncio.get_running_loop().time()

    async def up(self) -> None:
        """It is."""

    async def lose(self, reason: str) -> None:
        """There is no other way to go on."""
        self.hang_up(reason)

    async def watch(self) -> None:
        """Send what is to be sent, until the line is gone."""
        with suppress(ConnectionError):
            while not self._gone.done():
                text = await self._outbox.get()
                self._bytes -= len(text)
                await self._socket.send(text)
        self.hang_up("client gone")

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        """Nothing: sound comes in messages."""
        await self.closed()
        nothing: list[AudioChunk] = []
        for chunk in nothing:
            yield chunk

    async def messages(self) -> AsyncIterator[str]:
        """The client's text messages in order."""
        while not self._gone.done():
            text = await self._socket.receive()
            if text is None:
                break
            yield text
        self.hang_up("client gone")

    async def channel_open(self) -> None:
        """It is open."""

    def play(self, frame: I16) -> None:
        """The client plays what it was sent."""

    def put(self, payload: bytes | None, ticks: int = 1) -> None:
        """The client plays what it was sent; there are no packets."""

    def rest(self, ticks: int) -> None:
        """Nothing is sent in silence."""

    def flush(self) -> None:
        """What was sent is the client's."""

    def send(self, text: str) -> None:
        """A message to the client."""
        if self._gone.done():
            return
        if self._outbox.qsize() >= WAITING or self._bytes > WAITING_BYTES:
            self.hang_up("the client reads more slowly than it is sent to")
            return
        self._bytes += len(text)
        self._outbox.put_nowait(text)

    async def closed(self) -> str:
        """Wait until the line is gone; why."""
        return await asyncio.shield(self._gone)

    def hang_up(self, reason: str) -> None:
        """End the line."""
        if not self._gone.done():
            self._gone.set_result(reason)

    async def close(self, reason: str) -> None:
        """Send what still waits, and say goodbye."""
        self.hang_up(reason)
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_S):
                while not self._outbox.empty():
                    await self._socket.send(self._outbox.get_nowait())
                await self._socket.close(GOING_AWAY if reason == "server stopping" else NORMAL, reason[:100])
