"""Opus in Ogg, page by page: whatever ends the process, what was written until then plays.

A page says by itself where it belongs, how long the sound is up to its end, and whether it is whole; nothing is filled
in afterwards. FFmpeg's muxer writes no better pages, and needs a container, a stream and packets with times for it.
Sources: RFC 3533 §6 (pages), RFC 7845 §4 and §5 (Opus in them), RFC 6716 §3 (Opus packets).
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Mapping
from typing import Final

from agent.audio import TICK_SAMPLES, WIRE_RATE

PRE_SKIP = 312
"""Samples at WIRE_RATE that libopus lags behind. Players leave them out at the beginning, so that a track's first
sample is the first one that was encoded."""
SILENCE: Final = b"\xf8\xff\xfe"
"""20 ms that every decoder plays as digital silence: CELT, mono, its silence flag set. "Nothing was sent" (DTX), a byte
less, would leave what to play to the player."""
LONG_TICKS = 6
"""120 ms, the longest packet"""
LONG_SILENCE: Final = b"\xfb\x06" + SILENCE[1:] * LONG_TICKS
"""so much silence in one packet"""
_FIRST, _LAST = 2, 4
_SEGMENT, _MOST_SEGMENTS = 255, 255
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class OggOpus:
    """One mono stream at WIRE_RATE; it gives bytes, and writes nothing itself.

    :param tags: what players show, such as ``{"TITLE": "Anna"}``.
    """

    def __init__(self, tags: Mapping[str, str]) -> None:
        self._serial = random.getrandbits(32)
        self._sequence = 0
        self._samples = 0
        self._segments = bytearray()
        self._body = bytearray()
        self._pages = bytearray()
        self._add(struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, PRE_SKIP, WIRE_RATE, 0, 0), 0)
        self._end_page(_FIRST)
        comments = [_counted(f"{name}={value}") for name, value in tags.items()]
        self._add(b"".join([b"OpusTags", _counted("Antiphon"), struct.pack("<I", len(comments)), *comments]), 0)
        self._end_page()

    def packet(self, payload: bytes) -> None:
        """Opus of one tick."""
        self._add(payload, TICK_SAMPLES)

    def silence(self, ticks: int) -> None:
        """So many ticks of nothing, 125 bytes for each second of it."""
        long, short = divmod(ticks, LONG_TICKS)
        self._add(LONG_SILENCE, LONG_TICKS * TICK_SAMPLES, long)
        self._add(SILENCE, TICK_SAMPLES, short)

    def taken(self) -> bytes:
        """Pages with all that came since this was last asked; b"" if nothing did."""
        if self._segments:
            self._end_page()
        pages, self._pages = bytes(self._pages), bytearray()
        return pages

    def ended(self, payload: bytes = SILENCE) -> bytes:
        """The same, and no more will come.

        :param payload: Opus of a further tick. Of it plays only what libopus lagged behind with.
        """
        self._add(payload, PRE_SKIP)
        self._end_page(_LAST)
        return self.taken()

    def _add(self, payload: bytes, samples: int, times: int = 1) -> None:
        """The same packet so many times; none of them goes over the end of a page."""
        full, rest = divmod(len(payload), _SEGMENT)
        lacing = bytes([_SEGMENT] * full + [rest])
        while times:
            fit = min(times, (_MOST_SEGMENTS - len(self._segments)) // len(lacing))
            if not fit:
                self._end_page()
                continue
            self._segments += lacing * fit
            self._body += payload * fit
            self._samples += samples * fit
            times -= fit

    def _end_page(self, flags: int = 0) -> None:
        where = (self._samples, self._serial, self._sequence)
        page = bytearray(struct.pack("<4sBBqIIIB", b"OggS", 0, flags, *where, 0, len(self._segments)))
        page += self._segments + self._body
        page[22:26] = struct.pack("<I", checksum(page))
        self._pages += page
        self._sequence += 1
        self._segments.clear()
        self._body.clear()


def checksum(page: bytes | bytearray) -> int:
    """Ogg's CRC-32 of a page whose field for it is 0."""
    # zlib's goes through the bits of a byte the other way round, and begins and ends with all bits inverted.
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_REVERSED), "big")


def _counted(text: str) -> bytes:
    """As comments are stored; what is no character becomes a question mark."""
    data = text.encode(errors="replace")
    return struct.pack("<I", len(data)) + data
