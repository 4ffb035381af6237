"""The agent's side of the server: loads the models once, and runs the rooms."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Mapping
from ipaddress import ip_address

from prometheus_client import generate_latest

from agent.engines.local import Engines, LocalEngines
from agent.errors import SignalingError, TransportError
from agent.history import new_id
from agent.loading import Loader
from agent.metrics import Metrics
from agent.realtime.session import RequestError, json_object
from agent.room import Models, Room
from agent.settings import Settings
from agent.stalls import StallDetector
from agent.transports.aiortc_private import gather_only
from agent.transports.p2p import PeerConnection

log = logging.getLogger(__name__)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Worker:
    """One process's models and calls.

    :param engines: where its models come from; its own by default.
    :param counted: told how many calls there are whenever that changes.
    """

    def __init__(
        self,
        settings: Settings,
        engines: Engines | None = None,
        counted: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._loader = Loader(settings, engines or LocalEngines(settings))
        self.ready = asyncio.Event()
        self._rooms: dict[str, Room] = {}
        self._counted = counted
        self._group: asyncio.TaskGroup | None = None
        self._models: Models | None = None

    async def run(self) -> None:
        """Load the models, then serve calls until cancelled. Ends every call before it returns.

        :raises AntiphonError: if a model is missing or a setting names what does not exist.
        """
        ice = self.settings.ice.addresses
        gather_only(ice or (["127.0.0.1"] if is_loopback(self.settings.server.host) else []))
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._models = await self._loader.load(group)
                group.create_task(StallDetector(lambda _: self.metrics.loop_stalls.inc()).run(), name="stall detector")
                gc.collect()
                gc.freeze()  # what is loaded stays: a full collection of it takes 40 ms, two ticks of every call
                self.ready.set()
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._loader.close()

    @property
    def waiting(self) -> Mapping[str, str]:
        """What is not ready yet, and why."""
        return self._loader.waiting

    async def exposition(self) -> bytes:
        """The counters as Prometheus reads them."""
        return generate_latest(self.metrics.registry)

    @property
    def calls(self) -> int:
        """Calls in progress."""
        return len(self._rooms)

    # -- calls -----------------------------------------------------------------------------------------------

    async def answer(self, offer: str, *, extensions: bool, session: str) -> tuple[str, str]:
        """Start a call: SDP offer to its id and the SDP answer.

        :param extensions: send `antiphon.*` events.
        :param session: settings that the client gave with the offer, as in `session.update`; a JSON object.
        :raises SignalingError: 400 for an offer that can not be answered, 503 when there is no room for it.
        """
        if self._models is None or self._group is None or not self.ready.is_set():
            reasons = ", ".join(f"{part}: {why}" for part, why in self.waiting.items())
            raise SignalingError(503, f"The server is not ready yet ({reasons}); try again.", code="not_ready")
        if len(self._rooms) >= self.settings.limits.calls:
            raise SignalingError(
                503, f"All {self.settings.limits.calls} lines are busy; try again later.", code="server_full"
            )
        connection = PeerConnection()
        call_id = new_id("rtc")
        try:
            room = Room(
                call_id,
                connection,
                self._models,
                self.settings,
                self.metrics,
                extensions=extensions,
                session=json_object(session),
            )
            self._rooms[call_id] = room
            self._counted(self.calls)
            answer = await connection.answer(offer)
        except BaseException as error:
            self._forget(call_id)
            await connection.close("not answered")
            if isinstance(error, TransportError):
                raise SignalingError(400, str(error), code="invalid_offer", param="sdp") from error
            if isinstance(error, RequestError):
                raise SignalingError(400, str(error), code=error.code, param=error.param) from error
            raise
        self._group.create_task(self._run(room), name=f"call {call_id}")
        return call_id, answer

    async def hang_up(self, call_id: str) -> bool:
        """End a call; false if there is none of this id."""
        room = self._rooms.get(call_id)
        if room is not None:
            room.hang_up("hung up by request")
        return room is not None

    async def _run(self, room: Room) -> None:
        try:
            await room.run()
        finally:
            self._forget(room.call_id)
            # A call leaves rings behind, exceptions and the frames they came through, and these hold buffers and the
            # threads of FFmpeg's filters. What is not frozen is small: this takes 1 to 3 ms.
            gc.collect()

    def _forget(self, call_id: str) -> None:
        self._rooms.pop(call_id, None)
        self._counted(self.calls)
