"""How much a client may send: token buckets, of events and of bytes."""

from __future__ import annotations

BURST_S = 2.0
"""So many seconds' worth may come at once."""
SOUND_BYTES = 40 << 20
"""of sound that may come at once: ten minutes, which is what may wait to be heard"""
EVENT_BYTES = 512
"""that an event of sound weighs beside its size, so that empty ones weigh something"""


class Rate:
    """Lets so much pass in a second, and after a pause more at once. Pure; times are `loop.time()`.

    :param per_s: how much may pass in a second in the long run; 0 lets all pass.
    :param burst: how much may pass at once; what is larger never passes.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._at = 0.0

    def admits(self, now: float, weight: float = 1.0) -> bool:
        """Whether this may pass; if so, it has."""
        if not self._per_s:
            return True
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < weight:
            return False
        self._left -= weight
        return True


class Allowance:
    """What one client may send. Sound is weighed alone, and not counted: a recording may come in a thousand pieces at
    once, and what of it can wait to be heard is bounded elsewhere.

    :param events_per_s: 0 for no limit.
    :param bytes_per_s: of them, and as many again of sound; 0 for no limit.
    """

    def __init__(self, events_per_s: int, bytes_per_s: int) -> None:
        self._events = Rate(events_per_s, BURST_S * events_per_s)
        self._bytes = Rate(bytes_per_s, BURST_S * bytes_per_s)
        self._sound = Rate(bytes_per_s, SOUND_BYTES)
        most = [f"{per_s} {what}" for per_s, what in ((events_per_s, "events"), (bytes_per_s, "bytes")) if per_s]
        self.most = " or ".join(most)
        """in words, for a second"""

    def event(self, now: float, size: int) -> bool:
        """Whether an event of so many bytes may pass; if so, it has."""
        return self._bytes.admits(now, size) and self._events.admits(now)

    def sound(self, now: float, size: int) -> bool:
        """Whether an event with sound in it may."""
        return self._sound.admits(now, size + EVENT_BYTES)
