"""What a call costs: resident memory of server and language model, and the CPU of a silent call.

python -m bench.footprint [--calls 1] [--seconds 20]
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack

from agent.caller import Caller
from agent.transports.aiortc_private import gather_only
from bench.latency import turn
from bench.report import machine, save, table
from bench.server import Server
from bench.speech import questions


def cpu_s(server: Server) -> float:
    """CPU seconds of the server and its children so far."""
    times = [process.cpu_times() for process in server.processes()]
    return float(sum(time.user + time.system for time in times))


def memory_mb(server: Server) -> float:
    """Resident memory of the server and its children, MB; shared pages count once per process."""
    return float(sum(process.memory_info().rss for process in server.processes())) / 1e6


async def measure(calls: int, seconds: float) -> dict[str, object]:
    """Memory before and with calls that have talked; CPU of calls that send only the room's noise."""
    loop = asyncio.get_running_loop()
    async with Server() as server, AsyncExitStack() as stack:
        ready_s, empty_mb = server.ready_s, memory_mb(server)
        await asyncio.sleep(2.0)
        began, cpu = loop.time(), cpu_s(server)
        await asyncio.sleep(seconds / 2)
        idle = (cpu_s(server) - cpu) / (loop.time() - began)
        callers = [await stack.enter_async_context(Caller(server.url)) for _ in range(calls)]
        for caller in callers:
            await turn(caller, questions()[0])
        await asyncio.sleep(3.0)
        talked_mb = memory_mb(server)
        began, cpu = loop.time(), cpu_s(server)
        await asyncio.sleep(seconds)
        silent = (cpu_s(server) - cpu) / (loop.time() - began)
    return {
        "calls": calls,
        "ready_s": round(ready_s, 2),
        "memory_mb_no_call": round(empty_mb),
        "memory_mb_calls": round(talked_mb),
        "cpu_percent_idle_server": round(100 * idle, 2),
        "cpu_percent_per_silent_call": round(100 * (silent - idle) / calls, 2),
        "cpu_percent_server_and_calls": round(100 * silent, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    figures = asyncio.run(measure(args.calls, args.seconds))
    print(table(list(figures), [list(figures.values())]))
    print(f"\n{machine()}")
    save("footprint", figures)


if __name__ == "__main__":
    main()
