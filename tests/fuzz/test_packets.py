"""Datagrams and payloads of any bytes: a frame is lost at most."""

from __future__ import annotations

import asyncio
import struct
from time import process_time

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from agent.transports.jitter import JitterBuffer, Packet
from agent.transports.microphone import Microphone
from agent.transports.opus import OpusDecoder
from tests.fuzz import FUZZ
from tests.fuzz.targets import CORPUS, datagrams, opus, rtp, stream

RTP = st.binary(min_size=13, max_size=200).map(lambda data: bytes([0x80 | data[0] & 0x3F]) + data[1:])
PAYLOADS = sorted(path.read_bytes() for path in (CORPUS / "opus").iterdir())
SPOKEN = list(datagrams((CORPUS / "stream" / "speech").read_bytes()))
COST_S = 0.02
"""of CPU, for one packet: a call's packet comes every 20 ms, and there are other calls"""


@st.composite
def datagram(draw: st.DrawFn) -> bytes:
    """RTP whose header says whatever it likes of its own length: sources, an extension, padding (RFC 3550, 5.1)."""
    sources, extended, padded = draw(st.integers(0, 15)), draw(st.booleans()), draw(st.booleans())
    first = 0x80 | padded << 5 | extended << 4 | sources
    header = struct.pack("!BBHII", first, 111, draw(st.integers(0, 65_535)), draw(st.integers(0, 2**32 - 1)), 7)
    header += bytes(4 * draw(st.sampled_from([sources, 0, 15])))
    if extended:
        words = draw(st.integers(0, 3))
        header += struct.pack("!HH", 0xBEDE, draw(st.sampled_from([words, 0, 65_535]))) + bytes(4 * words)
    tail = draw(st.sampled_from([b"\x01", b"\x00", b"\xff", bytes(3) + b"\x04"])) if padded else b""
    return header + draw(st.sampled_from(PAYLOADS) | st.binary(max_size=80)) + tail


@FUZZ
@given(RTP | datagram() | st.binary(max_size=20))
def test_any_header_is_read_or_is_none(data: bytes) -> None:
    rtp(data)


@FUZZ
@given(
    st.binary(max_size=1500) | st.sampled_from(PAYLOADS).flatmap(lambda good: st.binary(max_size=9).map(good.__add__))
)
def test_any_payload_is_decoded_or_refused(payload: bytes) -> None:
    opus(payload)


@FUZZ
@given(st.lists(st.binary(max_size=120), max_size=8))
def test_any_payload_after_another_is_too(payloads: list[bytes]) -> None:
    decoder = OpusDecoder(16_000)
    for payload in payloads:
        for pcm in (decoder.decode(payload), decoder.recover(payload, 320), decoder.conceal(320)):
            assert pcm is None or (pcm.dtype == np.int16 and len(pcm) <= 16_000 * 120 // 1000)


@FUZZ
@given(st.lists(datagram() | RTP | st.sampled_from(SPOKEN), max_size=40))
def test_any_datagrams_are_heard_in_order_and_within_bounds(sent: list[bytes]) -> None:
    stream(b"".join(len(data).to_bytes(2, "big") + data for data in sent))


PACKETS = st.lists(
    st.builds(
        Packet,
        st.integers(0, 65_535) | st.integers(0, 40),
        st.integers(0, 2**32 - 1) | st.integers(0, 40).map(lambda n: n * 960),
        st.binary(min_size=1, max_size=80) | st.sampled_from(PAYLOADS),
    ),
    max_size=60,
)


@FUZZ
@given(PACKETS, st.lists(st.floats(0, 5), max_size=60))
def test_any_packets_are_survived_and_bounded(packets: list[Packet], waits: list[float]) -> None:
    async def receive() -> list[int]:
        loop, microphone = asyncio.get_running_loop(), Microphone()
        now = loop.time()
        loop.time = lambda: now  # type: ignore[method-assign]
        for number, packet in enumerate(packets):
            microphone.add(packet)
            if number < len(waits):
                now += waits[number]
                microphone._wake()
        microphone.end()
        return [chunk.pts async for chunk in microphone.chunks()]

    heard = asyncio.run(receive())
    assert heard == sorted(heard), "media time runs backward"
    assert len(heard) <= 200


@FUZZ
@given(PACKETS, st.lists(st.floats(0, 0.2), min_size=60, max_size=60))
def test_a_jitter_buffer_gives_each_packet_once_and_holds_few(packets: list[Packet], waits: list[float]) -> None:
    buffer, now, given_on = JitterBuffer(), 0.0, []
    for packet, wait in zip(packets, waits, strict=False):
        now += wait
        given_on += list(buffer.expire(now)) + list(buffer.add(packet, now))
        assert len(buffer._waiting) <= 100 and len(buffer._missing) <= 32
        assert buffer.due is None or buffer.due > now
    assert len(given_on) <= len(packets)


@FUZZ
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.sampled_from(PAYLOADS), st.sampled_from(PAYLOADS))
@example(0, 29 * 48_000, b"\xf8", SPOKEN[5][12:])
def test_no_jump_of_the_timestamps_costs_the_other_calls_a_tick(first: int, then: int, one: bytes, two: bytes) -> None:
    async def receive() -> float:
        microphone = Microphone()
        microphone.add(Packet(1, first, one))
        began = process_time()
        microphone.add(Packet(2, then, two))
        return process_time() - began

    assert min(asyncio.run(receive()) for _ in range(3)) < COST_S
