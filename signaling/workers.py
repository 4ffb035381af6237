"""Who answers calls: the seam between signaling and the agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from agent.audio import EAR_RATE
from agent.engines.protocols import Segment, Task
from agent.rest.encoding import TYPES, Format
from agent.rest.speech import Part
from agent.rest.studio import Studio
from agent.rest.transcription import Ask, Transcriptions
from agent.seat import ALONE, Seat
from agent.transports.socket import Socket
from agent.worker import Worker as LocalWorker

__all__ = [
    "ALONE",
    "EAR_RATE",
    "TYPES",
    "AgentWorker",
    "Ask",
    "Format",
    "LocalWorker",
    "Part",
    "Seat",
    "Segment",
    "Socket",
    "Studio",
    "Task",
    "Transcriptions",
]


class AgentWorker(Protocol):
    """Something that can take a call: the agent in this process, or in others (`signaling.processes`)."""

    ended: Callable[[str], None]
    """told the id of each call that was answered and is over; set by who wants to know"""

    @property
    def waiting(self) -> Mapping[str, str]:
        """What is not ready yet, and why."""
        ...

    async def answer(
        self, call_id: str, offer: str, *, extensions: bool, session: str, most_s: float, seat: Seat = ALONE
    ) -> str:
        """Start a call: SDP offer to SDP answer.

        :param extensions: send `antiphon.*` events.
        :param session: settings that the client gave with the offer, as in `session.update`; a JSON object.
        :param most_s: the longest that this call may take, in s; 0 for no limit of its own.
        :param seat: the room that it joins, and as whom.
        :raises SignalingError: 400 for an offer that can not be answered, 403 if the room is full, 503 if the models
            are not ready.
        """
        ...

    async def rejoin(self, call_id: str, offer: str) -> str:
        """Go on with a call over a new peer connection: SDP offer to SDP answer.

        :raises SignalingError: 404 if there is no such call any more, 400 for an offer that can not be answered.
        """
        ...

    async def add_candidates(self, call_id: str, fragment: str) -> None:
        """Further candidates of a client (trickle ICE).

        :raises SignalingError: 404 if there is no such call, 400 for what is no candidate or too many.
        """
        ...

    async def converse(self, call_id: str, socket: Socket, *, extensions: bool, session: str, most_s: float) -> None:
        """A call over a WebSocket; returns when it is over. The parameters are those of `answer`.

        :raises SignalingError: 503 if the models are not ready.
        """
        ...

    async def attach(self, call_id: str, socket: Socket, *, extensions: bool) -> None:
        """A further client of a call, over a WebSocket; returns when it is gone, or the call is over.

        :param extensions: send it `antiphon.*` events.
        :raises SignalingError: 404 if there is no such call, 429 if it has as many clients as it may.
        """
        ...

    async def hang_up(self, call_id: str) -> bool:
        """End a call; false if there is none of this id."""
        ...

    async def leave(self) -> None:
        """Say goodbye on every line, and hang up; returns when all calls are over."""
        ...

    def ice_links(self) -> Sequence[str]:
        """STUN and TURN servers for a client, as values of the header ``Link``; passwords are good from now on."""
        ...

    @property
    def ice_policy(self) -> str:
        """What a client is to try: ``all`` of them beside its own addresses, the ``relay`` only, or ``none``."""
        ...

    @property
    def records(self) -> bool:
        """What is said in rooms is recorded."""
        ...

    @property
    def studio(self) -> Studio:
        """What works on sound outside of calls.

        :raises SignalingError: 503 if the models are not ready.
        """
        ...

    async def exposition(self) -> bytes:
        """The counters as Prometheus reads them."""
        ...
