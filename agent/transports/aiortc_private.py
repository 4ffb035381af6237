"""Every private part of aiortc and aioice that we touch; each has a test that fails loudly when it moves."""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from types import ModuleType
from typing import Any

import aioice.ice
import pylibsrtp
from aioice import stun
from aiortc import RTCPeerConnection
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtp import RtpPacket

log = logging.getLogger(__name__)

_GATHER = aioice.ice.Connection.get_component_candidates
_HOST_ADDRESSES = aioice.ice.get_host_addresses
_JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"


class _Tap:
    """Stands where aiortc keeps its jitter buffer: hands every packet on, and holds none back for aiortc."""

    def __init__(self, take: Callable[[RtpPacket], None]) -> None:
        self._take = take

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        self._take(packet)
        return False, None


def tap_packets(receiver: RTCRtpReceiver, take: Callable[[RtpPacket], None]) -> None:
    """Give every RTP packet of ``receiver`` to ``take`` as it arrives, and none to aiortc's own decoder.

    So the jitter buffer and the decoder are ours, and a packet needs no hop to a thread and back.

    :raises RuntimeError: if aiortc keeps its jitter buffer elsewhere by now.
    """
    _private(receiver, "__jitter_buffer")
    setattr(receiver, _JITTER_BUFFER, _Tap(take))


def only_validated(pc: RTCPeerConnection, heard: Callable[[], None]) -> None:
    """From now on only those reach DTLS and SRTP who have shown that they know the call's ICE password.

    aioice hands on whatever is not STUN from any address. A stranger's ClientHello that comes first would take the
    client's place in the handshake, or end it.

    :param heard: called with each packet of theirs.
    """
    connection = _connection(pc.getTransceivers()[0].receiver.transport)
    validated: set[tuple[Any, ...]] = set()

    def watch(protocol: Any) -> None:
        usual, respond = protocol.datagram_received, protocol.send_stun

        def send_stun(message: Any, addr: tuple[Any, ...]) -> None:
            # A binding request is answered with success only if its integrity was right.
            if message.message_class == stun.Class.RESPONSE:
                validated.add(addr[:2])
            respond(message, addr)

        def datagram_received(data: bytes, addr: tuple[Any, ...]) -> None:
            if addr[:2] in validated:
                heard()
            elif not _is_stun(data):
                return
            usual(data, addr)

        protocol.send_stun, protocol.datagram_received = send_stun, datagram_received

    for protocol in connection._protocols:
        if isinstance(protocol, aioice.ice.StunProtocol):
            watch(protocol)


def _is_stun(data: bytes) -> bool:
    """Whether aioice will take a datagram for STUN."""
    try:
        stun.parse_message(data)
    except ValueError:
        return False
    return True


def gather_only(addresses: Sequence[str]) -> None:
    """Gather host candidates on these addresses only, in the whole process; none means: on every interface.

    aioice leaves the loopback interface out and offers no setting for it.
    """
    chosen = list(addresses)
    if chosen:
        aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [
            address for address in chosen if (use_ipv6 if ":" in address else use_ipv4)
        ]


def gather_within(most_s: float) -> None:
    """Wait no longer than this for STUN and TURN servers, in the whole process; aioice waits 5 s for a dead one."""

    async def gather(self: Any, component: int, addresses: list[str]) -> list[Any]:
        return await _GATHER(self, component, addresses, timeout=most_s)  # type: ignore[arg-type]

    aioice.ice.Connection.get_component_candidates = gather  # type: ignore[method-assign,assignment]


def gather_on_ports(ports: range) -> None:
    """Open sockets for candidates on these UDP ports only, in the whole process; aioice takes any free one."""
    shim = ModuleType("asyncio")
    vars(shim).update(vars(asyncio))
    vars(shim)["get_running_loop"] = lambda: _PortLoop(asyncio.get_running_loop(), ports)
    vars(aioice.ice)["asyncio"] = shim


class _PortLoop:
    """The loop, but for the ports that it opens."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ports: range) -> None:
        self._loop = loop
        self._ports = ports

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_datagram_endpoint(self, factory: Any, local_addr: tuple[str, int], **given: Any) -> Any:
        for port in random.sample(self._ports, len(self._ports)):
            try:
                return await self._loop.create_datagram_endpoint(factory, (local_addr[0], port), **given)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, f"all UDP ports of {self._ports} are taken; widen ice.ports")


def gathered_addresses() -> list[str]:
    """Where host candidates are looked for."""
    return list(aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True))


def machine_addresses() -> list[str]:
    """All addresses of this machine, but for loopback and those good on one network link only."""
    return list(_HOST_ADDRESSES(use_ipv4=True, use_ipv6=True))


def gathers_loopback() -> bool:
    """Whether callers are expected on this machine: we gather on its loopback interface."""
    return any(ip_address(each).is_loopback for each in gathered_addresses())


def round_trip_s(pc: RTCPeerConnection) -> float | None:
    """The peer's last RTCP round trip in s, or None before the first report."""
    for sender in pc.getSenders():
        rtt = getattr(sender, "_RTCRtpSender__rtt", None)
        if isinstance(rtt, float):
            return rtt
    return None


async def drop_line(pc: RTCPeerConnection) -> None:
    """Close the sockets without a word, as a crash or a pulled cable does; for callers that test the other end."""
    for transceiver in pc.getTransceivers():
        await _connection(transceiver.receiver.transport).close()


def cut_off(pc: RTCPeerConnection) -> Callable[[], None]:
    """Let no packet in or out any more, until what this returns is called; for callers that test the other end."""
    protocols = {p for t in pc.getTransceivers() for p in _connection(t.receiver.transport)._protocols}
    usual = [(protocol, protocol.transport, protocol.datagram_received) for protocol in protocols]
    for protocol, transport, _ in usual:
        protocol.transport, protocol.datagram_received = _DeadTransport(transport), lambda data, addr: None

    def restore() -> None:
        for protocol, transport, datagram_received in usual:
            protocol.transport, protocol.datagram_received = transport, datagram_received

    return restore


class _DeadTransport:
    """A socket whose packets go nowhere."""

    def __init__(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def sendto(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Lose it."""


@dataclass(slots=True)
class Header:
    """Of an RTP packet, as much of it as the receive path and RTCP's statistics need (RFC 3550, 5.1)."""

    ssrc: int
    sequence_number: int
    timestamp: int
    payload: bytes

    @classmethod
    def of(cls, data: bytes) -> Header | None:
        """The header of a decrypted packet; None if it is none."""
        begins = 12 + 4 * (data[0] & 0x0F)
        if data[0] & 0x10:
            if len(data) < begins + 4:
                return None
            begins += 4 + 4 * int.from_bytes(data[begins + 2 : begins + 4], "big")
        ends = len(data) - (data[-1] if data[0] & 0x20 else 0)
        if ends < begins:
            return None
        sequence, timestamp, ssrc = struct.unpack_from("!HII", data, 2)
        return cls(ssrc, sequence, timestamp, data[begins:ends])


def tap_datagrams(receiver: RTCRtpReceiver, take: Callable[[Header], None]) -> None:
    """Give every further RTP packet of ``receiver`` to ``take`` in the call in which the socket has it.

    aiortc's own way is two queues and a task's wake-up long and takes three times as much CPU. The stream's first
    packet still goes that way and sets up what RTCP reports on; and so does everything that is not this stream.

    :raises RuntimeError: if the parts that this replaces are not where they were.
    """
    dtls: Any = receiver.transport
    connection = _connection(dtls)
    streams, codecs = (_private(receiver, name) for name in ("__remote_streams", "__codecs"))

    def taken(data: bytes) -> bool:
        stream = streams.get(int.from_bytes(data[8:12], "big"))
        if stream is None or data[1] & 0x7F not in codecs or dtls._rx_srtp is None:
            return False
        try:
            header = Header.of(dtls._rx_srtp.unprotect(data))
        except pylibsrtp.Error:
            return True  # forged, or sent twice
        if header is not None:
            stream.add(header)
            take(header)
        return True

    def divert(protocol: Any) -> None:
        usual = protocol.datagram_received

        def datagram_received(data: bytes, addr: tuple[Any, ...]) -> None:
            pair = connection._nominated.get(1)
            ours = pair is not None and pair.protocol is protocol and pair.remote_addr == addr[:2]
            if not (ours and is_media(data) and taken(data)):
                usual(data, addr)

        protocol.datagram_received = datagram_received

    for protocol in connection._protocols:
        if isinstance(protocol, aioice.ice.StunProtocol):
            divert(protocol)


def blame_for_events(pc: RTCPeerConnection, broken: Callable[[], None]) -> None:
    """Be told when a client sends over SCTP what aiortc stumbles over: text that is not UTF-8, a channel that is open.

    aiortc lets that end the task that receives, and the event loop then logs an error of its own.
    """
    sctp = pc.sctp
    if sctp is None:
        return
    usual = sctp._handle_data

    async def handle_data(data: bytes) -> None:
        try:
            await usual(data)
        except ConnectionError:
            raise
        except Exception as error:  # assertions, and whatever its parsers raise
            log.info("a data channel was broken by its client error=%s", type(error).__name__)
            broken()

    sctp._handle_data = handle_data  # type: ignore[method-assign]


def send_through(pc: RTCPeerConnection, network: Callable[[bytes, Callable[[bytes], None]], None]) -> None:
    """Let every RTP packet that is sent pass a ``network``, which sends it on late, twice or never; for benches."""
    connection = _connection(pc.getTransceivers()[0].sender.transport)
    usual = connection.sendto

    async def sendto(data: bytes, component: int) -> None:
        pair = connection._nominated.get(component)
        if pair is not None and is_media(data):
            socket = pair.protocol.transport
            network(data, lambda late: None if socket.is_closing() else socket.sendto(late, pair.remote_addr))
        else:
            await usual(data, component)

    connection.sendto = sendto


def is_media(data: bytes) -> bool:
    """Whether a datagram is RTP, and not STUN, DTLS or RTCP (RFC 7983, RFC 5761)."""
    return len(data) > 12 and 128 <= data[0] < 192 and not 64 <= data[1] & 0x7F < 96


def _private(receiver: RTCRtpReceiver, name: str) -> Any:
    """A private attribute of aiortc's receiver."""
    mangled = f"_RTCRtpReceiver{name}"
    if not hasattr(receiver, mangled):
        raise RuntimeError(f"aiortc's RTCRtpReceiver has no {mangled}: adapt agent/transports/aiortc_private.py")
    return getattr(receiver, mangled)


def _connection(dtls: Any) -> Any:
    """aioice's connection below a DTLS transport."""
    return dtls.transport._connection
