"""Who answers calls: the seam between signaling and the agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agent.worker import Worker as LocalWorker

__all__ = ["AgentWorker", "LocalWorker"]


class AgentWorker(Protocol):
    """Something that can take a call: the agent in this process, or in others (`signaling.processes`)."""

    @property
    def waiting(self) -> Mapping[str, str]:
        """What is not ready yet, and why."""
        ...

    async def answer(self, offer: str, *, extensions: bool, session: str) -> tuple[str, str]:
        """Start a call: SDP offer to its id and the SDP answer.

        :param extensions: send `antiphon.*` events.
        :param session: settings that the client gave with the offer, as in `session.update`; a JSON object.
        :raises SignalingError: 400 for an offer that can not be answered, 503 when there is no room for it.
        """
        ...

    async def hang_up(self, call_id: str) -> bool:
        """End a call; false if there is none of this id."""
        ...

    async def exposition(self) -> bytes:
        """The counters as Prometheus reads them."""
        ...
