"""The receive path of one participant: packets in, continuous sound out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from agent.audio import AudioChunk
from agent.transports.jitter import JitterBuffer, Packet
from agent.transports.opus import OpusDecoder

WAITING = 50
"""Chunks (1 s) that may wait for a slow listener; then the oldest go, and leave a jump in pts."""


class Microphone:
    """Jitter buffer, decoder and a bounded queue. `add` is called by the network, `chunks` by the listener."""

    def __init__(self) -> None:
        self._jitter = JitterBuffer()
        self._decoder = OpusDecoder()
        self._queue: deque[AudioChunk] = deque(maxlen=WAITING)
        self._ready = asyncio.Event()
        self._ended = False
        self._origin: int | None = None
        self._last = 0
        self._wraps = 0
        self.malformed = 0
        """packets that were no Opus"""
        self.overflow = 0
        """chunks that a slow listener lost"""

    @property
    def lost(self) -> int:
        """Packets that never became sound."""
        return self._jitter.lost + self.malformed + self.overflow

    def add(self, packet: Packet) -> None:
        """Take a packet as it arrives."""
        for ready in self._jitter.add(packet):
            pcm = self._decoder.decode(ready.payload)
            if pcm is None:
                self.malformed += 1
                continue
            self.overflow += len(self._queue) == WAITING
            self._queue.append(AudioChunk(pcm, self._pts(ready.timestamp)))
            self._ready.set()

    def end(self) -> None:
        """No more packets will come."""
        self._ended = True
        self._ready.set()

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        """Sound in order; a jump in ``pts`` is sound that never came."""
        while True:
            while self._queue:
                yield self._queue.popleft()
            if self._ended:
                return
            self._ready.clear()
            await self._ready.wait()

    def _pts(self, timestamp: int) -> int:
        """Samples since the first packet; RTP's 32 bits wrap after a day."""
        if self._origin is None:
            self._origin = self._last = timestamp
        if timestamp < self._last and self._last - timestamp > 1 << 31:
            self._wraps += 1
        self._last = timestamp
        return timestamp + (self._wraps << 32) - self._origin
