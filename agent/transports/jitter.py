"""Audio jitter buffer of the receive path: puts packets in order, and waits for a missing one as long as it pays.

aiortc's own holds four packets always (80 ms) and sixteen for ever after one loss (+200 ms). The listener is no
loudspeaker: it needs packets in order, not at even intervals. So a packet that continues the sequence passes at once,
with no delay at all, and after a stall everything that comes in a burst passes in a burst: nothing is left to drain.
Only behind a gap do packets wait, for `LEAST_S` where the network keeps the order, and up to `MOST_S` where packets
have been seen to overtake each other. Then the gap is given up, and what it leaves is a jump in the timestamps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LEAST_S, MOST_S = 0.02, 0.06
"""packets behind a missing one wait this long: one packet's time where packets keep their order, three at most"""
SPARE_S = 0.01
"""added to how late the latest one was that came after all"""
CALM = 0.9
"""by which the waiting shrinks with every missing packet that never came: waiting for that one was for nothing"""
REMEMBERED = 32
"""missing packets that may still turn up, to learn from"""
RESTART = 100
"""A sequence number this far from the expected one (2 s) is a new start, not a late packet."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What the jitter buffer needs of an RTP packet."""

    sequence: int
    """16 bits, wraps"""
    timestamp: int
    """32 bits, wraps; samples at 48 kHz"""
    payload: bytes


class JitterBuffer:
    """One stream's packets in order. Times are `loop.time()`."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._waiting: dict[int, tuple[Packet, float]] = {}  # and when it came
        self._missing: dict[int, float] = {}  # given up, by when the waiting for it began
        self.patience_s = LEAST_S
        """how long packets behind a missing one wait at present"""
        self.lost = 0
        """packets that were given up"""
        self.late = 0
        """packets that came after they were given up, or twice"""

    @property
    def due(self) -> float | None:
        """When to call `expire`; None while nothing waits."""
        return min(came for _, came in self._waiting.values()) + self.patience_s if self._waiting else None

    def add(self, packet: Packet, now: float) -> Iterator[Packet]:
        """Take a packet as it arrives; yield those whose turn it now is."""
        if self._next is None:
            self._next = packet.sequence
        ahead = (packet.sequence - self._next) & 0xFFFF
        if 0x8000 <= ahead < 0x10000 - RESTART or RESTART < ahead < 0x8000:
            yield from self._restart(packet, now)
        elif ahead >= 0x8000:
            self._learn(packet.sequence, now)
            return
        elif packet.sequence in self._waiting:
            self.late += 1
            return
        else:
            self._waiting[packet.sequence] = packet, now
        yield from self._in_order()
        yield from self.expire(now)

    def expire(self, now: float) -> Iterator[Packet]:
        """Give up what was waited for long enough; yield the packets behind it."""
        while (due := self.due) is not None and now >= due:
            self._give_up(due - self.patience_s)
            yield from self._in_order()

    def _learn(self, sequence: int, now: float) -> None:
        """This one came too late, or twice; wait longer if it was too late."""
        self.late += 1
        began = self._missing.pop(sequence, None)
        if began is not None:
            self.patience_s = min(MOST_S, max(self.patience_s, now - began + SPARE_S))

    def _restart(self, packet: Packet, now: float) -> Iterator[Packet]:
        """The sender began anew: let go of what waits, and go on from here."""
        for sequence in sorted(self._waiting, key=self._distance):
            yield self._waiting[sequence][0]
        self._waiting = {packet.sequence: (packet, now)}
        self._missing.clear()
        self._next = packet.sequence

    def _in_order(self) -> Iterator[Packet]:
        assert self._next is not None
        while (found := self._waiting.pop(self._next, None)) is not None:
            self._next = (self._next + 1) & 0xFFFF
            yield found[0]

    def _give_up(self, since: float) -> None:
        """Skip to the oldest packet that waits; what is missing has been waited for since then."""
        assert self._next is not None
        oldest = min(self._waiting, key=self._distance)
        for step in range(self._distance(oldest)):
            self.lost += 1
            self._missing[(self._next + step) & 0xFFFF] = since
        while len(self._missing) > REMEMBERED:
            self._missing.pop(next(iter(self._missing)))
            self.patience_s = max(LEAST_S, self.patience_s * CALM)
        self._next = oldest

    def _distance(self, sequence: int) -> int:
        assert self._next is not None
        return (sequence - self._next) & 0xFFFF
