"""Rooms of several people: how late one hears another, and what a person costs.

Each person in turn sends short tones, and everybody else listens for them. The delay is from the mouth to the ear: the
20 ms that a packet takes to fill, all that the network and the server take, and a browser's playout buffer, which is
not there in this bench's callers and is added as `BROWSER_MS`. CPU is the server's, in per cent of one core, above what
it takes with nobody in it: while all are silent, and while one speaks all the time and is written down.

    python -m bench.rooms [--people 2 5 10]
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack

import numpy as np

from agent.audio import I16, TICK_S, WIRE_RATE
from agent.caller import Caller, trimmed
from agent.transports.aiortc_private import gather_only
from bench.capacity import used
from bench.report import machine, quantile, save, table
from bench.server import Server
from bench.speech import questions

SETTINGS = {
    "ANTIPHON__LIMITS__CALLS": "64",
    "ANTIPHON__ROOM__CAPACITY": "32",
    "ANTIPHON__ROOM__POLICY": "scribe",
}
TONES, APART_S, LASTS_S = 8, 0.5, 0.06
BROWSER_MS = 40.0
"""of Chromium's jitter buffer on a calm line, as `bench.page` reads it there"""
WITHIN_S = 0.4
"""a tone that is later than this was not heard"""
SETTLE_S, MEASURE_S = 3.0, 10.0
MOST_TALKERS = 4
"""who send tones, one after the other"""


def tones() -> I16:
    """`TONES` bursts of 1 kHz at -12 dBFS, `APART_S` from one's beginning to the next one's."""
    t = np.arange(round(LASTS_S * WIRE_RATE)) / WIRE_RATE
    burst = (8192 * np.sin(2 * np.pi * 1000 * t) * np.hanning(len(t)) ** 0.1).astype(np.int16)
    pcm = np.zeros(round(TONES * APART_S * WIRE_RATE), np.int16)
    for n in range(TONES):
        start = round(n * APART_S * WIRE_RATE)
        pcm[start : start + len(burst)] = burst
    return pcm


async def heard_ms(talker: Caller, others: list[Caller]) -> tuple[list[float], int]:
    """How late each of the others heard each tone, ms; and how many were not heard."""
    await talker.say(tones())
    await asyncio.sleep(WITHIN_S)
    found, missed = [], 0
    for other in others:
        for n in range(TONES):
            sent = talker.began_at + n * APART_S
            loud = other.ear.first_loud(sent)
            if loud is None or loud.at - sent > WITHIN_S:
                missed += 1
            else:
                found.append(1000 * (loud.at - sent + TICK_S) + BROWSER_MS)
    return found, missed


async def own_echo(talker: Caller) -> int:
    """Tones of one's own that one has heard."""
    return sum(frame.at > talker.began_at and frame.dbfs > -40.0 for frame in talker.ear.frames)


async def room(people: int) -> dict[str, object]:
    """One room of so many."""
    async with Server(SETTINGS) as server, AsyncExitStack() as stack:
        await asyncio.sleep(SETTLE_S)
        nothing = await used(server, MEASURE_S)
        callers = [
            await stack.enter_async_context(Caller(server.url, muted=True, room="bench", name=f"Person {n}"))
            for n in range(people)
        ]
        await asyncio.sleep(SETTLE_S)
        silent = await used(server, MEASURE_S)
        delays: list[float] = []
        missed = echoes = 0
        for talker in callers[:MOST_TALKERS]:
            late, lost = await heard_ms(talker, [other for other in callers if other is not talker])
            echoes += await own_echo(talker)
            delays, missed = delays + late, missed + lost
        speech = np.concatenate([trimmed(clip.pcm) for clip in questions()] * 3)
        async with asyncio.TaskGroup() as group:
            saying = group.create_task(callers[0].say(speech))
            await asyncio.sleep(1.0)
            talking = await used(server, MEASURE_S)
            saying.cancel()
        overruns = await server.counter("antiphon_tick_overruns_total")
    return {
        "people": people,
        "mouth_to_ear_p50_ms": round(quantile(delays, 0.5)),
        "mouth_to_ear_p95_ms": round(quantile(delays, 0.95)),
        "tones": len(delays),
        "missed": missed,
        "heard_oneself": echoes,
        "CPU a person, silent %": round((silent - nothing) / people, 2),
        "CPU a person, one speaks %": round((talking - nothing) / people, 2),
        "late ticks": round(overruns),
    }


async def measure(sizes: list[int]) -> list[dict[str, object]]:
    """A room of each size."""
    rows = []
    for people in sizes:
        rows.append(await room(people))
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="*", default=[2, 5, 10])
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    rows = asyncio.run(measure(args.people))
    print("\n" + table(list(rows[0]), [list(row.values()) for row in rows]))
    print(f"\n{machine()}")
    save("rooms", {"rows": rows})


if __name__ == "__main__":
    main()
