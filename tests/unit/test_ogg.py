"""Opus in Ogg: pages that others can read, of which each that is whole plays, wherever the file breaks off."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audio import TICK_SAMPLES, WIRE_RATE
from agent.recording.ogg import LONG_TICKS, PRE_SKIP, OggOpus, checksum
from agent.transports.opus import OpusDecoder, OpusEncoder
from tests.recorded import FIRST, LAST, crc, pages, played, played_by_libopus, shift, ticks, voice


def stream(seconds: float = 2.0, page_ticks: int = 25) -> list[bytes]:
    """A voice; what is written at a time."""
    ogg, encoder, pieces = OggOpus({"TITLE": "Zoë 👋", "ALBUM": "kitchen"}), OpusEncoder(), []
    for count, pcm in enumerate(ticks(voice(seconds, 120.0)), 1):
        packet = encoder.encode(pcm)
        if packet is None or packet.size <= 2:
            ogg.silence(1)
        else:
            ogg.packet(bytes(packet))
        if count % page_ticks == 0:
            pieces.append(ogg.taken())
    return [*pieces, ogg.ended()]


@given(st.binary(min_size=1, max_size=400))
def test_the_checksum_is_the_one_of_the_standard(data: bytes) -> None:
    assert checksum(data) == crc(data)


def test_pages_are_those_of_rfc_7845() -> None:
    found = list(pages(b"".join(stream())))
    assert [page.sequence for page in found] == list(range(len(found)))
    assert len({page.serial for page in found}) == 1
    assert [page.flags for page in found] == [FIRST, *[0] * (len(found) - 2), LAST]
    assert found[0].packets == [struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, PRE_SKIP, WIRE_RATE, 0, 0)]
    (tags,) = found[1].packets
    assert tags.startswith(b"OpusTags\x08\0\0\0Antiphon\x02\0\0\0")
    assert "TITLE=Zoë 👋".encode() in tags
    assert [page.granule for page in found[:-1]] == [0, 0, *(25 * TICK_SAMPLES * n for n in range(1, len(found) - 2))]
    assert found[-1].granule == 100 * TICK_SAMPLES + PRE_SKIP


def test_two_streams_are_told_apart() -> None:
    assert len({next(pages(OggOpus({}).taken())).serial for _ in range(8)}) == 8


@pytest.mark.parametrize("count", [1, LONG_TICKS, 50, 255 * LONG_TICKS + 7, 180_000])
def test_silence_of_any_length_is_silence_and_small(count: int) -> None:
    ogg = OggOpus({})
    data = ogg.taken()
    ogg.silence(count)
    data = ogg.taken()
    samples, decoder = 0, OpusDecoder()
    for page in pages(data[: 1 << 15]) if count < 1000 else []:
        for packet in page.packets:
            pcm = decoder.decode(packet)
            assert pcm is not None
            assert not pcm.any()
            samples += len(pcm)
    assert count >= 1000 or samples == count * TICK_SAMPLES
    assert len(data) <= 60 + 2.7 * count, "an hour of silence is half a megabyte"


def test_a_packet_that_a_page_has_no_room_for_goes_into_the_next_one() -> None:
    ogg = OggOpus({})
    payloads = [bytes([n]) * 1275 for n in range(100)]
    for payload in payloads:
        ogg.packet(payload)
    found = list(pages(ogg.taken()))
    assert [packet for page in found[2:] for packet in page.packets] == payloads
    assert all(len(page.packets) <= 42 for page in found)
    assert found[2].granule == 42 * TICK_SAMPLES


def test_a_file_that_breaks_off_anywhere_plays_up_to_its_last_whole_page(tmp_path: Path) -> None:
    """A machine that loses its power may leave half a page."""
    pieces = stream()
    data, whole = b"".join(pieces), played_whole(tmp_path, pieces)
    rng = np.random.default_rng(1)
    for cut in (len(pieces[0]), *rng.integers(len(pieces[0]), len(data), 12)):
        written, complete = 0, 0
        for piece in pieces:
            written += len(piece)
            complete += written <= cut
        path = tmp_path / "torn.opus"
        path.write_bytes(data[:cut])
        pcm = played(path)
        samples = min(complete * 25 * TICK_SAMPLES, len(whole)) - PRE_SKIP
        assert samples <= len(pcm) <= len(whole)
        assert np.array_equal(pcm[:samples], whole[:samples])


def played_whole(folder: Path, pieces: list[bytes]) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    path = folder / "whole.opus"
    path.write_bytes(b"".join(pieces))
    pcm = played(path)
    assert len(pcm) == 2 * WIRE_RATE
    assert shift(pcm, played_by_libopus(path)[: len(pcm)])[1] > 0.99, "FFmpeg and libopus hear the same"
    return pcm
