"""The private parts of aiortc that we touch are where we touch them: if one moves, it is said here, not in a call."""

from __future__ import annotations

import asyncio

import aioice.ice
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket

from agent.audio import TICK_S, TICK_SAMPLES
from agent.transports.aiortc_private import drop_line, round_trip_s, tap_packets
from agent.transports.jitter import Packet
from agent.transports.microphone import Microphone
from agent.transports.opus import OpusEncoder
from agent.transports.p2p import OutgoingTrack

pytestmark = pytest.mark.timeout(40)

SENT = 150
LOST = frozenset({40, 60, 61, 62})


async def connected(track: OutgoingTrack, receiver: RTCPeerConnection) -> RTCPeerConnection:
    """A peer that sends ``track`` to ``receiver``."""
    sender = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    sender.addTrack(track)
    await sender.setLocalDescription(await sender.createOffer())
    await receiver.setRemoteDescription(RTCSessionDescription(sender.localDescription.sdp, "offer"))
    return sender


async def test_packets_reach_us_and_a_lost_one_delays_none_after_it() -> None:
    receiver = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    track, encoder, microphone = OutgoingTrack(), OpusEncoder(), Microphone()
    sender = await connected(track, receiver)
    arrived: list[int] = []  # sequence numbers, counted from the first

    def count(packet: RtpPacket) -> None:
        arrived.append(packet.sequence_number)
        number = (packet.sequence_number - arrived[0]) & 0xFFFF
        if number not in LOST:
            microphone.add(Packet(packet.sequence_number, packet.timestamp, packet.payload))

    tap_packets(receiver.getTransceivers()[0].receiver, count)
    await receiver.setLocalDescription(await receiver.createAnswer())
    await sender.setRemoteDescription(RTCSessionDescription(receiver.localDescription.sdp, "answer"))
    sound = (3000 * np.sin(np.arange(TICK_SAMPLES) / 20)).astype(np.int16)
    heard: list[tuple[int, int]] = []  # (packets arrived, pts in frames)

    async def listen() -> None:
        async for chunk in microphone.chunks():
            heard.append((len(arrived), chunk.pts // TICK_SAMPLES))  # noqa: PERF401 - each at its own time

    async with asyncio.TaskGroup() as group:
        group.create_task(listen())
        while len(arrived) < SENT:
            packet = encoder.encode(sound)
            if packet is not None:
                track.put(packet)
            await asyncio.sleep(TICK_S / 4)
        microphone.end()
    assert [pts for _, pts in heard] == [n for n in range(heard[-1][1] + 1) if n not in LOST]
    behind_at_end = [seen - 1 - pts for seen, pts in heard[-20:]]
    assert max(behind_at_end) <= 1, "a lost packet delays what comes after it"
    assert microphone.lost == len(LOST)
    assert hasattr(sender.getSenders()[0], "_RTCRtpSender__rtt")
    assert round_trip_s(sender) is None  # before the first report
    await drop_line(sender)
    await sender.close()
    await receiver.close()


def test_host_candidates_are_gathered_where_we_say() -> None:
    assert aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True) == ["127.0.0.1"]


def test_a_receiver_without_the_buffer_is_refused_loudly() -> None:
    with pytest.raises(RuntimeError, match="aiortc_private"):
        tap_packets(object(), lambda _: None)  # type: ignore[arg-type]
