"""A call over plain WebRTC: aiortc negotiates and encrypts; the sound's path in and out is ours."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator

from aiortc import (
    MediaStreamTrack,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket
from aiortc.sdp import SessionDescription, candidate_from_sdp

from agent.audio import EAR_RATE, I16, AudioChunk
from agent.errors import TransportError
from agent.transports.aiortc_private import (
    Header,
    blame_for_events,
    gathers_loopback,
    only_validated,
    round_trip_s,
    tap_datagrams,
    tap_packets,
)
from agent.transports.candidates import MOST, sifted
from agent.transports.ice import Ice
from agent.transports.jitter import Packet
from agent.transports.microphone import Microphone
from agent.transports.opus import OpusEncoder, OpusPacket, PacketClock
from agent.transports.pair_check import Pair, check_pairs

log = logging.getLogger(__name__)

SLOT = 2
"""Packets that may wait for aiortc's sender; it takes each at once unless the loop is late."""
MESSAGES = 512
"""Messages of the client that may wait, more than `limits.events_per_s` lets pass at once; one that sends more, faster
than we read, is hung up on."""
MESSAGE_BYTES = 256 * 1024
"""of one message of the client; the API's own limit"""
SEND_LIMIT = 1 << 20
"""Bytes that may wait in the data channel before further messages are dropped."""
PLAYOUT_DELAY_S = 0.06
"""A browser's own playout buffer, about 40 ms, and one packet under way."""
CLOSE_S = 5.0
OPUS = "minptime=10;useinbandfec=1;usedtx=1"
"""What we ask of the client's encoder: a copy of each frame in the next one while packets are lost, and next to nothing
while all is silent (RFC 7587)."""


class OutgoingTrack(MediaStreamTrack):
    """The agent's voice: packets that are encoded already, sent as they come."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._slot: asyncio.Queue[OpusPacket] = asyncio.Queue(SLOT)

    def put(self, packet: OpusPacket) -> None:
        """Send this next; the oldest goes if the sender is late."""
        if self._slot.full():
            self._slot.get_nowait()
        self._slot.put_nowait(packet)

    def flush(self) -> None:
        """Throw away what was not sent yet."""
        while not self._slot.empty():
            self._slot.get_nowait()

    async def recv(self) -> OpusPacket:
        """The next packet, for aiortc."""
        if self.readyState != "live":
            raise MediaStreamError
        return await self._slot.get()


class PeerConnection:
    """One peer connection; a participant's line (`agent.transports.line`) may need several.

    :param rate: of the sound that `chunks` gives, Hz: EAR_RATE for a listener, WIRE_RATE for other people.
    """

    plays_itself = False

    def __init__(self, ice: Ice, rate: int = EAR_RATE) -> None:
        self.rate = rate
        self._ice = ice
        self._configuration = ice.configuration(asyncio.get_running_loop().time())
        self._pc = RTCPeerConnection(self._configuration)
        self._track = OutgoingTrack()
        self._encoder = OpusEncoder()
        self._clock = PacketClock()
        self._candidates = 0
        self._channel: RTCDataChannel | None = None
        self._channel_open = asyncio.Event()
        self._messages: asyncio.Queue[str | None] = asyncio.Queue(MESSAGES + 1)
        self._gone: asyncio.Future[tuple[str, bool]] = asyncio.get_running_loop().create_future()
        self.microphone = Microphone(rate)
        self.connected = asyncio.Event()
        """set once ICE and DTLS are up"""
        self.last_heard = 0.0
        """`loop.time()` at which the client was heard of last, by sound, RTCP or a check of ICE; 0 before the first"""
        self._pc.on("connectionstatechange", self._state_changed)
        self._pc.on("datachannel", self._channel_offered)

    async def answer(self, offer: str) -> str:
        """The SDP answer to an SDP offer, with all our candidates in it.

        :raises TransportError: if it is no offer, has no audio, or no Opus.
        """
        offer = sifted(offer, loopback=gathers_loopback())
        parsed_offer(offer)
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        except Exception as error:
            raise TransportError(f"the offer is not SDP that can be answered: {error!r}") from error
        audio = next((t for t in self._pc.getTransceivers() if t.kind == "audio"), None)
        if audio is None:
            raise TransportError("the offer has no audio: add a microphone track before createOffer")
        capabilities = RTCRtpReceiver.getCapabilities("audio")
        assert capabilities is not None
        audio.setCodecPreferences([c for c in capabilities.codecs if c.mimeType.lower() == "audio/opus"])
        self._receiver = audio.receiver
        tap_packets(audio.receiver, self._take_packet)
        blame_for_events(self._pc, lambda: self.hang_up("the client broke its data channel"))
        self._pc.addTrack(self._track)
        for other in self._pc.getTransceivers():
            if other is not audio:  # a camera, a second microphone: nobody looks, and to decode it takes a core
                other.direction = "inactive"
        try:
            await self._pc.setLocalDescription(await self._pc.createAnswer())
        except Exception as error:
            raise TransportError(f"the offer can not be answered: {error!r}; offer Opus audio") from error
        only_validated(self._pc, self._hear)
        sdp = self._pc.localDescription.sdp
        self._ice.gathered(self._configuration, sdp, asyncio.get_running_loop().time())
        return self._ice.told(_asking_for(OPUS, sdp))

    async def add_candidates(self, fragment: str) -> None:
        """Further candidates of the client, as it finds them (trickle ICE, RFC 8840).

        :param fragment: lines ``a=candidate:…`` and ``a=end-of-candidates``; others say nothing new.
        :raises TransportError: if one is none, or the client has sent as many as it may.
        """
        for line in sifted(fragment, loopback=gathers_loopback()).splitlines():
            if line.startswith("a=candidate:"):
                self._candidates += 1
                if self._candidates > MOST:
                    raise TransportError(f"more than {MOST} candidates for one call")
                try:
                    candidate = candidate_from_sdp(line.removeprefix("a=candidate:"))
                    candidate.sdpMLineIndex = 0
                    await self._pc.addIceCandidate(candidate)
                except Exception as error:
                    raise TransportError(f"one is no candidate: {error!r}") from error

    async def check_pairs(self, within_s: float) -> list[Pair]:
        """Which ways to the client are open, each asked for; for a doctor."""
        return await check_pairs(self._pc, within_s)

    # -- the Connection protocol -----------------------------------------------------------------------------

    @property
    def delay_s(self) -> float:
        """From `play` to the ear: half the round trip and the client's buffer."""
        return PLAYOUT_DELAY_S + (round_trip_s(self._pc) or 0.0) / 2

    def chunks(self) -> AsyncIterator[AudioChunk]:
        """The microphone."""
        return self.microphone.chunks()

    async def messages(self) -> AsyncIterator[str]:
        """The client's messages."""
        while (message := await self._messages.get()) is not None:
            yield message

    async def channel_open(self) -> None:
        """Wait until the client's data channel is open."""
        await self._channel_open.wait()

    def play(self, frame: I16) -> None:
        """Encode and send one tick."""
        self.put(self._encoder.payload(frame))

    def put(self, payload: bytes | None, ticks: int = 1) -> None:
        """Send what was encoded elsewhere, in the last of so many ticks; None: nothing."""
        packet = self._clock.packet(payload, ticks)
        if packet is not None:
            self._track.put(packet)

    @property
    def resting(self) -> bool:
        """The client has been told that all is silent."""
        return self._encoder.resting

    def rest(self, ticks: int) -> None:
        """Send nothing, or a sign of life."""
        self.put(self._encoder.silence(ticks), ticks)

    def flush(self) -> None:
        """Throw away the packet that aiortc has not taken yet."""
        self._track.flush()

    def send(self, text: str) -> None:
        """A message to the client."""
        channel = self._channel
        if channel is not None and channel.readyState == "open" and channel.bufferedAmount < SEND_LIMIT:
            channel.send(text)

    async def closed(self) -> tuple[str, bool]:
        """Wait until it is gone: why, and whether somebody wanted that; else the client may come back."""
        return await asyncio.shield(self._gone)

    async def close(self, reason: str) -> None:
        """Hang up, and free everything."""
        self.hang_up(reason)
        # Cancelled in the middle, aiortc would leave tasks and sockets: to tell a TURN server takes a moment.
        closing = asyncio.ensure_future(self._pc.close())
        try:
            done, _ = await asyncio.wait({closing}, timeout=CLOSE_S)
        except asyncio.CancelledError:
            await asyncio.wait({closing}, timeout=CLOSE_S)
            raise
        if done and (error := closing.exception()) is not None:
            log.warning("a peer connection could not be closed in good order error=%r", error)
        elif not done:
            closing.cancel()
            log.warning("a peer connection took more than %s s to close", CLOSE_S)

    # -- what aiortc tells us --------------------------------------------------------------------------------

    def _state_changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected":
            if not self.connected.is_set():
                tap_datagrams(self._receiver, self._take_packet)
            self.connected.set()
        elif state in ("failed", "closed"):
            self._over(f"connection {state}", wanted=False)

    def _channel_offered(self, channel: RTCDataChannel) -> None:
        if self._channel is not None:
            return
        if channel.label != "oai-events":
            log.warning("the client's data channel is called %r, not 'oai-events'", channel.label[:40])
        self._channel = channel
        channel.on("message", self._take_message)
        channel.on("close", lambda: self._over("data channel closed", wanted=False))
        self._channel_open.set()

    def _take_message(self, message: str | bytes) -> None:
        if self._gone.done():
            return
        if len(message) > MESSAGE_BYTES:
            self.hang_up(f"the client sent a message of more than {MESSAGE_BYTES} bytes")
            return
        if self._messages.qsize() >= MESSAGES:
            self.hang_up("the client sent messages faster than they can be read")
            return
        self._messages.put_nowait(message if isinstance(message, str) else "")

    def _hear(self) -> None:
        self.last_heard = asyncio.get_running_loop().time()

    def _take_packet(self, packet: RtpPacket | Header) -> None:
        self.last_heard = asyncio.get_running_loop().time()
        if packet.payload:
            self.microphone.add(Packet(packet.sequence_number, packet.timestamp, packet.payload))

    def hang_up(self, reason: str) -> None:
        """End the line: nothing is heard any more, and `closed` returns."""
        self._over(reason, wanted=True)

    def _over(self, reason: str, *, wanted: bool) -> None:
        if not self._gone.done():
            self._gone.set_result((reason, wanted))
            self.microphone.end()
            self._messages.put_nowait(None)


def parsed_offer(sdp: str) -> SessionDescription:
    """An offer as aiortc reads it; it believes what one says of its own sections, and stumbles over it later, in a task
    of its own.

    :raises TransportError: if it is none, bundles a section that it does not have, or one has no fingerprint.
    """
    try:
        offer = SessionDescription.parse(sdp)
        if not all(media.dtls is not None and media.dtls.fingerprints for media in offer.media):
            raise ValueError("a section has no fingerprint")
        sections = {media.rtp.muxId for media in offer.media}
        for group in offer.group:
            if group.semantic == "BUNDLE" and not sections.issuperset(map(str, group.items)):
                named = " ".join(map(str, group.items))
                raise ValueError(f"it bundles {named[:60]}, and has {' '.join(sections)[:60]}")
    except Exception as error:  # the parser raises whatever its lines made it stumble over
        raise TransportError(f"the offer is not SDP that can be answered: {error!r}") from error
    return offer


def _asking_for(parameters: str, sdp: str) -> str:
    """An answer that tells the client how its Opus is wanted; aiortc leaves that out."""
    return re.sub(r"(?mi)^(a=rtpmap:(\d+) opus/48000/2)(\r?)$", rf"\1\3\na=fmtp:\2 {parameters}\3", sdp)
