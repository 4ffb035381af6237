"""The agent's side of the server: loads the models once, and runs the rooms."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest

from agent.audio import EAR_RATE, WIRE_RATE
from agent.engines.local import Engines, LocalEngines
from agent.errors import ConfigError, SignalingError, TransportError, no_such_call, not_ready
from agent.freed_memory import give_back
from agent.loading import Loader
from agent.metrics import Metrics
from agent.participant import Participant
from agent.realtime.config import SESSION_S
from agent.realtime.requests import RequestError, json_object
from agent.recording import check_folder
from agent.rest.studio import Studio
from agent.room import Models, Room
from agent.rooms import Place, Rooms
from agent.seat import ALONE, Seat
from agent.settings import Settings
from agent.stalls import StallDetector
from agent.tools.toolbox import Toolbox
from agent.transports.aiortc_private import gather_on_ports, gather_only, gather_within
from agent.transports.base import Connection
from agent.transports.ice import Ice
from agent.transports.line import CallLine
from agent.transports.p2p import PeerConnection
from agent.transports.socket import Socket, SocketLine

log = logging.getLogger(__name__)

TOOLS_S = 3.0
"""How long calls wait for MCP servers, once the models are there."""
GATHER_S = 2.0
"""How long an answer waits for STUN and TURN servers."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def ice(settings: Settings) -> Ice:
    """How peers reach us, as the settings have it.

    :raises ConfigError: if they contradict each other.
    """
    chosen = settings.ice
    return Ice(
        chosen.servers,
        username=chosen.turn_username,
        credential=chosen.turn_credential.get_secret_value(),
        secret=chosen.turn_secret.get_secret_value(),
        ttl_s=chosen.turn_ttl_s,
        relay_only=chosen.relay_only,
        public_address=chosen.public_address,
    )


def gather_as_set(settings: Settings) -> None:
    """Look for our own addresses where the settings say, in the whole process, and for no longer than `GATHER_S`.

    :raises ConfigError: if they name what is no address, or no port.
    """
    chosen = settings.ice
    for address in chosen.addresses:
        try:
            ip_address(address)
        except ValueError as error:
            raise ConfigError(f"ice.addresses: {address!r} is no IP address") from error
    gather_only(chosen.addresses or (["127.0.0.1"] if is_loopback(settings.server.host) else []))
    gather_within(GATHER_S)
    if chosen.ports:
        low, high = map(int, chosen.ports.split("-"))
        if not 0 < low <= high < 65536:
            raise ConfigError(f"ice.ports: {chosen.ports} is no range of UDP ports; write one like 50000-50100")
        gather_on_ports(range(low, high + 1))


class Worker:
    """One process's models and calls.

    :param engines: where its models come from; its own by default.
    """

    def __init__(self, settings: Settings, engines: Engines | None = None) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._ice = ice(settings)
        self._loader = Loader(settings, engines or LocalEngines(settings))
        self.ready = asyncio.Event()
        self._rooms = Rooms(settings.room.capacity, self._over, lambda: self._sweep())
        self._lines: dict[str, CallLine] = {}
        """of the calls over WebRTC"""
        self.ended: Callable[[str], None] = lambda _: None
        """told the id of each call that was answered and is over"""
        self._group: asyncio.TaskGroup | None = None
        self._models: Models | None = None
        self._tools: Toolbox | None = None

    async def run(self) -> None:
        """Load the models, then serve calls until cancelled. Ends every call before it returns.

        :raises AntiphonError: if a model is missing or a setting names what does not exist.
        """
        gather_as_set(self.settings)
        if self.settings.room.recording:
            await asyncio.to_thread(check_folder, Path(self.settings.room.recording))
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._tools = await asyncio.to_thread(Toolbox.load, self.settings.tools)
                group.create_task(self._tools.run(), name="tools")
                self._models = await self._loader.load(group)
                await self._tools.ready(TOOLS_S)
                group.create_task(StallDetector(lambda _: self.metrics.loop_stalls.inc()).run(), name="stall detector")
                gc.collect()
                gc.freeze()  # what is loaded stays: a full collection of it takes 40 ms, two ticks of every call
                self.ready.set()
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._loader.close()
            if self._tools is not None:
                self._tools.close()
            gc.unfreeze()  # who goes on without this server gets its memory back

    @property
    def waiting(self) -> Mapping[str, str]:
        """What is not ready yet, and why."""
        return self._loader.waiting

    def ice_links(self) -> Sequence[str]:
        """STUN and TURN servers for a client, as values of the header ``Link``; passwords are good from now on."""
        return [server.link() for server in self._ice.servers()]

    @property
    def ice_policy(self) -> str:
        """What a client is to try: ``all`` of them beside its own addresses, the ``relay`` only, or ``none``."""
        return self._ice.policy

    @property
    def records(self) -> bool:
        """What is said in rooms is recorded."""
        return bool(self.settings.room.recording)

    async def exposition(self) -> bytes:
        """The counters as Prometheus reads them."""
        return generate_latest(self.metrics.registry)

    @property
    def studio(self) -> Studio:
        """What works on sound outside of calls.

        :raises SignalingError: 503 if the models are not ready.
        """
        return self._loader.studio

    @property
    def calls(self) -> int:
        """Calls in progress."""
        return len(self._rooms)

    # -- calls -----------------------------------------------------------------------------------------------

    async def answer(
        self, call_id: str, offer: str, *, extensions: bool, session: str, most_s: float, seat: Seat = ALONE
    ) -> str:
        """Start a call: SDP offer to SDP answer.

        :param extensions: send `antiphon.*` events.
        :param session: settings that the client gave with the offer, as in `session.update`; a JSON object. Of a room
            with others, those of who opens it count.
        :param most_s: the longest that this call may take, in s; 0 for no limit of its own.
        :param seat: where it is to be, and as whom.
        :raises SignalingError: 400 for an offer that can not be answered, 403 if the room is full, 503 if the models
            are not ready.
        """
        self._ready_or_raise()
        assert self._group is not None
        connection = PeerConnection(self._ice, WIRE_RATE if seat.room else EAR_RATE)
        try:
            line = self._lines[call_id] = CallLine(connection)
            self._enter(call_id, line, extensions, session, most_s, seat)
            answer = await connection.answer(offer)
        except BaseException as error:
            self._rooms.abandon(call_id)
            self._lines.pop(call_id, None)
            await connection.close("not answered")
            if isinstance(error, TransportError):
                raise SignalingError(400, str(error), code="invalid_offer", param="sdp") from error
            if isinstance(error, RequestError):
                raise SignalingError(400, str(error), code=error.code, param=error.param) from error
            raise
        self._rooms.begin(call_id, self._group)
        return answer

    async def rejoin(self, call_id: str, offer: str) -> str:
        """Go on with a call over a new peer connection: SDP offer to SDP answer.

        :raises SignalingError: 404 if there is no such call any more, 400 for an offer that can not be answered.
        """
        place, line = self._rooms.find(call_id), self._lines.get(call_id)
        if place is None or line is None or self._group is None:
            raise no_such_call(call_id)
        connection = PeerConnection(self._ice, line.rate)
        try:
            answer = await connection.answer(offer)
        except TransportError as error:
            await connection.close("not answered")
            raise SignalingError(400, str(error), code="invalid_offer", param="sdp") from error
        self._group.create_task(self._rejoin(place, line, connection), name=f"rejoin {call_id}")
        return answer

    async def add_candidates(self, call_id: str, fragment: str) -> None:
        """Further candidates of a client (trickle ICE).

        :raises SignalingError: 404 if there is no such call, 400 for what is no candidate or too many.
        """
        line = self._lines.get(call_id)
        if line is None:
            raise no_such_call(call_id)
        try:
            await line.add_candidates(fragment)
        except TransportError as error:
            raise SignalingError(
                400, f"These candidates can not be used: {error}.", code="invalid_candidate"
            ) from error

    async def hang_up(self, call_id: str) -> bool:
        """End a call; false if there is none of this id."""
        place = self._rooms.find(call_id)
        if place is not None:
            place.person.line.hang_up("hung up by request")
        return place is not None

    async def leave(self) -> None:
        """Say goodbye on every line, and hang up; returns when all calls are over."""
        await self._rooms.leave("server stopping")

    async def converse(self, call_id: str, socket: Socket, *, extensions: bool, session: str, most_s: float) -> None:
        """A call over a WebSocket; returns when it is over.

        :param extensions: send `antiphon.*` events.
        :param session: settings that came with the token, as in `session.update`; a JSON object.
        :param most_s: the longest that this call may take, in s; 0 for no limit of its own.
        :raises SignalingError: 503 if the models are not ready.
        """
        self._ready_or_raise()
        assert self._group is not None
        line = SocketLine(socket)
        try:
            self._enter(call_id, line, extensions, session, most_s, ALONE)
        except RequestError as error:
            raise SignalingError(400, str(error), code=error.code, param=error.param) from error
        call = self._rooms.begin(call_id, self._group)
        try:
            await asyncio.shield(call)
        finally:
            line.hang_up("client gone")

    async def attach(self, call_id: str, socket: Socket, *, extensions: bool) -> None:
        """A further client of a call, over a WebSocket; returns when it is gone, or the call is over.

        :param extensions: send it `antiphon.*` events.
        :raises SignalingError: 404 if there is no such call, 429 if it has as many clients as it may.
        """
        place = self._rooms.place(call_id)
        await place.room.attach(place.person, SocketLine(socket), extensions=extensions)

    def _ready_or_raise(self) -> None:
        if self._models is None or self._group is None or not self.ready.is_set():
            raise not_ready(self.waiting)

    def _enter(self, call_id: str, line: Connection, extensions: bool, session: str, most_s: float, seat: Seat) -> None:
        given = json_object(session)
        longest_s = min(most for most in (most_s, self.settings.limits.longest_s, SESSION_S) if most)
        person = Participant(call_id, line, extensions=extensions, longest_s=longest_s, seat=seat)
        self._rooms.enter(seat, person, lambda: self._room(seat.room, given, person))

    def _room(self, name: str, session: Mapping[str, Any], first: Participant) -> Room:
        assert self._models is not None
        return Room(
            name,
            self._models,
            self.settings,
            self.metrics,
            session=session,
            plays_itself=first.line.plays_itself,
            longest_s=first.longest_s,
            tools=self._tools,
        )

    async def _rejoin(self, place: Place, line: CallLine, connection: PeerConnection) -> None:
        if await line.switch(connection, self.settings.limits.connect_s):
            await place.room.greet_again(place.person)

    def _over(self, call_id: str) -> None:
        self._lines.pop(call_id, None)
        self.ended(call_id)

    def _sweep(self) -> None:
        """A call leaves rings behind, exceptions and the frames they came through, and these hold buffers and the
        threads of FFmpeg's filters. What is not frozen is small: this takes 1 to 3 ms. What the last one freed is the
        system's again."""
        gc.collect()
        if not len(self._rooms):
            give_back()
