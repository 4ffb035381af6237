"""Every private part of aiortc and aioice that we touch; each has a test that fails loudly when it moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import aioice.ice
from aiortc import RTCPeerConnection
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtp import RtpPacket

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
    if not hasattr(receiver, _JITTER_BUFFER):
        raise RuntimeError(f"aiortc's RTCRtpReceiver has no {_JITTER_BUFFER}: adapt agent/transports/aiortc_private.py")
    setattr(receiver, _JITTER_BUFFER, _Tap(take))


def gather_only(addresses: Sequence[str]) -> None:
    """Gather host candidates on these addresses only, in the whole process; none means: on every interface.

    aioice leaves the loopback interface out and offers no setting for it.
    """
    chosen = list(addresses)
    if chosen:
        aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [
            address for address in chosen if (use_ipv6 if ":" in address else use_ipv4)
        ]


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
        await transceiver.receiver.transport.transport._connection.close()
