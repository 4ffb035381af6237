"""Calls on several processes behind one port: `antiphon serve --processes N`.

One interpreter runs on one core at a time. Here the models, and the threads they work in, stay in this process, which
only negotiates; every call lives in one of N others, from offer to goodbye, and these ask for the models over a Unix
socket (`agent.engine_host`). A process that dies takes its calls with it, no others, and is replaced.
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
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from agent.engine_host import host
from agent.engines.local import LocalEngines
from agent.errors import SignalingError
from agent.loading import Loader
from agent.settings import Settings
from signaling.call_process import Task
from signaling.exposition import merged

log = logging.getLogger(__name__)

FIRST_BACKOFF_S, LAST_BACKOFF_S = 0.2, 5.0
"""between the death of a process and the start of the next, doubled each time until one gets ready"""
END_S = 5.0
"""between SIGTERM and SIGKILL: goodbyes take a moment"""


class CallProcess:
    """One process that holds calls; started again whenever it ends."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls: int | None = None
        """in progress; None while it is not ready"""
        self.offers = 0
        """calls that are being negotiated and not counted yet"""
        self.changed = asyncio.Event()
        self._http: aiohttp.ClientSession | None = None

    async def run(self, task: Task) -> None:
        """Keep one alive until cancelled; then end it."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            if await self._live(task):
                backoff_s = FIRST_BACKOFF_S
            log.error("a process with calls ended, and is started again process=%d", self.number)
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, LAST_BACKOFF_S)

    async def ask(self, method: str, path: str, **given: Any) -> tuple[int, Mapping[str, str], bytes]:
        """An HTTP request to it: status, headers and body of the answer.

        :raises SignalingError: 503 if it is not there.
        """
        try:
            if self._http is None:
                raise ConnectionError
            async with self._http.request(method, f"http://localhost{path}", **given) as response:
                return response.status, response.headers, await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise SignalingError(503, "This call's process has ended; try again.", code="process_ended") from error

    async def _live(self, task: Task) -> bool:
        """The life of one; whether it ever got ready."""
        ready = False
        await asyncio.to_thread(Path(task.calls).unlink, missing_ok=True)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "signaling.call_process"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None and process.stdout is not None
        connector = aiohttp.UnixConnector(task.calls, limit=0)
        try:
            async with aiohttp.ClientSession(connector=connector) as self._http:
                process.stdin.write(task.line())
                while line := await process.stdout.readline():
                    ready = True
                    self.calls = int(json.loads(line)["calls"])
                    self.changed.set()
        finally:
            self.calls = self._http = None
            self.changed.set()
            await _end(process)
        return ready


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
        self._loader = Loader(settings, LocalEngines(settings))
        self._config = str(config) if config else None
        self._flags = flags
        self._verbose = verbose
        self._all = [CallProcess(number) for number in range(1, settings.server.processes + 1)]

    async def run(self) -> None:
        """Load the models and lend them; keep the processes alive until cancelled.

        :raises AntiphonError: if a model is missing or a setting names what does not exist.
        """
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="antiphon-"))
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
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _live(self, folder: Path) -> None:
        """Keep the processes alive; what they listen on is in ``folder``."""
        async with asyncio.TaskGroup() as group:
            for each in self._all:
                calls = str(folder / f"calls{each.number}")
                task = Task(str(folder / "engines"), calls, self._config, self._flags, self._verbose)
                group.create_task(each.run(task), name=f"process {each.number}")
            for each in self._all:
                while each.calls is None:
                    each.changed.clear()
                    await each.changed.wait()
            gc.collect()
            gc.freeze()
            self.ready.set()

    @property
    def waiting(self) -> Mapping[str, str]:
        """What is not ready yet, and why; a process that is being replaced is missed only if it is the last."""
        down = [each for each in self._all if each.calls is None]
        if self._loader.waiting or not down or (self.ready.is_set() and len(down) < len(self._all)):
            return self._loader.waiting
        return {f"process {each.number}": "starting" for each in down}

    @property
    def calls(self) -> int:
        """Calls in progress."""
        return sum((each.calls or 0) + each.offers for each in self._all)

    async def answer(self, offer: str, *, extensions: bool, session: str) -> tuple[str, str]:
        """Start a call in the process that has the fewest.

        :raises SignalingError: 503 when there is no room; whatever the process refuses it with.
        """
        if self.calls >= self.settings.limits.calls:
            raise SignalingError(
                503, f"All {self.settings.limits.calls} lines are busy; try again later.", code="server_full"
            )
        up = [each for each in self._all if each.calls is not None]
        if not up:
            reasons = ", ".join(f"{part}: {why}" for part, why in self.waiting.items())
            raise SignalingError(503, f"The server is not ready yet ({reasons}); try again.", code="not_ready")
        chosen = min(up, key=lambda each: (each.calls or 0) + each.offers)
        form = aiohttp.FormData({"sdp": offer, "session": session}, default_to_multipart=True)
        path = "/v1/realtime/calls" + ("?extensions=antiphon" if extensions else "")
        chosen.offers += 1
        try:
            status, headers, body = await chosen.ask("POST", path, data=form)
        finally:
            chosen.offers -= 1
        if status != 201:
            raise _refusal(status, body)
        return headers["Location"].rpartition("/")[2], body.decode()

    async def hang_up(self, call_id: str) -> bool:
        """End a call; false if no process has one of this id."""
        for each in self._all:
            with suppress(SignalingError):
                if (await each.ask("DELETE", f"/v1/realtime/calls/{call_id}"))[0] == 200:
                    return True
        return False

    async def exposition(self) -> bytes:
        """The counters of all processes as Prometheus reads them, with the label ``process``."""
        texts = {}
        for each in self._all:
            with suppress(SignalingError):
                texts[str(each.number)] = (await each.ask("GET", "/metrics"))[2].decode()
        return merged(texts)


def _refusal(status: int, body: bytes) -> SignalingError:
    """What a process refused an offer with, to be said again."""
    try:
        error = json.loads(body)["error"]
        return SignalingError(status, error["message"], code=error["code"], param=error["param"])
    except (ValueError, KeyError, TypeError):
        return SignalingError(502, "This call's process gave no answer that can be read; its log says why.")


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, then SIGKILL; returns when it is dead and reaped."""
    try:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(END_S):
                    await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()
