"""How many calls one machine carries: what a silent one costs, and what talking costs the others.

Silent calls are of two kinds: clients that send next to nothing while all is silent, as browsers do that our answer has
asked to (DTX), and clients that send the room's noise in fifty packets a second. CPU is the server's with its children,
in per cent of one core, above what the server takes without a call; memory likewise. The callers run beside it; silent
ones beside people who talk, in a process of low priority.

    python -m bench.capacity [--silent 1 10 30] [--talking 1 2 3 5 8]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from agent.caller import Caller
from agent.transports.aiortc_private import gather_only
from bench.capacity_plot import draw
from bench.footprint import cpu_s, memory_mb
from bench.latency import turn
from bench.report import machine, quantile, save, table
from bench.server import Server
from bench.speech import questions

CALLS = {"ANTIPHON__LIMITS__CALLS": "64"}
SETTLE_S, MEASURE_S = 4.0, 15.0
CONNECT_S = 60.0
"""for all silent callers"""
QUESTIONS_EACH = 6
APART_S = 0.7
"""between one person's first question and the next one's"""
BESIDE = 2
"""people who talk beside the silent calls"""


async def used(server: Server, seconds: float) -> float:
    """CPU of the server in per cent of one core."""
    loop = asyncio.get_running_loop()
    began, cpu = loop.time(), cpu_s(server)
    await asyncio.sleep(seconds)
    return 100 * (cpu_s(server) - cpu) / (loop.time() - began)


async def silent(counts: list[int]) -> list[dict[str, object]]:
    """What calls cost in which nobody speaks."""
    rows: list[dict[str, object]] = []
    async with Server(CALLS) as server:
        await asyncio.sleep(SETTLE_S)
        async with Caller(server.url) as caller:  # whatever is loaded late is loaded
            await turn(caller, questions()[0])
        await asyncio.sleep(SETTLE_S)
        nothing, empty_mb = await used(server, MEASURE_S), memory_mb(server)
        for muted in (True, False):
            for count in counts:
                if not muted and count > 10:
                    continue  # the callers would take the cores
                async with AsyncExitStack() as stack:
                    for _ in range(count):
                        await stack.enter_async_context(Caller(server.url, muted=muted))
                    await asyncio.sleep(SETTLE_S)
                    busy, full_mb = await used(server, MEASURE_S), memory_mb(server)
                rows.append(
                    {
                        "silent calls": count,
                        "client sends": "nothing" if muted else "noise",
                        "CPU a call %": round((busy - nothing) / count, 2),
                        "memory a call MB": round((full_mb - empty_mb) / count, 1),
                    }
                )
                print(rows[-1], flush=True)
                await asyncio.sleep(1.0)
    return rows


@asynccontextmanager
async def silent_elsewhere(url: str, count: int) -> AsyncIterator[None]:
    """So many silent calls, from a process that gives way to the server: people do not call from its machine."""
    if not count:
        yield
        return
    command = (sys.executable, "-m", "bench.silent_callers", url, str(count))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), CONNECT_S)
        yield
    finally:
        process.terminate()
        await process.wait()


async def person(url: str, number: int) -> list[dict[str, Any]]:
    """One person's questions, each after the last answer is over."""
    clips = questions()
    async with Caller(url, muted=True) as caller:
        await asyncio.sleep(1.0 + number * APART_S)
        return [await turn(caller, clips[(3 * number + n) % len(clips)]) for n in range(QUESTIONS_EACH)]


async def talking(people: int, beside: int) -> dict[str, object]:
    """So many people talking at once, beside so many silent calls."""
    async with Server(CALLS) as server:
        async with silent_elsewhere(server.url, beside):
            await asyncio.sleep(SETTLE_S)
            began, cpu = asyncio.get_running_loop().time(), cpu_s(server)
            each = await asyncio.gather(*(person(server.url, n) for n in range(people)))
            busy = 100 * (cpu_s(server) - cpu) / (asyncio.get_running_loop().time() - began)
        await server.calls_over(5.0)
        underruns = await server.counter("antiphon_playout_underruns_total")
        overruns = await server.counter("antiphon_tick_overruns_total")
    found = [one for turns in each for one in turns]
    heard = [one["voice_to_voice_ms"] for one in found if "voice_to_voice_ms" in one]
    row = {
        "talking": people,
        "silent": beside,
        "turns": len(found),
        "p50_ms": round(quantile(heard, 0.5)),
        "p95_ms": round(quantile(heard, 0.95)),
        "missed": sum("missed" in one for one in found),
        "premature": sum(one["premature"] for one in found),
        "underruns": round(underruns),
        "late ticks": round(overruns),
        "CPU %": round(busy),
    }
    print(row, flush=True)
    return row


async def measure(silents: list[int], talkers: list[int]) -> dict[str, object]:
    """All of it."""
    figures: dict[str, object] = {}
    if silents:
        rows = await silent(silents)
        print("\n" + table(list(rows[0]), [list(row.values()) for row in rows]) + "\n")
        figures["silent"] = rows
    if talkers:
        curve = [await talking(people, 0) for people in talkers]
        beside = [await talking(BESIDE, max(silents))] if silents else []
        print("\n" + table(list(curve[0]), [list(row.values()) for row in [*curve, *beside]]))
        figures |= {"talking": curve, "beside": beside}
        draw(curve)
    return figures


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--silent", type=int, nargs="*", default=[1, 10, 30])
    parser.add_argument("--talking", type=int, nargs="*", default=[1, 2, 3, 5, 8])
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    figures = asyncio.run(measure(args.silent, args.talking))
    print(f"\n{machine()}")
    save("capacity", figures)


if __name__ == "__main__":
    main()
