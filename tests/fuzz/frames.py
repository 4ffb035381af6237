"""A WebSocket's client that writes whatever bytes it likes, and reads strictly what comes back.

It has no socket: its bytes go by hand into aiohttp's end of the connection, as those of a TCP connection would,
and into the route behind it.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from aiohttp import web

from tests.sessions import read

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
"""opcodes; 0 goes on with a message"""
CODES = {1000, 1001, 1002, 1007, 1009}
"""with which a conversation ends: it is over, or the server; no WebSocket, no UTF-8, too large (docs/signaling.md)"""
ERRORS = {"invalid_request_error", "requests"}
HANDSHAKE = (
    b"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PIECE = 256 << 10
"""bytes that asyncio reads at once"""
MARK = "the mark"
ASKED = json.dumps({"type": "conversation.item.retrieve", "item_id": "nobody", "event_id": MARK}).encode()
"""an event whose answer can be told from others"""
ANSWER_S = 8.0
AGAIN_S = 0.3
IDLE = 60
"""turns of the loop after which whatever had to be said is said"""


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, rsv: int = 0, says: int | None = None
) -> bytes:
    """A client's frame.

    :param says: the length that it claims to have, if another.
    """
    length = len(payload) if says is None else says
    first = bytes([fin << 7 | rsv << 4 | opcode])
    mask = 0x80 if masked else 0
    if length < 126:
        head = first + bytes([mask | length])
    elif length < 1 << 16:
        head = first + bytes([mask | 126]) + struct.pack("!H", length)
    else:
        head = first + bytes([mask | 127]) + struct.pack("!Q", length)
    return head + (bytes(4) if masked else b"") + payload  # a mask of zeros is one


def message(opcode: int, data: bytes, cuts: Iterable[int] = (), between: bytes = b"") -> bytes:
    """A message in as many frames as it is cut into, with something between them."""
    ends = [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    begins = [0, *ends[:-1]]
    parts = [
        frame(0 if n else opcode, data[begin:end], fin=n + 1 == len(ends))
        for n, (begin, end) in enumerate(zip(begins, ends, strict=True))
    ]
    return between.join(parts)


class Wire(asyncio.Transport):
    """The server's end of a connection."""

    def __init__(self, server: web.Server) -> None:
        super().__init__({"peername": ("127.0.0.1", 9), "sockname": ("127.0.0.1", 80)})
        self._protocol = server()
        self._reads = True
        self._closing = False
        self._news = asyncio.Event()
        self.said = b""
        """what the server has written"""
        self._protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """The server says something."""
        assert not self._closing
        self.said += bytes(data)
        self._news.set()

    def writelines(self, data: Iterable[bytes | bytearray | memoryview]) -> None:
        """So it does."""
        self.write(b"".join(data))

    def get_write_buffer_size(self) -> int:
        """All of it is read at once."""
        return 0

    def pause_reading(self) -> None:
        """It has enough for now."""
        self._reads = False

    def resume_reading(self) -> None:
        """It wants more."""
        self._reads = True
        self._news.set()

    def is_closing(self) -> bool:
        """Whether it has hung up."""
        return self._closing

    def close(self) -> None:
        """It hangs up."""
        if not self._closing:
            self._closing = True
            self._news.set()
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close

    async def send(self, data: bytes) -> None:
        """The client says this, as fast as it is read."""
        for begins in range(0, len(data), PIECE):
            async with asyncio.timeout(ANSWER_S):
                while not self._reads and not self._closing:
                    self._news.clear()
                    await self._news.wait()
            if not self._closing:
                self._protocol.data_received(data[begins : begins + PIECE])
                await asyncio.sleep(0)

    async def answered(self) -> bool:
        """Ask until there is an answer, for after a flood it is refused a while; false if the server hangs up."""
        async with asyncio.timeout(ANSWER_S):
            while MARK.encode() not in self.said and not self._closing:
                self._news.clear()
                await self.send(frame(TEXT, ASKED))
                with suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_S):
                        while MARK.encode() not in self.said and not self._closing:
                            await self._news.wait()
                            self._news.clear()
        return not self._closing

    async def closed(self) -> None:
        """Wait until the server hangs up."""
        async with asyncio.timeout(ANSWER_S):
            while not self._closing:
                self._news.clear()
                await self._news.wait()

    async def idle(self) -> None:
        """Let the server do all that it can do with what it has."""
        for _ in range(IDLE):
            if self._closing:
                break
            await asyncio.sleep(0)

    async def gone(self, server: web.Server) -> None:
        """The client is gone, and the server has forgotten it."""
        self.close()
        async with asyncio.timeout(ANSWER_S):
            while server.connections:  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(0.001)


def heard(said: bytes) -> tuple[list[Any], int | None]:
    """The events that the server has sent, each as OpenAI's clients read it, and the code with which it closed."""
    head, _, data = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), head
    events: list[Any] = []
    while data:
        opcode, length, data = data[0], data[1], data[2:]
        if length == 126:
            length, data = struct.unpack("!H", data[:2])[0], data[2:]
        elif length == 127:
            length, data = struct.unpack("!Q", data[:8])[0], data[8:]
        payload, data = data[:length], data[length:]
        assert len(payload) == length, "a frame is cut off"
        match opcode ^ 0x80:
            case 1:
                events.append(read(payload.decode()))
            case 8:
                assert not data, "something is said after the goodbye"
                return events, struct.unpack("!H", payload[:2])[0]
            case other:
                assert other == PONG, f"opcode {other}"
    return events, None


def checked(said: bytes) -> tuple[list[Any], int | None]:
    """The same, when every refusal is typed and every goodbye documented."""
    events, code = heard(said)
    assert code is None or code in CODES, code
    for event in events:
        if event["type"] == "error":
            error = event["error"]
            assert error["type"] in ERRORS and error["code"] and 0 < len(error["message"]) < 1000, error
    return events, code
