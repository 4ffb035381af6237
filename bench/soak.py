"""Does anything grow? Many calls that join and leave, with and without goodbye, and an hour of audio.

Every call says a sentence, hears a part of the answer, and is over, by hanging up or without a word. The sentences are
sent faster than anybody speaks, and add up to the audio of `--hours`. Now and then all calls are over and the server is
looked at: resident memory, file descriptors, threads, tasks. What is printed is how much each grows in a hundred calls,
by linear regression over the second half; the bars are asserted.

    python -m bench.soak [--calls 500] [--hours 1.0]
"""

from __future__ import annotations

import argparse
import asyncio
from itertools import cycle, islice

import numpy as np
import psutil

from agent.audio import I16, WIRE_RATE
from agent.caller import Caller
from agent.transports.aiortc_private import gather_only
from bench.report import machine, save, table
from bench.server import Server
from bench.turn_cases import recorded

SETTINGS = {"ANTIPHON__LIMITS__PEER_GONE_S": "3", "ANTIPHON__LIMITS__RECONNECT_S": "0", "ANTIPHON__LIMITS__CALLS": "64"}
AT_ONCE = 4
LOOKS = 20
"""how often the server is looked at"""
GONE_S = 20.0
"""until the last of the calls that vanished is over"""
SPEED = 8
"""how much faster than speech the sentences are sent"""
HEARD_S = 1.5
"""after a sentence, until the caller has had enough"""
MOST_PER_100 = {"memory_mb": 3.0, "descriptors": 0.5, "threads": 0.2, "tasks": 0.5}
"""growth in a hundred calls that counts as none"""


async def look(server: Server) -> dict[str, float]:
    """What the server holds, its children's memory included."""
    process = psutil.Process(server.pid)
    return {
        "memory_mb": process.memory_info().rss / 1e6,
        "children_mb": sum(child.memory_info().rss for child in process.children(recursive=True)) / 1e6,
        "descriptors": process.num_fds(),
        "threads": process.num_threads(),
        "tasks": await server.counter("antiphon_tasks"),
    }


async def call(server: Server, number: int, pcm: I16) -> None:
    """One call, and one of the ways to end it."""
    async with Caller(server.url, speed=SPEED) as caller:
        await caller.say(pcm)
        await asyncio.sleep(HEARD_S)
        if number % 2:
            await caller.vanish()


async def soak(calls: int, hours: float) -> list[dict[str, float]]:
    """All calls; what the server held after each part of them."""
    clips = [clip.pcm for clip in recorded(longest_s=15.5)]
    seconds = sum(len(pcm) for pcm in clips) / len(clips) / WIRE_RATE
    repeats = max(1, round(3600 * hours / calls / seconds))
    looks = []
    async with Server(SETTINGS) as server:
        left = iter(enumerate(islice(cycle(clips), calls)))

        async def caller(part: list[tuple[int, I16]]) -> None:
            while part:
                number, pcm = part.pop()
                await call(server, number, np.concatenate([pcm] * repeats))

        for n in range(LOOKS):
            part = list(islice(left, calls // LOOKS))
            await asyncio.gather(*(caller(part) for _ in range(AT_ONCE)))
            await server.calls_over(GONE_S)
            looks.append({"calls": (n + 1) * (calls // LOOKS), **await look(server)})
            print(", ".join(f"{key} {value:.0f}" for key, value in looks[-1].items()), flush=True)
    return looks


def slopes(looks: list[dict[str, float]]) -> dict[str, float]:
    """Growth in a hundred calls of each, over the second half."""
    half = looks[len(looks) // 2 :]
    at = [row["calls"] / 100 for row in half]
    return {
        key: round(float(np.polyfit(at, [row[key] for row in half], 1)[0]), 2) for key in looks[0] if key != "calls"
    }


def main() -> None:
    """Measure, print, assert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--hours", type=float, default=1.0, help="of audio, in all calls together")
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    looks = asyncio.run(soak(args.calls, args.hours))
    grown = slopes(looks)
    rows = [
        [key, round(looks[0][key]), round(looks[-1][key]), slope, MOST_PER_100.get(key, "")]
        for key, slope in grown.items()
    ]
    print("\n" + table(["", "first", "last", "in 100 calls", "bar"], rows))
    print(f"\n{machine()}")
    save("soak", {"slopes": grown, "looks": looks})
    over = [key for key, most in MOST_PER_100.items() if grown[key] > most]
    if over:
        raise SystemExit(f"these grow: {', '.join(over)}")


if __name__ == "__main__":
    main()
