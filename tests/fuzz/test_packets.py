"""Datagrams and payloads of any bytes: a frame is lost at most."""

from __future__ import annotations

import asyncio

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.transports.aiortc_private import Header, is_media
from agent.transports.jitter import Packet
from agent.transports.microphone import Microphone
from agent.transports.opus import OpusDecoder
from tests.fuzz import FUZZ

RTP = st.binary(min_size=13, max_size=200).map(lambda data: bytes([0x80 | data[0] & 0x3F]) + data[1:])


@FUZZ
@given(RTP)
def test_any_header_is_read_or_is_none(data: bytes) -> None:
    is_media(data)
    header = Header.of(data)
    if header is not None:
        assert 0 <= header.sequence_number < 1 << 16
        assert 0 <= header.timestamp < 1 << 32
        assert len(header.payload) <= len(data) - 12


@FUZZ
@given(st.lists(st.binary(max_size=120), max_size=8))
def test_any_payload_is_decoded_or_refused(payloads: list[bytes]) -> None:
    decoder = OpusDecoder(16_000)
    for payload in payloads:
        for pcm in (decoder.decode(payload), decoder.recover(payload, 320), decoder.conceal(320)):
            assert pcm is None or (pcm.dtype == np.int16 and len(pcm) <= 16_000 * 120 // 1000)


PACKETS = st.lists(
    st.builds(Packet, st.integers(0, 65_535), st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=80)),
    max_size=60,
)


@FUZZ
@given(PACKETS)
def test_any_packets_are_survived_and_bounded(packets: list[Packet]) -> None:
    async def receive() -> list[int]:
        microphone = Microphone()
        for packet in packets:
            microphone.add(packet)
        microphone.end()
        return [chunk.pts async for chunk in microphone.chunks()]

    heard = asyncio.run(receive())
    assert heard == sorted(heard), "media time runs backward"
    assert len(heard) <= 200
