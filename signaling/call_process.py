"""One of several processes that hold calls: ``python -m signaling.call_process``; `signaling.processes` is its parent.

- stdin: one line of JSON, the fields of `Task`, then nothing. The pipe stays open; its end means that the parent is
  gone, and the process ends.
- stdout: a line of JSON, ``{"ready": true}``, and then one for each call that is over, ``{"ended": "rtc_…"}``.
- stderr: the log, which is the parent's.

It answers on a Unix socket what the server answers on its port. SIGTERM lets it say goodbye on every line, and ends it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from agent.commands.serve import SHUTDOWN_S, leave_output
from agent.engines.shared import SharedEngines
from agent.engines.threads import leave_hung_threads
from agent.private_log import log_to_stderr
from agent.settings import load
from agent.worker import Worker
from signaling.app import CALLS, Access, create_app
from signaling.lines import Most
from signaling.runner import Runner

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """What the process is told on stdin."""

    engines: str
    """the socket behind which the models are"""
    calls: str
    """the socket to listen on"""
    config: str | None
    """the settings file, if not the usual one"""
    flags: dict[str, dict[str, Any]]
    """settings of the command line"""
    verbose: bool

    def line(self) -> bytes:
        """As the process reads it."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls) -> Self:
        """From stdin."""
        return cls(**json.loads(sys.stdin.buffer.readline()))


async def serve(task: Task) -> None:
    """Hold calls until SIGTERM, or until the parent is gone."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # the terminal tells the whole group; the parent decides

    def orphaned() -> None:
        loop.remove_reader(stdin)
        if not stop.is_set():
            log.error("the process that holds the models is gone; calls end with a goodbye")
            stop.set()

    stdin = sys.stdin.fileno()
    loop.add_reader(stdin, orphaned)  # nothing more comes but its end
    settings = load(Path(task.config) if task.config else None, **task.flags)
    worker = Worker(settings, SharedEngines(settings, Path(task.engines)))
    app = create_app(worker, Access(most=Most(server=settings.limits.calls), inside=True))
    forget = worker.ended

    def ended(call_id: str) -> None:
        forget(call_id)
        _tell({"ended": call_id})

    worker.ended = ended
    runner = Runner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await web.UnixSite(runner, task.calls).start()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(worker.run(), name="worker")
            ready = group.create_task(worker.ready.wait(), name="until ready")
            stopping = group.create_task(stop.wait(), name="until stopped")
            await asyncio.wait({running, ready, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                _tell({"ready": True})
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            app[CALLS].close()
            if stopping.done() and not running.done():
                await worker.leave()
            for waiting in (running, ready, stopping):
                waiting.cancel()
    finally:
        await runner.cleanup()


def _tell(what: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):  # the parent is gone; the calls still end one by one, with a goodbye
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Be one."""
    task = Task.read()
    # What a library prints is no line for the parent: descriptor 1 becomes the log, and ours is another.
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    log_to_stderr(task.verbose)
    asyncio.run(serve(task))
    leave_output()
    leave_hung_threads(0)


if __name__ == "__main__":
    main()
