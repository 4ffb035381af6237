"""A real server in a process of its own, for benches and tests."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import psutil

READY_S = 60.0
STOP_S = 10.0
PINNED = {"ANTIPHON__LLM__MODEL": "smollm2", "ANTIPHON__ICE__ADDRESSES": '["127.0.0.1"]'}
"""What every figure is measured with, whatever the machine would choose."""


class Server:
    """`antiphon serve` on a free port. Use as an async context manager.

    :param settings: environment beside `PINNED`, such as ``{"ANTIPHON__TURN__ENDPOINTING_MS": "300"}``.
    :param arguments: of the command, such as ``["--verbose"]``.
    """

    def __init__(self, settings: Mapping[str, str] | None = None, arguments: Sequence[str] = ()) -> None:
        self._arguments = arguments
        self._settings = {**os.environ, **PINNED, **(settings or {})}
        self._process: asyncio.subprocess.Process | None = None
        self._log = Path()
        self._printed = ""
        self.url = ""
        self.ready_s = 0.0
        """from the start of the process to /readyz"""

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        began = loop.time()
        log, name = await asyncio.to_thread(tempfile.mkstemp, prefix="antiphon-", suffix=".log")
        self._log = Path(name)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agent.cli", "serve", "--port", "0", *self._arguments),
            env=self._settings,
            stdout=log,
            stderr=log,
        )
        os.close(log)
        try:
            async with asyncio.timeout(READY_S):
                await self._until_ready()
        except TimeoutError as error:
            await self.stop()
            raise RuntimeError(f"the server was not ready within {READY_S:.0f} s") from error
        except RuntimeError:
            await self.stop()
            raise
        self.ready_s = loop.time() - began
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self._printed = await asyncio.to_thread(self.log)
        await asyncio.to_thread(self._log.unlink, missing_ok=True)
        return self._process.returncode or 0

    async def exited(self) -> int:
        """Wait until it has ended by itself; the exit status."""
        assert self._process is not None
        return await self._process.wait()

    def log(self) -> str:
        """What the server has printed, also after its end."""
        return self._log.read_text() if self._log.is_file() else self._printed

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    async def counter(self, name: str) -> float:
        """A counter or gauge of /metrics, all its labels together.

        :raises KeyError: if there is none of this name.
        """
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/metrics") as response:
            found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)", await response.text(), re.MULTILINE)
        if not found:
            raise KeyError(f"/metrics has no {name}")
        return sum(map(float, found))

    async def calls_over(self, within_s: float) -> None:
        """Wait until no call is left.

        :raises TimeoutError: if one stays.
        """
        async with asyncio.timeout(within_s):
            while await self.counter("antiphon_calls_active"):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.2)

    def processes(self) -> list[psutil.Process]:
        """The server and its children."""
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]

    async def _until_ready(self) -> None:
        assert self._process is not None
        while not (found := re.search(r"http://\S+?:\d+", log := await asyncio.to_thread(self.log))):
            if self._process.returncode is not None:
                raise RuntimeError(f"the server ended with status {self._process.returncode}:\n{log}")
            await asyncio.sleep(0.02)
        self.url = found.group().replace("localhost", "127.0.0.1")
        async with aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"{self.url}/readyz") as response:
                    if response.status == 200:
                        return
                if self._process.returncode is not None:
                    log = await asyncio.to_thread(self.log)
                    raise RuntimeError(f"the server ended with status {self._process.returncode}:\n{log}")
                await asyncio.sleep(0.05)
