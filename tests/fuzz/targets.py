"""What reads bytes from outside, each as one function of bytes: for the corpus, and for `tests.fuzz.guided`.

A target returns, whatever the bytes; an exception is a finding.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable, Iterator
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import numpy as np
from aiohttp import web
from aiortc.sdp import candidate_from_sdp

from agent.errors import SignalingError, TransportError
from agent.transports.aiortc_private import Header, is_media
from agent.transports.candidates import MOST, sifted
from agent.transports.jitter import Packet
from agent.transports.microphone import WAITING, Microphone
from agent.transports.opus import OpusDecoder
from agent.transports.p2p import parsed_offer
from signaling.calls import offered
from tests.fuzz.frames import ERRORS, HANDSHAKE, Wire, checked
from tests.fuzz.server import running
from tests.sessions import told

CORPUS = Path(__file__).resolve().parent / "corpus"
RATE = 16_000
LONGEST = RATE * 120 // 1000
HELD: list[asyncio.Future[None]] = []
"""what the loop would forget"""


@cache
def runner() -> asyncio.Runner:
    """One loop for all."""
    found = asyncio.Runner()
    atexit.register(found.close)
    return found


@cache
def server() -> web.Server:
    """One server for all, on that loop."""

    async def run(started: asyncio.Future[web.Server]) -> None:
        async with running(keys=False) as theirs:
            assert theirs.server is not None
            started.set_result(theirs.server)
            await asyncio.Event().wait()

    async def start() -> web.Server:
        started: asyncio.Future[web.Server] = asyncio.get_running_loop().create_future()
        HELD.append(asyncio.ensure_future(run(started)))
        return await started

    return runner().run(start())


def offer(data: bytes) -> None:
    """An offer is read, or refused."""
    try:
        parsed_offer(sifted(offered(data), loopback=True))
    except (SignalingError, TransportError):
        pass


def candidates(data: bytes) -> None:
    """Candidates that are left can be tried: an address and a port to which a packet can be sent."""
    text = data.decode("utf-8", "replace")
    kept = sifted(text, loopback=False)
    lines = [line for line in kept.splitlines() if line.startswith("a=candidate:")]
    assert len(lines) <= MOST
    assert sifted(kept, loopback=False) == kept
    for line in lines:
        try:
            candidate = candidate_from_sdp(line.removeprefix("a=candidate:"))
        except ValueError:
            continue  # an extension of it is broken; told as a refusal
        address = ip_address(candidate.ip)
        assert 0 < candidate.port < 1 << 16 and candidate.component == 1
        assert not (address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast)


def event(data: bytes) -> None:
    """One client event gets answers that are valid, and the session lives."""
    after = '{"type": "session.update", "session": {}}'
    events = runner().run(told([data.decode("utf-8", "ignore"), after]))
    assert (events[0]["type"], events[-1]["type"]) == ("session.created", "session.updated")
    for each in events:
        if each["type"] == "error":
            assert each["error"]["type"] in ERRORS and each["error"]["code"] and each["error"]["message"]


def socket(data: bytes) -> None:
    """Bytes on a WebSocket get typed answers, or a goodbye, and leave nothing."""
    checked(runner().run(_written(data, server())))


async def _written(data: bytes, to: web.Server) -> bytes:
    wire = Wire(to)
    await wire.send(HANDSHAKE)
    await wire.send(data)
    await wire.idle()
    await wire.gone(to)
    return wire.said


def rtp(data: bytes) -> None:
    """A datagram's header is read, or it has none."""
    if not is_media(data):
        return
    header = Header.of(data)
    if header is not None:
        assert 0 <= header.sequence_number < 1 << 16
        assert 0 <= header.timestamp < 1 << 32
        assert len(header.payload) <= len(data) - 12


def opus(data: bytes) -> None:
    """A payload is decoded, or refused."""
    decoder = OpusDecoder(RATE)
    for pcm in (decoder.decode(data), decoder.recover(data, 320), decoder.conceal(320), decoder.decode(data)):
        assert pcm is None or (pcm.dtype == np.int16 and len(pcm) <= LONGEST)


def stream(data: bytes) -> None:
    """Datagrams, each after its length in two bytes, are heard in order and within bounds."""
    chunks = runner().run(_heard(list(datagrams(data))))
    assert chunks == sorted(chunks), "media time runs backward"
    assert len(chunks) <= WAITING


def datagrams(data: bytes) -> Iterator[bytes]:
    """As they stand in a file of the corpus."""
    while len(data) > 2:
        length = int.from_bytes(data[:2], "big")
        yield data[2 : 2 + length]
        data = data[2 + length :]


async def _heard(sent: list[bytes]) -> list[int]:
    microphone = Microphone(RATE)
    for datagram in sent:
        header = Header.of(datagram) if is_media(datagram) else None
        if header is not None and header.payload:
            microphone.add(Packet(header.sequence_number, header.timestamp, header.payload))
    microphone.end()
    return [chunk.pts async for chunk in microphone.chunks()]


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (offer, candidates, event, socket, rtp, opus, stream)
}
