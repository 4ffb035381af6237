"""The parent's end of `agent.engines.llm.llama_child`: spawn it, hear its address, keep its log, end it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

import agent
from agent.engines.cores import SLEEPY_POOLS
from agent.engines.ending import end, send
from agent.engines.llm.llama_child import ChildSettings

TERMINATE_S = 2.0
"""s between SIGTERM and SIGKILL"""
LOG_LINES, LOG_BYTES = 12, 4096
"""of the child's log, kept for the message of its death"""


class ChildProcess:
    """One child, from its start to its end. Make it with `spawn`, `follow` its log, and `end` it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._log = b""

    @classmethod
    async def spawn(cls) -> Self:
        """Start one; it waits for its settings.

        :raises OSError: if this machine has no room for another process.
        """
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "agent.engines.llm.llama_child"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
            )
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def introduce(self, settings: ChildSettings, within_s: float) -> str | None:
        """Tell it its settings; gives the address at which it serves, None if it died or was too slow."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(ConnectionError, TimeoutError):
            self._process.stdin.write(settings.line())
            async with asyncio.timeout(within_s):
                if announcement := await self._process.stdout.readline():
                    return str(json.loads(announcement)["url"])
                await self._process.wait()  # it is about to die, of a cause of its own
        return None

    async def follow(self) -> None:
        """Read its log to the end, so that it never waits for a reader."""
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(4096):
            self._log = (self._log + chunk)[-LOG_BYTES:]

    async def wait(self) -> None:
        """Return when it is dead and reaped."""
        await self._process.wait()

    def kill(self) -> None:
        """SIGKILL, for a child that hangs."""
        send(self._process, signal.SIGKILL)

    async def end(self) -> None:
        """SIGTERM, then SIGKILL; returns when it is dead and reaped."""
        await end(self._process, TERMINATE_S)

    def obituary(self) -> str:
        """How it ended, and the end of its log."""
        code = self._process.returncode
        how = (
            f"was ended by {signal.Signals(-code).name}"
            if code is not None and code < 0
            else f"exited with status {code}"
        )
        lines = [line for line in self._log.decode(errors="replace").splitlines() if line.strip()]
        return f"{how}; {' | '.join(lines[-LOG_LINES:]) or 'it logged nothing'}"


def _environment() -> dict[str, str]:
    """Ours, with sleepy thread pools, and importing the same `agent` as we do."""
    root = str(Path(agent.__file__).parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    path = f"{root}{os.pathsep}{inherited}" if inherited else root
    return {**os.environ, **SLEEPY_POOLS, "PYTHONPATH": path}
