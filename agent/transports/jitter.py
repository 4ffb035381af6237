"""Audio jitter buffer of the receive path: puts packets in order and never waits for a lost one.

aiortc's own holds four packets always (80 ms) and sixteen for ever after one loss (+200 ms). The listener is
no loudspeaker: it needs packets in order, not at even intervals. So a packet that continues the sequence
passes at once, with no delay at all; only behind a gap do packets wait, and for at most `PATIENCE` of them.
Then the gap is given up, and what it leaves is a jump in the timestamps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PATIENCE = 3
"""Packets (60 ms) that may wait behind a missing one."""
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
    """One stream's packets in order."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._waiting: dict[int, Packet] = {}
        self.lost = 0
        """packets that were given up"""
        self.late = 0
        """packets that came after they were given up, or twice"""

    def add(self, packet: Packet) -> Iterator[Packet]:
        """Take a packet as it arrives; yield those whose turn it now is."""
        if self._next is None:
            self._next = packet.sequence
        ahead = (packet.sequence - self._next) & 0xFFFF
        if ahead >= 0x8000:
            if 0x10000 - ahead <= RESTART:
                self.late += 1
                return
            yield from self._restart(packet)
        elif ahead > RESTART:
            yield from self._restart(packet)
        else:
            if packet.sequence in self._waiting:
                self.late += 1
            self._waiting[packet.sequence] = packet
        yield from self._in_order()
        while len(self._waiting) >= PATIENCE:
            self._give_up()
            yield from self._in_order()

    def _restart(self, packet: Packet) -> Iterator[Packet]:
        """The sender began anew: let go of what waits, and go on from here."""
        assert self._next is not None
        for sequence in sorted(self._waiting, key=self._distance):
            yield self._waiting[sequence]
        self._waiting = {packet.sequence: packet}
        self._next = packet.sequence

    def _in_order(self) -> Iterator[Packet]:
        assert self._next is not None
        while (packet := self._waiting.pop(self._next, None)) is not None:
            self._next = (self._next + 1) & 0xFFFF
            yield packet

    def _give_up(self) -> None:
        """Skip to the oldest packet that waits."""
        assert self._next is not None
        oldest = min(self._waiting, key=self._distance)
        self.lost += self._distance(oldest)
        self._next = oldest

    def _distance(self, sequence: int) -> int:
        assert self._next is not None
        return (sequence - self._next) & 0xFFFF
