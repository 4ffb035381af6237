"""The receive path of one participant: packets in, continuous sound out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from agent.audio import EAR_RATE, I16, WIRE_RATE, AudioChunk
from agent.transports.jitter import JitterBuffer, Packet
from agent.transports.opus import DTX_BYTES, OpusDecoder

WAITING = 50
"""Chunks (1 s) that may wait for a slow listener; then the oldest go, and leave a jump in pts."""
CONCEAL_S = 0.12
"""Of a hole that loss has left, this much is made up; the rest stays a hole. Libopus has faded out by then."""
STEP_S = 0.02
"""of what is made up at a time"""
TRAIL_S = 0.04
"""While a client sends nothing because all is silent, its silence is passed on this far behind: a packet that ends it
is hardly ever later than that."""
SILENCE_S = 2.0
"""for so long; by then whatever waits for silence has had enough, and hears of more when there is a packet"""
REST_S = 0.5
"""Of a silence that was passed on no further, this much is made up before the packet that ends it; the rest is a hole.
All of it would be half a minute at once, and more than may wait."""
SPOKEN = 3
"""Packets in a row that are speech; silence is refreshed by one now and then."""
NEW_STREAM_S = 30.0
"""A jump of the timestamps by more than this is a stream that began anew."""


class Microphone:
    """Jitter buffer, decoder and a bounded queue. `add` is called by the network, `chunks` by the listener.

    :param rate: of the sound that comes out; Opus is decoded straight to it.
    """

    def __init__(self, rate: int = EAR_RATE) -> None:
        self._jitter = JitterBuffer()
        self._decoder = OpusDecoder(rate)
        self._rate = rate
        self._frame = rate // 50  # samples of the last packet
        self._queue: deque[AudioChunk] = deque(maxlen=WAITING)
        self._ready = asyncio.Event()
        self._ended = False
        self._timestamp: int | None = None  # of the sample after the newest packet's last, as RTP counts
        self._pts = 0  # the same in samples at `rate`, from 0 and without wrapping
        self._made = 0  # samples that were passed on beyond that: silence that no packet brought yet
        self._timer: asyncio.TimerHandle | None = None
        self._still_at: float | None = None  # `loop.time()` at which the client said that nothing will come for a while
        self._quiet_at = 0.0  # … for the first time since it spoke
        self._spoken = SPOKEN  # packets with sound since then
        self.malformed = 0
        """packets that were no Opus"""
        self.overflow = 0
        """chunks that a slow listener lost"""
        self.concealed = 0
        """frames that were made up or recovered"""

    @property
    def lost(self) -> int:
        """Packets that never became sound."""
        return self._jitter.lost + self.malformed + self.overflow

    def add(self, packet: Packet) -> None:
        """Take a packet as it arrives."""
        now = asyncio.get_running_loop().time()
        for ready in self._jitter.add(packet, now):
            self._play(ready, now)
        self._set_timer(now)

    def end(self) -> None:
        """No more packets will come."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
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

    # -- packets -------------------------------------------------------------------------------------------------

    def _play(self, packet: Packet, now: float) -> None:
        missing = self._missing_before(packet)
        if missing > 0:
            self._fill(missing, packet.payload)
        pcm = self._decoder.decode(packet.payload)
        if pcm is None:
            self.malformed += 1
            pcm = self._decoder.conceal(self._frame)
        self._frame = len(pcm)
        self._timestamp = (packet.timestamp + len(pcm) * WIRE_RATE // self._rate) & 0xFFFFFFFF
        self._pass_on(pcm)
        if len(packet.payload) > DTX_BYTES:
            self._still_at = None
            self._spoken += 1
        else:
            self._still_at = now
            if self._spoken >= SPOKEN:
                self._quiet_at = now
            self._spoken = 0

    def _missing_before(self, packet: Packet) -> int:
        """Samples between the newest packet and this one."""
        if self._timestamp is None:
            return 0
        gap = (packet.timestamp - self._timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        return 0 if gap < 0 or gap > NEW_STREAM_S * WIRE_RATE else gap * self._rate // WIRE_RATE

    def _fill(self, missing: int, after: bytes) -> None:
        """Make up what is missing before the packet ``after``: of a lost frame, there may be a copy in it."""
        made = min(self._made, missing)
        self._made -= made
        missing -= made
        lost = self._still_at is None
        most = round((CONCEAL_S if lost else REST_S) * self._rate)
        if missing > most:
            hole = missing - most
            self._pts += hole
            missing -= hole
        while missing >= (self._frame if lost else 1):
            step = min(missing, round(STEP_S * self._rate))
            last = missing <= self._frame
            self._pass_on(self._decoder.recover(after, step) if lost and last else self._decoder.conceal(step))
            self.concealed += lost
            missing -= step
        self._pts += missing

    def _pass_on(self, pcm: I16) -> None:
        self.overflow += len(self._queue) == WAITING
        self._queue.append(AudioChunk(pcm, self._pts))
        self._pts += len(pcm)
        self._ready.set()

    # -- silence that is not sent ----------------------------------------------------------------------------------

    def _set_timer(self, now: float) -> None:
        """Wake up when a missing packet has been waited for, or when silence is to be passed on."""
        due = self._jitter.due
        if due is None and self._still_at is not None and now - self._quiet_at < SILENCE_S:
            due = self._still_at + self._made / self._rate + STEP_S + TRAIL_S
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due is None or self._ended else asyncio.get_running_loop().call_at(due, self._wake)

    def _wake(self) -> None:
        now = asyncio.get_running_loop().time()
        for ready in self._jitter.expire(now):
            self._play(ready, now)
        if self._still_at is not None and self._jitter.due is None:
            due = round((now - self._still_at - TRAIL_S) * self._rate) - self._made
            for _ in range(due // self._frame):
                self._pass_on(self._decoder.conceal(self._frame))
                self._made += self._frame
        self._set_timer(now)
