"""The lines that are taken: how many calls there are, and whose; one more than allowed is refused."""

from __future__ import annotations

from dataclasses import dataclass

from agent.errors import SignalingError


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a call comes from."""

    who: str
    """the key or token (`signaling.tokens.Grant.who`)"""
    address: str
    """IP address; behind a proxy the proxy's, so that a limit per address wants clients that come directly"""


@dataclass(frozen=True, slots=True)
class Most:
    """Calls at once; 0 for no limit."""

    server: int
    key: int = 0
    address: int = 0


class Lines:
    """Which calls there are. Pure."""

    def __init__(self, most: Most) -> None:
        self._most = most
        self._calls: dict[str, Origin] = {}
        self.closing = False
        """no more calls: the server is about to stop"""

    def __len__(self) -> int:
        """Calls, from their offer on."""
        return len(self._calls)

    def begin(self, call_id: str, origin: Origin) -> None:
        """An offer has come.

        :raises SignalingError: 503 if all lines are busy, or no more calls are taken; 429 if this key or
            address has as many as it may.
        """
        if self.closing:
            raise SignalingError(503, "The server is about to stop; try another, or later.", code="server_closing")
        taken = self._calls.values()
        if len(taken) >= self._most.server:
            raise SignalingError(503, f"All {self._most.server} lines are busy; try again later.", code="server_full")
        for what, most, count in (
            ("key", self._most.key, sum(each.who == origin.who for each in taken)),
            ("address", self._most.address, sum(each.address == origin.address for each in taken)),
        ):
            if most and count >= most:
                raise SignalingError(
                    429, f"This {what} has {count} calls, as many as it may; end one.", code=f"{what}_limit"
                )
        self._calls[call_id] = origin

    def origin(self, call_id: str) -> Origin | None:
        """Where a call comes from, or None if there is no such call."""
        return self._calls.get(call_id)

    def end(self, call_id: str) -> None:
        """The call is over, or was refused."""
        self._calls.pop(call_id, None)
