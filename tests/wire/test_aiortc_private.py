"""The private parts of aiortc that we touch are where we touch them: if one moves, it is said here, not in a call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import aioice.ice
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket

from agent.audio import TICK_S, TICK_SAMPLES
from agent.transports.aiortc_private import (
    Header,
    drop_line,
    gather_on_ports,
    gather_within,
    only_validated,
    round_trip_s,
    send_through,
    tap_datagrams,
    tap_packets,
)
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


async def up(*peers: RTCPeerConnection) -> None:
    """Wait until they are connected."""
    for peer in peers:
        while peer.connectionState != "connected":  # noqa: ASYNC110 - the event may be over
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("direct", [False, True], ids=["aiortc's way", "straight from the socket"])
async def test_packets_reach_us_and_a_lost_one_delays_none_after_it(direct: bool) -> None:
    receiver = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    track, encoder, microphone = OutgoingTrack(), OpusEncoder(), Microphone()
    sender = await connected(track, receiver)
    arrived: list[int] = []  # sequence numbers, counted from the first
    headers = 0

    def count(packet: RtpPacket | Header) -> None:
        nonlocal headers
        headers += isinstance(packet, Header)
        arrived.append(packet.sequence_number)
        number = (packet.sequence_number - arrived[0]) & 0xFFFF
        if number not in LOST:
            microphone.add(Packet(packet.sequence_number, packet.timestamp, packet.payload))

    tap_packets(receiver.getTransceivers()[0].receiver, count)
    await receiver.setLocalDescription(await receiver.createAnswer())
    await sender.setRemoteDescription(RTCSessionDescription(receiver.localDescription.sdp, "answer"))
    await up(sender, receiver)
    if direct:
        tap_datagrams(receiver.getTransceivers()[0].receiver, count)
    sound = (3000 * np.sin(np.arange(TICK_SAMPLES) / 20)).astype(np.int16)
    heard: list[tuple[int, int]] = []  # (packets arrived, pts in frames)

    async def listen() -> None:
        async for chunk in microphone.chunks():
            heard.append((len(arrived), chunk.pts // len(chunk.pcm)))  # noqa: PERF401 - each at its own time

    async with asyncio.TaskGroup() as group:
        group.create_task(listen())
        while len(arrived) < SENT:
            packet = encoder.encode(sound)
            if packet is not None:
                track.put(packet)
            await asyncio.sleep(TICK_S / 2)
        microphone.end()
    assert [pts for _, pts in heard] == list(range(heard[-1][1] + 1)), "what was lost is made up"
    behind_at_end = [seen - 1 - pts for seen, pts in heard[-20:]]
    assert max(behind_at_end) <= 1, "a lost packet delays what comes after it"
    assert microphone.lost == microphone.concealed == len(LOST)
    assert (headers > SENT / 2) == direct
    report = await receiver.getTransceivers()[0].receiver.getStats()
    received = [stat.packetsReceived for stat in report.values() if stat.type == "inbound-rtp"]
    assert received == [len(arrived)], "what RTCP reports to the sender is not counted"
    assert hasattr(sender.getSenders()[0], "_RTCRtpSender__rtt")
    assert 0 < (round_trip_s(sender) or 0.001) < 1  # None before the first report
    await drop_line(sender)
    await sender.close()
    await receiver.close()


async def test_a_network_can_be_put_under_a_sender() -> None:
    receiver = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    track, encoder = OutgoingTrack(), OpusEncoder()
    sender = await connected(track, receiver)
    arrived: list[int] = []
    tap_packets(receiver.getTransceivers()[0].receiver, lambda packet: arrived.append(packet.sequence_number))
    await receiver.setLocalDescription(await receiver.createAnswer())
    await sender.setRemoteDescription(RTCSessionDescription(receiver.localDescription.sdp, "answer"))
    await up(sender)
    sent: list[bytes] = []

    def twice_or_never(packet: bytes, send: Callable[[bytes], None]) -> None:
        sent.append(packet)
        for _ in range(2 * (len(sent) % 2)):
            send(packet)

    send_through(sender, twice_or_never)
    sound = (3000 * np.sin(np.arange(TICK_SAMPLES) / 20)).astype(np.int16)
    while len(sent) < 20:
        packet = encoder.encode(sound)
        if packet is not None:
            track.put(packet)
        await asyncio.sleep(TICK_S / 4)
    await asyncio.sleep(0.1)
    assert len(set(arrived)) == 10, "every second packet was sent on"
    await sender.close()
    await receiver.close()


async def test_strangers_do_not_reach_the_handshake() -> None:
    """Who has not shown the call's ICE password is not heard, before the call is up and after."""
    receiver = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    sender = await connected(OutgoingTrack(), receiver)
    await receiver.setLocalDescription(await receiver.createAnswer())
    heard: list[float] = []
    only_validated(receiver, lambda: heard.append(asyncio.get_running_loop().time()))
    connection = receiver.getTransceivers()[0].receiver.transport.transport._connection
    passed: list[bytes] = []
    usual = connection.data_received

    def received(data: bytes, component: int) -> None:
        passed.append(data)
        usual(data, component)

    connection.data_received = received  # type: ignore[method-assign]
    port = connection.local_candidates[0].port
    stranger, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    client_hello, packet = b"\x16\xfe\xfd" + bytes(60), b"\x80\x6f" + bytes(40)

    async def intrude() -> None:
        for data in (client_hello, packet, b"", b"\x00\x01", bytes(1400)):
            stranger.sendto(data, ("127.0.0.1", port))
        await asyncio.sleep(0.1)

    await intrude()
    assert not passed
    await sender.setRemoteDescription(RTCSessionDescription(receiver.localDescription.sdp, "answer"))
    await up(sender, receiver)
    own = len(passed)
    assert own and len(heard) >= own, "the client itself is heard"
    await intrude()
    assert client_hello not in passed
    assert packet not in passed
    stranger.close()
    await sender.close()
    await receiver.close()


async def test_ports_and_patience_are_ours() -> None:
    before = vars(aioice.ice)["asyncio"]
    try:
        gather_on_ports(range(46100, 46104))
        gather_within(0.5)
        dead = RTCConfiguration(iceServers=[RTCIceServer("turn:127.0.0.1:9", username="a", credential="b")])
        peer = RTCPeerConnection(dead)
        peer.addTrack(OutgoingTrack())
        began = asyncio.get_running_loop().time()
        await peer.setLocalDescription(await peer.createOffer())
        assert asyncio.get_running_loop().time() - began < 2.0, "a dead TURN server was waited for"
        ports = re.findall(r"a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 (\d+) typ host", peer.localDescription.sdp)
        assert ports and all(46100 <= int(port) < 46104 for port in ports)
        await peer.close()
    finally:
        vars(aioice.ice)["asyncio"] = before


def test_what_is_no_packet_has_no_header() -> None:
    assert Header.of(b"\x80\x6f\x00\x01" + bytes(8)) == Header(0, 1, 0, b"")
    assert Header.of(b"\x8f\x6f\x00\x01" + bytes(8)) is None, "its sources are missing"
    assert Header.of(b"\x90\x6f\x00\x01" + bytes(8)) is None, "its extension is missing"
    assert Header.of(b"\xa0\x6f\x00\x01" + bytes(8) + b"\x09") is None, "more padding than packet"
    extended = b"\xb0\x6f\x00\x02" + (5).to_bytes(4, "big") + (7).to_bytes(4, "big")
    extended += b"\xbe\xde\x00\x01" + b"abcd" + b"sound" + b"\x00\x02"
    assert Header.of(extended) == Header(7, 2, 5, b"sound")


def test_host_candidates_are_gathered_where_we_say() -> None:
    assert aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True) == ["127.0.0.1"]


def test_a_receiver_without_the_buffer_is_refused_loudly() -> None:
    with pytest.raises(RuntimeError, match="aiortc_private"):
        tap_packets(object(), lambda _: None)  # type: ignore[arg-type]
