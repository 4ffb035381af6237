"""Speech as the bytes of a file, while it is made: nothing is written twice, so that they can be sent at once."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Final, Literal, cast, get_args

import av
import numpy as np

from agent.audio import I16, Resampler, joined

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
TYPES: Final[dict[Format, str]] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
RATE = 24_000
"""Hz of everything that is sent, one channel"""
FRAME = RATE // 50
"""samples that an encoder is given at once"""
ENDLESS = 0xFFFFFFFF
"""bytes of a WAV file whose length is not known yet"""
_MUXED: Final[dict[Format, tuple[str, str, int, dict[str, str]]]] = {
    # the container, its codec, bits a second, and what the container is told: no header that is filled in afterwards,
    # and pages of 0.2 s instead of one
    "mp3": ("mp3", "libmp3lame", 64_000, {"write_xing": "0", "id3v2_version": "0"}),
    "opus": ("ogg", "libopus", 32_000, {"page_duration": "200000"}),
    "aac": ("adts", "aac", 64_000, {}),
    "flac": ("flac", "flac", 0, {}),
}


class Encoder:
    """One stream of speech; its methods block for about a hundredth of what they are given.

    :param rate: Hz of what comes.
    :param speed: 0.25 to 4; the pitch stays.
    """

    def __init__(self, form: Format, rate: int, speed: float = 1.0) -> None:
        self._resampler = Resampler(rate, RATE)
        self._tempo = _Tempo(speed) if speed != 1.0 else None
        self._muxer = _Muxer(*_MUXED[form]) if form in _MUXED else None
        self._header = _wav_header() if form == "wav" else b""
        self.samples = 0
        """at `RATE`, of what was encoded"""

    def __call__(self, pcm: I16) -> bytes:
        """Int16 (n,) at the rate that comes to bytes; maybe none yet."""
        return self._encoded(self._resampler(pcm), last=False)

    def end(self) -> bytes:
        """What is left; no more calls after it."""
        return self._encoded(self._resampler.flush(), last=True)

    def _encoded(self, pcm: I16, *, last: bool) -> bytes:
        if self._tempo is not None:
            pcm = self._tempo(pcm, last=last)
        self.samples += len(pcm)
        header, self._header = self._header, b""
        if self._muxer is None:
            return header + pcm.astype("<i2").tobytes()
        return self._muxer(pcm, last=last)


class _Written:
    """Where a muxer writes to: it can not go back."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


class _Muxer:
    """FFmpeg's encoder and container."""

    def __init__(self, container: str, codec: str, bits: int, options: dict[str, str]) -> None:
        self._file = _Written()
        self._container = av.open(
            self._file, "w", format=container, container_options={"flush_packets": "1", **options}
        )
        self._stream = cast("av.AudioStream", self._container.add_stream(codec, rate=RATE))
        self._stream.layout = "mono"
        if bits:
            self._stream.bit_rate = bits
        self._format = self._stream.format.name
        self._convert = av.AudioResampler(format=self._format, layout="mono", rate=RATE)
        self._pts = 0

    def __call__(self, pcm: I16, *, last: bool) -> bytes:
        for begin in range(0, len(pcm), FRAME):
            self._give(pcm[begin : begin + FRAME])
        if last:
            for frame in self._convert.resample(None):
                self._container.mux(self._stream.encode(frame))
            self._container.mux(self._stream.encode(None))
            self._container.close()
        return self._file.taken()

    def _give(self, pcm: I16) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None, :], format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.time_base = Fraction(1, RATE)
        frame.pts = self._pts
        self._pts += len(pcm)
        for converted in self._convert.resample(frame):
            self._container.mux(self._stream.encode(converted))


class _Tempo:
    """FFmpeg's ``atempo``: quicker or slower at the same pitch."""

    def __init__(self, speed: float) -> None:
        graph = self._graph = av.filter.Graph()
        source = graph.add_abuffer(sample_rate=RATE, format="s16", layout="mono", time_base=Fraction(1, RATE))
        # One of them goes down to a half.
        steps = [0.5, speed / 0.5] if speed < 0.5 else [speed]
        graph.link_nodes(source, *(graph.add("atempo", f"{step:g}") for step in steps), graph.add("abuffersink"))
        graph.configure()
        self._convert = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        self._pts = 0

    def __call__(self, pcm: I16, *, last: bool) -> I16:
        if len(pcm):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None, :], format="s16", layout="mono")
            frame.sample_rate = RATE
            frame.time_base = Fraction(1, RATE)
            frame.pts = self._pts
            self._pts += len(pcm)
            self._graph.push(frame)
        if last:
            self._graph.push(None)
        found: list[I16] = []
        while True:
            try:
                pulled = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                break
            found.append(joined(self._convert.resample(cast("av.AudioFrame", pulled))))
        return np.concatenate(found) if found else np.zeros(0, np.int16)


def _wav_header() -> bytes:
    """Of a 16-bit WAV file that ends where it ends."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", ENDLESS, b"WAVE") + form + struct.pack("<4sI", b"data", ENDLESS)
