"""A client of the WebSocket, strict and simple: it streams a microphone, keeps every event, and checks each one."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import aiohttp
import numpy as np
from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, TypeAdapter

from agent.audio import I16, WIRE_RATE, resample

RATE = 24_000
PACKET_S = 0.1
"""sound in one `input_audio_buffer.append`"""
PATIENCE_S = 20.0
THEIRS: TypeAdapter[Any] = TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")])
Event = dict[str, Any]


class SocketClient:
    """One conversation over a WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._came = asyncio.Condition()
        self._ended = asyncio.Event()
        self.events: list[Event] = []
        self.at: list[float] = []
        """`loop.time()` at which each came"""
        self._queued: list[I16] = []

    async def send(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        await self._socket.send_json({"type": kind, **fields})

    async def ask(self, text: str, **item: Any) -> None:
        """Type a message, and ask for the answer."""
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.send("conversation.item.create", item={**message, **item})
        await self.send("response.create")

    def say(self, pcm: I16) -> float:
        """Int16 (n,) at WIRE_RATE, to be said now; the s that it takes."""
        self._queued.append(resample(pcm, WIRE_RATE, RATE))
        return len(pcm) / WIRE_RATE

    async def until(self, kind: str, count: int = 1, *, after: int = 0, within_s: float = PATIENCE_S) -> Event:
        """The ``count``-th event of this type from number ``after`` on."""

        def found() -> Event | None:
            of_kind = [event for event in self.events[after:] if event["type"] == kind]
            return of_kind[count - 1] if len(of_kind) >= count else None

        async with self._came:
            try:
                async with asyncio.timeout(within_s):
                    await self._came.wait_for(lambda: found() is not None)
            except TimeoutError:
                raise AssertionError(f"no {kind}; there were {self.types(after)}") from None
        event = found()
        assert event is not None
        return event

    async def ended(self, within_s: float = PATIENCE_S) -> None:
        """Wait until the server has closed."""
        async with asyncio.timeout(within_s):
            await self._ended.wait()

    @property
    def close_code(self) -> int | None:
        """With which it closed."""
        return self._socket.close_code

    def types(self, after: int = 0) -> list[str]:
        """The events' types in order, a row of equal ones as one."""
        kinds = [event["type"] for event in self.events[after:]]
        return [kind for n, kind in enumerate(kinds) if n == 0 or kinds[n - 1] != kind]

    def voice(self, after: int = 0) -> I16:
        """The agent's voice from event number ``after`` on: int16 (n,) at RATE."""
        deltas = [event for event in self.events[after:] if event["type"] == "response.output_audio.delta"]
        data = b"".join(base64.b64decode(event["delta"]) for event in deltas)
        return np.frombuffer(data, "<i2").astype(np.int16)

    async def read(self) -> None:
        """Keep what comes, until the server closes."""
        loop = asyncio.get_running_loop()
        async for message in self._socket:
            event = json.loads(message.data)
            THEIRS.validate_json(message.data, strict=True)
            async with self._came:
                self.events.append(event)
                self.at.append(loop.time())
                self._came.notify_all()
        self._ended.set()

    async def stream(self) -> None:
        """Send the microphone in real time: what is to be said, else silence."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        size = round(PACKET_S * RATE)
        while not self._socket.closed:
            packet = np.zeros(size, np.int16)
            if self._queued:
                pcm = self._queued.pop(0)
                packet[: len(pcm[:size])] = pcm[:size]
                if len(pcm) > size:
                    self._queued.insert(0, pcm[size:])
            if self._ended.is_set():
                return
            audio = base64.b64encode(packet.astype("<i2").tobytes()).decode()
            await self.send("input_audio_buffer.append", audio=audio)
            due += PACKET_S
            await asyncio.sleep(due - loop.time())


@asynccontextmanager
async def connected(
    url: str, *, query: str = "?model=gpt-realtime", microphone: bool = True, **headers: str
) -> AsyncIterator[SocketClient]:
    """A conversation with the server at ``url``, greeted."""
    address = url.replace("http", "ws", 1) + "/v1/realtime" + query
    async with aiohttp.ClientSession() as http, http.ws_connect(address, headers=headers, max_msg_size=0) as socket:
        client = SocketClient(socket)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(client.read())]
            if microphone:
                tasks.append(group.create_task(client.stream()))
            try:
                await client.until("session.created")
                yield client
            finally:
                await socket.close()
                for task in tasks:
                    task.cancel()
