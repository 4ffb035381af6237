"""Calls in which nobody speaks: `python -m bench.silent_callers URL COUNT`. Prints a line when all are connected, and
holds them until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack

from agent.caller import Caller
from agent.transports.aiortc_private import gather_only


async def hold(url: str, count: int) -> None:
    """So many calls, until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        for _ in range(count):
            await stack.enter_async_context(Caller(url, muted=True))
        print("connected", flush=True)
        await stop.wait()


if __name__ == "__main__":
    os.nice(10)
    gather_only(["127.0.0.1"])
    asyncio.run(hold(sys.argv[1], int(sys.argv[2])))
