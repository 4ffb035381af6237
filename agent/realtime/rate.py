"""How often something may happen: a token bucket."""

from __future__ import annotations


class Rate:
    """Lets so many pass in a second, and after a pause more at once. Pure; times are `loop.time()`.

    :param per_s: how many may pass in a second in the long run; 0 lets all pass.
    :param burst: how many may pass at once.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._at = 0.0

    def admits(self, now: float) -> bool:
        """Whether one more may pass; if so, it has."""
        if not self._per_s:
            return True
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
