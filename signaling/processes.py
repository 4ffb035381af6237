"""Calls on several processes behind one port: `antiphon serve --processes N`.

One interpreter runs on one core at a time. Here the models, and the threads they work in, stay in this process, which
only negotiates; every call lives in one of N others, from offer to goodbye, and these ask for the models over a Unix
socket (`agent.engine_host`). The people of one room are in one of them: they share a conversation and its sound. A
process that dies takes its calls with it, no others, and is replaced.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from agent.engine_host import host
from agent.engines.ending import end, send
from agent.engines.local import LocalEngines
from agent.errors import ConfigError, SignalingError, no_such_call, not_ready
from agent.loading import Loader
from agent.rest.studio import Studio
from agent.seat import ALONE, Seat, Seats
from agent.settings import Settings
from agent.worker import ice
from signaling.call_process import Task
from signaling.calls import CALL_ID, MOST_S
from signaling.exposition import merged
from signaling.fragments import FRAGMENT
from signaling.rooms import SEAT, told
from signaling.sockets import INVALID, MESSAGE_BYTES
from signaling.workers import Socket

log = logging.getLogger(__name__)

FIRST_BACKOFF_S, LAST_BACKOFF_S = 0.2, 5.0
"""between the death of a process and the start of the next, doubled each time until one gets ready"""
END_S = 5.0
"""between SIGTERM and SIGKILL: goodbyes take a moment"""


class CallProcess:
    """One process that holds calls; started again whenever it ends.

    :param ended: told the id of each call that is over.
    """

    def __init__(self, number: int, ended: Callable[[str], None]) -> None:
        self.number = number
        self.ready = False
        self.calls: set[str] = set()
        """those that it holds, from their offer on"""
        self.changed = asyncio.Event()
        """set when it gets ready, and when it ends"""
        self._ended = ended
        self._leaving = False
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None

    async def run(self, task: Task) -> None:
        """Keep one alive until cancelled, or told to leave; then end it."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            if await self._live(task):
                backoff_s = FIRST_BACKOFF_S
            if self._leaving:
                return
            log.error("a process with calls ended, and is started again process=%d", self.number)
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, LAST_BACKOFF_S)

    async def leave(self) -> None:
        """Let it say goodbye on every line; returns when it is gone."""
        self._leaving = True
        while self._process is not None:
            self.changed.clear()
            send(self._process, signal.SIGTERM)
            await self.changed.wait()

    async def ask(self, method: str, path: str, **given: Any) -> tuple[int, bytes]:
        """An HTTP request to it: status and body of the answer.

        :raises SignalingError: 503 if it is not there.
        """
        try:
            if self._http is None:
                raise ConnectionError
            async with self._http.request(method, f"http://localhost{path}", **given) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise SignalingError(503, "This call's process has ended; try again.", code="process_ended") from error

    @asynccontextmanager
    async def connect(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket to it.

        :raises SignalingError: 503 if it is not there.
        """
        try:
            if self._http is None:
                raise ConnectionError
            socket = await self._http.ws_connect(
                f"http://localhost{path}", headers=headers, max_msg_size=MESSAGE_BYTES, compress=0
            )
        except (aiohttp.ClientError, OSError) as error:
            raise SignalingError(503, "This call's process has ended; try again.", code="process_ended") from error
        async with socket:
            yield socket

    async def _live(self, task: Task) -> bool:
        """The life of one; whether it ever got ready."""
        await asyncio.to_thread(Path(task.calls).unlink, missing_ok=True)
        process = self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "signaling.call_process"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None and process.stdout is not None
        lived = False
        try:
            async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(task.calls, limit=0)) as self._http:
                process.stdin.write(task.line())
                while line := await process.stdout.readline():
                    self._told(json.loads(line))
                    lived = lived or self.ready
        finally:
            self._http = None
            self.ready = False
            await end(process, END_S)
            self._process = None
            for call_id in list(self.calls):
                self._told({"ended": call_id})
            self.changed.set()
        return lived

    def _told(self, what: Mapping[str, Any]) -> None:
        if "ended" in what:
            self.calls.discard(what["ended"])
            self._ended(what["ended"])
        else:
            self.ready = True
            self.changed.set()


class Processes:
    """The server's calls, on several processes (`signaling.workers.AgentWorker`).

    :param config: the settings file, if not the usual one.
    :param flags: settings of the command line; the processes load what this one has loaded.
    """

    def __init__(
        self, settings: Settings, *, config: Path | None, flags: dict[str, dict[str, Any]], verbose: bool
    ) -> None:
        self.settings = settings
        self.ready = asyncio.Event()
        self._ice = ice(settings)
        self._loader = Loader(settings, LocalEngines(settings))
        self._config = str(config) if config else None
        self._flags = flags
        self._verbose = verbose
        self.ended: Callable[[str], None] = lambda _: None
        """told the id of each call that was answered and is over"""
        self._seats = Seats(settings.room.capacity)
        self._all = [CallProcess(number, self._over) for number in range(1, settings.server.processes + 1)]

    async def run(self) -> None:
        """Load the models and lend them; keep the processes alive until cancelled.

        :raises AntiphonError: if a model is missing or a setting names what does not exist.
        """
        try:
            folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="antiphon-"))
        except OSError as error:
            raise ConfigError(
                f"the processes need a folder to meet in, and none can be made ({error.strerror}): free some space, "
                "set TMPDIR to another folder, or serve without --processes"
            ) from error
        try:
            async with asyncio.TaskGroup() as group:
                runner = web.AppRunner(host(await self._loader.load(group)), access_log=None, shutdown_timeout=0.5)
                await runner.setup()
                try:
                    await web.UnixSite(runner, str(folder / "engines")).start()
                    await self._live(folder)
                finally:
                    await runner.cleanup()
        finally:
            self._loader.close()
            gc.unfreeze()
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _live(self, folder: Path) -> None:
        """Keep the processes alive; what they listen on is in ``folder``."""
        async with asyncio.TaskGroup() as group:
            for each in self._all:
                calls = str(folder / f"calls{each.number}")
                task = Task(str(folder / "engines"), calls, self._config, self._flags, self._verbose)
                group.create_task(each.run(task), name=f"process {each.number}")
            for each in self._all:
                while not each.ready:
                    each.changed.clear()
                    await each.changed.wait()
            gc.collect()
            gc.freeze()
            self.ready.set()

    @property
    def waiting(self) -> Mapping[str, str]:
        """What is not ready yet, and why; a process that is being replaced is missed only if it is the last."""
        down = [each for each in self._all if not each.ready]
        if self._loader.waiting or not down or (self.ready.is_set() and len(down) < len(self._all)):
            return self._loader.waiting
        return {f"process {each.number}": "starting" for each in down}

    @property
    def studio(self) -> Studio:
        """What works on sound outside of calls: here, where the models are."""
        return self._loader.studio

    async def answer(
        self, call_id: str, offer: str, *, extensions: bool, session: str, most_s: float, seat: Seat = ALONE
    ) -> str:
        """Start a call where its room's people are, or else in the process that has the fewest.

        :raises SignalingError: 403 if the room is full, 503 if no process is ready, or the room's has ended; whatever
            the process refuses it with.
        """
        chosen = self._home(seat.room) or self._fewest()
        self._seats.take(call_id, seat)
        form = aiohttp.FormData({"sdp": offer, "session": session}, default_to_multipart=True)
        path = "/v1/realtime/calls" + ("?extensions=antiphon" if extensions else "")
        headers = {CALL_ID: call_id, MOST_S: str(most_s), SEAT: told(seat)}
        chosen.calls.add(call_id)
        try:
            status, body = await chosen.ask("POST", path, data=form, headers=headers)
            if status != 201:
                raise _refusal(status, body)
        except BaseException:
            chosen.calls.discard(call_id)
            self._seats.leave(call_id)
            raise
        return body.decode()

    async def rejoin(self, call_id: str, offer: str) -> str:
        """Go on with a call over a new peer connection, in the process that holds it.

        :raises SignalingError: 404 if there is no such call any more; whatever the process refuses it with.
        """
        status, body = await self._holder(call_id).ask(
            "POST", f"/v1/realtime/calls/{call_id}", data=offer, headers={"Content-Type": "application/sdp"}
        )
        if status != 200:
            raise _refusal(status, body)
        return body.decode()

    async def add_candidates(self, call_id: str, fragment: str) -> None:
        """Further candidates of a client, for the process that holds the call.

        :raises SignalingError: 404 if there is no such call; whatever the process refuses them with.
        """
        status, body = await self._holder(call_id).ask(
            "PATCH", f"/v1/realtime/calls/{call_id}", data=fragment, headers={"Content-Type": FRAGMENT}
        )
        if status != 204:
            raise _refusal(status, body)

    async def leave(self) -> None:
        """Say goodbye on every line, and hang up; returns when all processes are gone."""
        await asyncio.gather(*(each.leave() for each in self._all))

    async def converse(self, call_id: str, socket: Socket, *, extensions: bool, session: str, most_s: float) -> None:
        """A call over a WebSocket, in the process that has the fewest; what either side says is passed on.

        :raises SignalingError: 503 if no process is ready.
        """
        chosen = self._fewest()
        chosen.calls.add(call_id)
        try:
            path = "/v1/realtime" + ("?extensions=antiphon" if extensions else "")
            async with chosen.connect(path, {CALL_ID: call_id, MOST_S: str(most_s)}) as inner:
                await inner.send_str(session)
                await _pass_on(socket, inner)
        finally:
            chosen.calls.discard(call_id)

    async def attach(self, call_id: str, socket: Socket, *, extensions: bool) -> None:
        """A further client of a call, in the process that holds it.

        :raises SignalingError: 404 if there is no such call, 503 if its process has ended.
        """
        path = f"/v1/realtime?call_id={call_id}" + ("&extensions=antiphon" if extensions else "")
        async with self._holder(call_id).connect(path, {}) as inner:
            await _pass_on(socket, inner)

    async def hang_up(self, call_id: str) -> bool:
        """End a call; false if no process has one of this id."""
        with suppress(SignalingError):
            return (await self._holder(call_id).ask("DELETE", f"/v1/realtime/calls/{call_id}"))[0] == 200
        return False

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
        """The counters of all processes as Prometheus reads them, with the label ``process``."""
        texts = {}
        for each in self._all:
            with suppress(SignalingError):
                texts[str(each.number)] = (await each.ask("GET", "/metrics"))[1].decode()
        return merged(texts)

    def _over(self, call_id: str) -> None:
        self._seats.leave(call_id)
        self.ended(call_id)

    def _home(self, room: str) -> CallProcess | None:
        """The process in which a room's people are, ready or not; None for a room without people."""
        people = self._seats.people(room)
        return next((each for each in self._all if people & each.calls), None)

    def _fewest(self) -> CallProcess:
        """The process with the fewest calls.

        :raises SignalingError: 503 if none is ready.
        """
        up = [each for each in self._all if each.ready]
        if not up:
            raise not_ready(self.waiting)
        return min(up, key=lambda each: len(each.calls))

    def _holder(self, call_id: str) -> CallProcess:
        """The process that holds a call.

        :raises SignalingError: 404 if none does.
        """
        for each in self._all:
            if call_id in each.calls:
                return each
        raise no_such_call(call_id)


async def _pass_on(outer: Socket, inner: aiohttp.ClientWebSocketResponse) -> None:
    """Messages from either side to the other, until one is gone."""

    async def outward() -> None:
        async for message in inner:
            await outer.send(message.data)
        await outer.close(inner.close_code or INVALID, "")

    async def inward() -> None:
        while (text := await outer.receive()) is not None:
            await inner.send_str(text)

    async with asyncio.TaskGroup() as group:
        ways = {group.create_task(outward(), name="outward"), group.create_task(inward(), name="inward")}
        with suppress(ConnectionError):
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        await inner.close()
        for way in ways:
            way.cancel()


def _refusal(status: int, body: bytes) -> SignalingError:
    """What a process refused an offer with, to be said again."""
    try:
        error = json.loads(body)["error"]
        return SignalingError(status, error["message"], code=error["code"], param=error["param"])
    except (ValueError, KeyError, TypeError):
        return SignalingError(502, "This call's process gave no answer that can be read; its log says why.")
