"""A client's data channel, with a real client at the other end: what breaks it, and what floods it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcsctptransport import WEBRTC_DCEP, WEBRTC_STRING

from agent.settings import LimitsSettings, Settings
from agent.transports.ice import Ice
from agent.transports.p2p import MESSAGE_BYTES, OutgoingTrack, PeerConnection
from tests.sessions import nobody, served, session

pytestmark = pytest.mark.timeout(40)

PER_S = 50
FEW = Settings(limits=LimitsSettings(events_per_s=PER_S))
USUAL = Settings()
UPDATE = {"type": "session.update", "session": {}}
TYPED = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}
PICTURE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
RESULT = {"type": "function_call_output", "output": "rain"}
BEHIND_NOTHING = "item_create_invalid_previous_item_id"


@dataclass(slots=True)
class Client:
    """The other end."""

    channel: RTCDataChannel
    line: PeerConnection
    events: list[dict[str, Any]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, text: str) -> None:
        self.events.append(json.loads(text))
        self.news.set()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def until(self, kind: str, count: int = 1) -> None:
        async with asyncio.timeout(15.0):
            while len(self.of(kind)) < count:
                self.news.clear()
                await self.news.wait()

    async def send_raw(self, kind: int, data: bytes) -> None:
        """What no browser would send."""
        sctp = self.channel.transport
        sctp._data_channel_queue.append((self.channel, kind, data))
        await sctp._data_channel_flush()


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Client]:
    """A client with an open channel to a session."""
    line, peer = PeerConnection(Ice()), RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTrack(OutgoingTrack())
    channel = peer.createDataChannel("oai-events")
    client = Client(channel, line)
    channel.on("message", client.take)
    await peer.setLocalDescription(await peer.createOffer())
    answer = await line.answer(peer.localDescription.sdp)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(served(session(settings), line, nobody()))
        try:
            await client.until("session.created")
            yield client
        finally:
            running.cancel()
            await peer.close()
            await line.close("over")


async def test_a_flood_of_events_is_dropped_and_told_and_the_session_lives() -> None:
    async with connected(FEW) as client:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(2000):
            client.channel.send(json.dumps(UPDATE))
        await client.until("error")
        while client.channel.bufferedAmount:  # noqa: ASYNC110 - aiortc tells of the threshold only, not of the end
            await asyncio.sleep(0.05)
        flooded_s = loop.time() - began
        done = len(client.of("session.updated"))
        while len(client.of("session.updated")) == done:  # as soon as there is room again
            client.channel.send(json.dumps(UPDATE))
            await asyncio.sleep(1.5 / PER_S)
        errors = client.of("error")
        assert {error["error"]["code"] for error in errors} == {"rate_limit_exceeded"}
        assert 1 <= len(errors) <= flooded_s + 2
        assert done <= 2 * PER_S + PER_S * (flooded_s + 1)


NONSENSE: list[tuple[str | bytes, str]] = [
    ("{", "invalid_json"),
    ("[]", "invalid_json"),
    ("{}", "missing_required_parameter"),
    (b"\0", "invalid_event"),
    ('{"type": "nope"}', "invalid_value"),
    ('{"type": "session.update"}', "missing_required_parameter"),
    ('{"type": "session.update", "session": {"type": "transcription"}}', "invalid_value"),
    ('{"type": "session.update", "session": {"instructions": "' + "x" * 100_000 + '"}}', "invalid_type"),
    ('{"type": "conversation.item.truncate", "item_id": "none", "audio_end_ms": -1}', "integer_below_min_value"),
    ('{"type": "conversation.item.delete", "item_id": "none"}', "item_delete_invalid_item_id"),
    ('{"type": "conversation.item.retrieve", "item_id": "none"}', "item_retrieve_invalid_item_id"),
    (json.dumps({"type": "conversation.item.create", "item": {**RESULT, "call_id": "none"}}), "invalid_value"),
    (json.dumps({"type": "conversation.item.create", "item": {**TYPED, "content": [PICTURE]}}), "invalid_value"),
    (json.dumps({"type": "conversation.item.create", "item": TYPED, "previous_item_id": "none"}), BEHIND_NOTHING),
    ('{"type": "response.cancel"}', "response_cancel_not_active"),
    ('{"type": "response.create", "response": {"output_modalities": ["smoke"]}}', "invalid_value"),
]
"""What makes no sense, or comes before what it belongs to."""


async def test_nonsense_is_answered_by_name_and_the_session_lives() -> None:
    async with connected(USUAL) as client:
        for message, _ in NONSENSE:
            client.channel.send(message)
        client.channel.send(json.dumps(UPDATE))
        await client.until("session.updated")
        kinds = [event["type"] for event in client.events[1:]]
        assert kinds == ["error"] * len(NONSENSE) + ["session.updated"]
        assert [error["error"]["code"] for error in client.of("error")] == [code for _, code in NONSENSE]


async def test_a_client_that_sends_as_many_as_it_may_is_never_refused() -> None:
    async with connected(USUAL) as client:
        most = 2 * USUAL.limits.events_per_s
        for _ in range(most):
            client.channel.send(json.dumps(UPDATE))
        await client.until("session.updated", most)
        assert not client.of("error")


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        (WEBRTC_STRING, b"\xff\xfe", "the client broke its data channel"),
        (WEBRTC_DCEP, b"\x03" + bytes(11), "the client broke its data channel"),
        (WEBRTC_STRING, b"x" * (MESSAGE_BYTES + 1), f"the client sent a message of more than {MESSAGE_BYTES} bytes"),
    ],
    ids=["text that is not UTF-8", "a channel that is open", "a message that is too large"],
)
async def test_a_client_that_breaks_its_channel_is_hung_up_on(
    kind: int, data: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(USUAL) as client:
        await client.send_raw(kind, data)
        async with asyncio.timeout(10.0):
            assert await client.line.closed() == (reason, True)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
