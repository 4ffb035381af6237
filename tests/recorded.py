"""What a recording has in it, read by others: FFmpeg plays the tracks; pages are taken apart bit by bit."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from agent.audio import I16, TICK_SAMPLES, WIRE_RATE, read_audio
from agent.transports.opus import OpusDecoder

AT = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
FOLDER = "kitchen-2026-11-22T10-15-00Z"
FIRST, LAST = 2, 4
ALIKE = 0.8
"""What 32 kb/s leave of a voice, as `shift` has it; of two different voices it is below 0.3."""


def voice(seconds: float, hz: float) -> I16:
    """Something like speech: a buzz of this pitch, in syllables, -15 dBFS or so."""
    t = np.arange(round(seconds * WIRE_RATE)) / WIRE_RATE
    phase = 2 * np.pi * np.cumsum(hz * (1 + 0.1 * np.sin(2 * np.pi * 1.3 * t))) / WIRE_RATE
    buzz = sum((np.sin(n * phase + n * n) / n for n in range(1, 8)), np.zeros(len(t)))
    syllables = np.maximum(0.0, np.sin(2 * np.pi * 2.1 * t)) ** 0.5
    return np.asarray(np.rint(5000 * buzz * syllables), np.int16)


def ticks(pcm: I16) -> list[I16]:
    """Cut into pieces of 20 ms."""
    return list(pcm.reshape(-1, TICK_SAMPLES))


def played(path: Path) -> I16:
    """By FFmpeg's own decoder."""
    return read_audio(path, WIRE_RATE)


def played_by_libopus(path: Path) -> I16:
    """By the reference decoder; what every player leaves out at the beginning is left out."""
    head, _, *packets = [packet for page in pages(path.read_bytes()) for packet in page.packets]
    decoder = OpusDecoder()
    sounds = [pcm for packet in packets if (pcm := decoder.decode(packet)) is not None]
    return np.concatenate(sounds)[struct.unpack_from("<H", head, 10)[0] :]


def shift(heard: I16, source: I16) -> tuple[int, float]:
    """By how many samples one is behind the other, and how alike they are then: 1 is the same but for loudness."""
    size = 1 << (len(heard) + len(source)).bit_length()
    spectrum = np.fft.rfft(heard.astype(float), size) * np.conj(np.fft.rfft(source.astype(float), size))
    products = np.fft.irfft(spectrum, size)
    best = int(np.argmax(products))
    alike = float(products[best] / (np.linalg.norm(heard.astype(float)) * np.linalg.norm(source.astype(float))))
    return best - size if best > size // 2 else best, alike


def transcript(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "transcript.jsonl").read_bytes().decode().split("\n") if line]


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder and below it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an Ogg stream, checked."""

    flags: int
    granule: int
    serial: int
    sequence: int
    packets: list[bytes]


def pages(data: bytes) -> Iterator[Page]:
    """All pages of a file that has nothing but whole ones."""
    while data:
        magic, version, flags, granule, serial, sequence, check, count = struct.unpack_from("<4sBBqIIIB", data)
        assert (magic, version) == (b"OggS", 0)
        sizes = data[27 : 27 + count]
        end = 27 + count + sum(sizes)
        assert len(data) >= end, "a torn page"
        assert crc(data[:22] + bytes(4) + data[26:end]) == check
        assert not sizes or sizes[-1] < 255, "a packet goes over the end of its page"
        packets, packet, at = [], b"", 27 + count
        for size in sizes:
            packet += data[at : at + size]
            at += size
            if size < 255:
                packets.append(packet)
                packet = b""
        yield Page(flags, granule, serial, sequence, packets)
        data = data[end:]


def crc(data: bytes) -> int:
    """As RFC 3533 has it: polynomial 0x04c11db7, from 0, the highest bit first."""
    register = 0
    for byte in data:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1 ^ (0x04C11DB7 if register & 0x80000000 else 0)) & 0xFFFFFFFF
    return register
