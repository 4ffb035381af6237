"""The noise suppressor of WebRTC (BSD-3), as browsers run it, through pywebrtc-audio: `antiphon[webrtc-ns]`.

A Wiener filter over windows of 16 ms, whose estimate of the noise follows what is steady in the sound; no weights. It
takes 10 ms at a time and gives them back 6 ms later. It knows fans and hum, not dishes or voices, and the further it
goes the more words it costs (docs/media.md): hence the least level unless told otherwise.

Measured on one core: 0.02 ms for a packet of 20 ms; 2 ms to import.
"""

from __future__ import annotations

from typing import Literal

from pywebrtc_audio import NoiseSuppressor as Filter

from agent.audio import EAR_RATE, I16
from agent.engines.protocols import SuppressorStream

FRAME = EAR_RATE // 100


class WebRtcNs:
    """Shared by all participants of the process; the state is its streams'.

    :param level: how far the noise is lowered at most: 0 to 3 are 6, 12, 18 and 21 dB.
    """

    frame = FRAME

    def __init__(self, *, level: Literal[0, 1, 2, 3] = 0) -> None:
        self._level = level

    def stream(self) -> SuppressorStream:
        """A fresh state for one participant."""
        return _Stream(self._level)


class _Stream:
    """The filter of one participant; not for two threads at once."""

    def __init__(self, level: int) -> None:
        self._filter = Filter(EAR_RATE, 1, level)

    def __call__(self, pcm: I16) -> I16:
        """Int16 (k * FRAME,) at EAR_RATE to the same shape."""
        clean: I16 = self._filter.process(pcm)
        return clean
