"""The playout of a client that plays the agent's voice by itself: it gets all of it at once, and we keep the time.

What is read here, tick by tick, is heard by nobody; it tells how far the client should be. Who is softer, or pauses, is
not ours to say; only that nothing more will come, and from where on the rest was not heard.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.audio import I16
from agent.speaking.playout import Playout

AHEAD_S = 600.0
"""Speech that may be made ahead of the ear: any answer."""


class ClientPlayout(Playout):
    """A `Playout` whose speech leaves as it is written.

    :param send: takes int16 (n,) at WIRE_RATE of the current reply.
    """

    ahead_s = AHEAD_S
    plays_on = True

    def __init__(self, send: Callable[[I16], None]) -> None:
        super().__init__()
        self._send = send

    def push(self, pcm: I16) -> None:
        """Send int16 (n,), or keep it with a draft."""
        super().push(pcm)
        if len(pcm) and not self._held:
            self._send(pcm)

    def duck(self) -> None:
        """The client goes on as it was."""

    def hold(self) -> None:
        """The client goes on as it was."""

    def release(self) -> None:
        """The draft is the answer: send what there is of it."""
        if self._held:
            for pcm in tuple(self._chunks):
                self._send(pcm)
        super().release()
