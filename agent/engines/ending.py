"""How a child process of ours ends: asked first, then killed, and never left unreaped."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress


def send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """A signal, if it still lives."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(number)


async def end(process: asyncio.subprocess.Process, within_s: float) -> None:
    """SIGTERM, and SIGKILL if it has not ended ``within_s`` later; returns when it is dead and reaped."""
    try:
        send(process, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await process.wait()
    finally:
        send(process, signal.SIGKILL)
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()
