"""A caller without a browser: speaks recordings over real WebRTC, and times what it hears at its own ear.

The hand with which the terminal, the tests and the benches call.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urljoin

import aiohttp
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket

from agent import certificate
from agent.audio import I16, TICK_S, TICK_SAMPLES, WIRE_RATE, dbfs
from agent.errors import SignalingError, TransportError
from agent.transports.aiortc_private import cut_off, drop_line, send_through, tap_packets
from agent.transports.jitter import Packet
from agent.transports.microphone import Microphone
from agent.transports.opus import REFRESH_TICKS, OpusEncoder
from agent.transports.p2p import OutgoingTrack

T = TypeVar("T")

CONNECT_S = 15.0
NOISE_DBFS = -70.0
"""Of the room noise that is sent while nothing is said: no microphone sends digital silence."""
LOUD_DBFS = -45.0
"""10 ms of a recording below this do not count as speech when its end is looked for; or, in a recording without a
peak above -15 dBFS, `LOUD_BELOW_PEAK_DB` below its loudest 10 ms."""
LOUD_BELOW_PEAK_DB = 30.0
AUDIBLE_DBFS = -50.0
"""A packet louder than this is heard."""


@dataclass(frozen=True, slots=True)
class HeardFrame:
    """One packet of the agent's voice."""

    at: float
    """`loop.time()` at which it arrived, before any playout buffer"""
    pcm: I16
    """int16 (n,) mono at WIRE_RATE"""
    dbfs: float


@dataclass(slots=True)
class Ear:
    """All that the caller has heard."""

    frames: list[HeardFrame] = field(default_factory=list)

    def first_loud(self, since: float) -> HeardFrame | None:
        """The first audible packet that arrived after ``since``."""
        return next((f for f in self.frames if f.at > since and f.dbfs > AUDIBLE_DBFS), None)

    def last_loud(self, since: float) -> HeardFrame | None:
        """The last audible packet that arrived after ``since``."""
        return next((f for f in reversed(self.frames) if f.at > since and f.dbfs > AUDIBLE_DBFS), None)

    def sound(self, since: float = 0.0, until: float = float("inf")) -> I16:
        """What arrived between the two times, as int16 (n,) at WIRE_RATE."""
        parts = [frame.pcm for frame in self.frames if since < frame.at <= until]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)


class Caller:
    """One call, from the other end of the line. Use as an async context manager; leaving it hangs up.

    :param url: the server, such as http://127.0.0.1:8080
    :param extensions: ask for `antiphon.*` events.
    :param muted: between sentences there is no noise, and nothing is sent, as by a browser that does what the server's
        answer asks for.
    :param token: a key or token of the server, where it wants one.
    :param room: to join; "" for a call of one's own.
    :param name: in the room.
    :param before: the `location` of a call to go on with, after its line was lost.
    :param speed: how much faster than speech a sentence is sent; for tests of endurance.
    """

    def __init__(
        self,
        url: str,
        *,
        extensions: bool = True,
        muted: bool = False,
        token: str = "",
        room: str = "",
        name: str = "",
        before: str = "",
        speed: int = 1,
    ) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._before = before
        query = {"extensions": "antiphon" if extensions else "", "room": room, "name": name}
        self._query = {key: value for key, value in query.items() if value}
        self._muted = muted
        self._speed = speed
        self._wanted = asyncio.Event()
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._track = OutgoingTrack()
        self._encoder = OpusEncoder()
        self._incoming = Microphone(WIRE_RATE)
        self._saying: I16 = np.zeros(0, np.int16)
        self._said = asyncio.Event()
        self.location = before
        """the call's address; "" before and after it"""
        self.answer = ""
        """the server's SDP"""
        self._tasks: list[asyncio.Task[None]] = []
        self._group = asyncio.TaskGroup()
        self._noise = np.random.default_rng(7)
        self.ear = Ear()
        self.events: list[dict[str, Any]] = []
        """all events of the server, each with ``at``, the `loop.time()` of its arrival"""
        self.packets = 0
        """of the agent's voice that have arrived"""
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        self.said_at = 0.0
        """`loop.time()` at which the last loud frame of the newest `say` was handed to the packetiser"""
        self.began_at = 0.0
        """`loop.time()` at which the first frame of the newest `say` was handed to the packetiser"""

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        try:
            await self._dial()
        except BaseException:
            await self._pc.close()
            await self._group.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hang_up()
        await self._group.__aexit__(None, None, None)

    # -- the line --------------------------------------------------------------------------------------------

    async def _dial(self) -> None:
        """Offer, connect, start the microphone.

        :raises SignalingError: if the server refuses the call.
        :raises TransportError: if the server can not be reached, or the line does not come up.
        """
        self._pc.addTrack(self._track)
        self._channel = self._pc.createDataChannel("oai-events")
        self._channel.on("message", self._take_event)
        self._pc.on("connectionstatechange", self._state_changed)
        tap_packets(self._pc.getTransceivers()[0].receiver, self._take_packet)
        await self._pc.setLocalDescription(await self._pc.createOffer())
        self.answer = await self._post(self._pc.localDescription.sdp)
        await self._pc.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))
        self._tasks = [
            self._group.create_task(self._speak(), name="caller's microphone"),
            self._group.create_task(self._listen(), name="caller's ear"),
        ]
        try:
            async with asyncio.timeout(CONNECT_S):
                await self.event("session.created")
        except TimeoutError as error:
            await self.hang_up()
            raise TransportError(
                f"the call did not come up within {CONNECT_S:.0f} s; see `antiphon doctor` for its candidates"
            ) from error

    async def _post(self, offer: str) -> str:
        target = self._before or urljoin(self._url, "/v1/realtime/calls")
        async with aiohttp.ClientSession(headers=self._headers) as http:
            try:
                async with http.post(
                    target, params=self._query, data=offer, headers={"Content-Type": "application/sdp"}
                ) as response:
                    text = await response.text()
                    if response.status not in (200, 201):
                        raise SignalingError(response.status, _message(text))
                    self.location = self._before or urljoin(self._url, response.headers["Location"])
                    return text
            except aiohttp.ClientSSLError as error:
                raise TransportError(_untrusted(self._url, error)) from error
            except aiohttp.ClientConnectionError as error:
                raise TransportError(
                    f"there is no server at {self._url} ({error}); start it with `make run`"
                ) from error

    async def hang_up(self) -> None:
        """End the call."""
        self._incoming.end()
        for task in self._tasks:
            task.cancel()
        if self.location:
            location, self.location = self.location, ""
            async with aiohttp.ClientSession(headers=self._headers) as http:
                try:
                    async with http.delete(location):
                        pass
                except aiohttp.ClientConnectionError:
                    pass  # the server is gone, and the call with it
        await self._pc.close()

    def through(self, network: Callable[[bytes, Callable[[bytes], None]], None]) -> None:
        """From now on the microphone's packets pass this network, which sends them on late, twice or never."""
        send_through(self._pc, network)

    async def vanish(self) -> None:
        """Be gone without a word, as a crashed page is: no hang-up, no goodbye from DTLS."""
        for task in self._tasks:
            task.cancel()
        self.location = ""
        await drop_line(self._pc)

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Inside, no packet comes through, either way: a tunnel, or an access point that is gone."""
        restore = cut_off(self._pc)
        try:
            yield
        finally:
            restore()

    async def close_connection(self) -> None:
        """End the peer connection in good order, but not the call, as a page that is loaded anew does."""
        for task in self._tasks:
            task.cancel()
        self.location = ""
        await self._pc.close()

    # -- speaking --------------------------------------------------------------------------------------------

    async def say(self, pcm: I16) -> float:
        """Speak int16 (n,) at WIRE_RATE in real time; return `said_at` when it is out."""
        self._saying = pcm
        self._said.clear()
        self._wanted.set()
        await self._said.wait()
        return self.said_at

    async def _speak(self) -> None:
        """One packet every 20 ms, by absolute deadlines: speech if there is some, else the room's noise."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        amplitude = 0.0 if self._muted else 32768 * 10 ** (NOISE_DBFS / 20)
        last_loud = -1
        position = -1
        while True:
            frame = (self._noise.standard_normal(TICK_SAMPLES) * amplitude).astype(np.int16)
            if len(self._saying):
                if position < 0:
                    position, last_loud, self.began_at = 0, loud_end(self._saying), loop.time()
                part = self._saying[position : position + TICK_SAMPLES]
                frame[: len(part)] = part
            packet = self._encoder.encode(frame)
            if packet is not None:
                self._track.put(packet)
            if position >= 0:
                if position < last_loud <= position + TICK_SAMPLES:
                    self.said_at = loop.time()
                position += TICK_SAMPLES
                if position >= len(self._saying):
                    position, self._saying = -1, np.zeros(0, np.int16)
                    self._said.set()
            due += TICK_S / self._speed if position >= 0 else TICK_S
            if self._encoder.resting and not len(self._saying):
                due += await self._rest(due)
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _rest(self, due: float) -> float:
        """Send nothing but a sign of life until there is something to say; how long that was, s."""
        self._wanted.clear()
        try:
            async with asyncio.timeout_at(due + (REFRESH_TICKS - 1) * TICK_S):
                await self._wanted.wait()
        except TimeoutError:
            pass  # a sign of life is due
        ticks = max(0, int((asyncio.get_running_loop().time() - due) / TICK_S))
        packet = self._encoder.rest(ticks)
        if packet is not None:
            self._track.put(packet)
        return ticks * TICK_S

    # -- hearing ---------------------------------------------------------------------------------------------

    def _take_packet(self, packet: RtpPacket) -> None:
        self.packets += 1
        if packet.payload:
            self._incoming.add(Packet(packet.sequence_number, packet.timestamp, packet.payload))

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        async for chunk in self._incoming.chunks():
            self.ear.frames.append(HeardFrame(loop.time(), chunk.pcm, dbfs(chunk.pcm)))
            self._news.set()

    async def hears(self, since: float, *, within_s: float) -> HeardFrame:
        """Wait for the first audible packet after ``since``.

        :raises TimeoutError: if there is none within ``within_s``.
        """
        return await self._until(lambda: self.ear.first_loud(since), within_s)

    async def hears_silence(self, for_s: float, *, within_s: float) -> None:
        """Wait until nothing was audible for ``for_s``.

        :raises TimeoutError: if the agent does not stop within ``within_s``.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()

        def quiet() -> bool | None:
            last = self.ear.last_loud(began - for_s)
            return loop.time() - (began if last is None else last.at) >= for_s or None

        await self._until(quiet, within_s)

    async def quiet(self, for_s: float, *, within_s: float) -> None:
        """Wait until for ``for_s`` nothing was audible and no event came: the server has nothing more to say.

        :raises TimeoutError: if it goes on for longer than ``within_s``.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()

        def nothing() -> bool | None:
            loud = self.ear.last_loud(began - for_s)
            news = max(began, loud.at if loud else 0.0, self.events[-1]["at"] if self.events else 0.0)
            return loop.time() - news >= for_s or None

        await self._until(nothing, within_s)

    async def _until(self, look: Callable[[], T | None], within_s: float) -> T:
        """Look again at every packet and event until there is something to see."""
        async with asyncio.timeout(within_s):
            while (seen := look()) is None:
                self._news.clear()
                await self._news.wait()
        return seen

    # -- events ----------------------------------------------------------------------------------------------

    def send(self, event: dict[str, Any]) -> None:
        """A client event to the server."""
        self._channel.send(json.dumps(event))

    def _take_event(self, text: str | bytes) -> None:
        event = json.loads(text)
        event["at"] = asyncio.get_running_loop().time()
        self.events.append(event)
        self._news.set()

    def _state_changed(self) -> None:
        if self._pc.connectionState in ("failed", "closed"):
            self._ended.set()
            self._news.set()

    async def ended(self) -> None:
        """Wait until the line is gone."""
        await self._ended.wait()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """All events of one type so far."""
        return [event for event in self.events if event["type"] == kind]

    async def told(self) -> AsyncIterator[dict[str, Any]]:
        """Every event, in order, until the line is gone."""
        read = 0
        while True:
            while read < len(self.events):
                read += 1
                yield self.events[read - 1]
            if self._ended.is_set():
                return
            self._news.clear()
            await self._news.wait()

    async def event(self, kind: str, *, after: int = 0, within_s: float = 10.0) -> dict[str, Any]:
        """The next event of a type, from position ``after`` of `events` on.

        :raises TimeoutError: if none comes within ``within_s``; it says what came last.
        """
        try:
            return await self._until(
                lambda: next((event for event in self.events[after:] if event["type"] == kind), None), within_s
            )
        except TimeoutError as error:
            came = ", ".join(event["type"] for event in self.events[after:][-8:]) or "nothing"
            raise TimeoutError(f"no {kind} within {within_s:g} s; what came last: {came}") from error


def loud_end(pcm: I16) -> int:
    """Samples up to the end of the last 10 ms of int16 (n,) that are loud."""
    window = WIRE_RATE // 100
    starts = range(len(pcm) // window * window - window, -1, -window)
    levels = {start: dbfs(pcm[start : start + window]) for start in starts}
    limit = min(LOUD_DBFS, max(levels.values(), default=0.0) - LOUD_BELOW_PEAK_DB)
    for start in starts:
        if levels[start] > limit:
            return start + window
    return len(pcm)


def trimmed(pcm: I16) -> I16:
    """A recording up to its last loud 10 ms."""
    return pcm[: loud_end(pcm)]


def _untrusted(url: str, error: aiohttp.ClientSSLError) -> str:
    """What to do where TLS fails: either end may be at fault, but most often the certificate is the server's own."""
    if not isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"TLS fails with {url} ({error}); is it http://…?"
    return (
        f"the certificate of {url} is not known here ({error.certificate_error}); if it is of --self-signed: "
        f"SSL_CERT_FILE={certificate.own() / certificate.CERTIFICATE} antiphon call … (a copy of that file, if the "
        "server is another machine)"
    )


def _message(body: str) -> str:
    """The message in an error body, or the body."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200]
