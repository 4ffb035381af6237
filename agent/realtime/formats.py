"""Sound inside events: the three formats of the Realtime API, to and from samples.

``audio/pcm`` is 24 kHz, 16 bit, little-endian; ``audio/pcmu`` and ``audio/pcma`` are G.711 of telephony, 8 kHz, one
byte a sample. All mono, all base64.
"""

from __future__ import annotations

import binascii
from functools import cache
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

from agent.audio import EAR_RATE, I16, WIRE_RATE, Resampler, joined

Kind = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
RATES: dict[str, int] = {"audio/pcm": 24_000, "audio/pcmu": 8_000, "audio/pcma": 8_000}
"""Hz"""
_CODECS = {"audio/pcmu": "pcm_mulaw", "audio/pcma": "pcm_alaw"}


class SoundIn:
    """One client's microphone: `kind` to int16 at EAR_RATE."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._odd = b""
        self._resampler = Resampler(RATES[kind], EAR_RATE)

    @property
    def second(self) -> int:
        """Bytes of one second."""
        return RATES[self.kind] * (1 if self.kind in _CODECS else 2)

    def __call__(self, data: bytes) -> I16:
        """Bytes to int16 (n,) at EAR_RATE; half a sample waits for its other half."""
        if self.kind in _CODECS:
            return self._resampler(_decoded(self.kind)[np.frombuffer(data, np.uint8)])
        data = self._odd + data
        whole = len(data) // 2 * 2
        self._odd = data[whole:]
        return self._resampler(np.frombuffer(data[:whole], "<i2").astype(np.int16))


def unwrapped(audio: str) -> bytes:
    """What base64 stands for.

    :raises ValueError: if it is none.
    """
    try:
        return binascii.a2b_base64(audio, strict_mode=True)
    except ValueError as error:
        raise ValueError(f"not base64: {error}") from error


class SoundOut:
    """One answer's voice: int16 at WIRE_RATE to `kind`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._resampler = Resampler(WIRE_RATE, RATES[kind])
        self._encoder: Any = None
        if kind in _CODECS:
            self._encoder = av.CodecContext.create(_CODECS[kind], "w")
            self._encoder.sample_rate, self._encoder.format, self._encoder.layout = RATES[kind], "s16", "mono"

    def __call__(self, pcm: I16) -> bytes:
        """Int16 (n,) at WIRE_RATE to bytes; the filter holds the last ones back until `flush`."""
        return self._encoded(self._resampler(pcm))

    def flush(self) -> bytes:
        """What the filter still holds."""
        return self._encoded(self._resampler.flush())

    def _encoded(self, pcm: I16) -> bytes:
        if not len(pcm):
            return b""
        if self._encoder is None:
            return pcm.astype("<i2").tobytes()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None, :], format="s16", layout="mono")
        frame.sample_rate = RATES[self.kind]
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))


@cache
def _decoded(kind: str) -> NDArray[np.int16]:
    """Int16 (256,): what each byte of G.711 stands for."""
    context: Any = av.CodecContext.create(_CODECS[kind], "r")
    context.sample_rate, context.layout = RATES[kind], "mono"
    return joined(context.decode(av.Packet(bytes(range(256)))))
