"""Barge-in at the ear: from the first frame of the interrupting speech to the last loud packet of the old answer.

python -m bench.barge_in [--turns 10]
"""

from __future__ import annotations

import argparse
import asyncio

from agent.caller import Caller, trimmed
from agent.transports.aiortc_private import gather_only
from bench.report import machine, quantile, save, table
from bench.server import Server
from bench.speech import Clip, spoken

STORY = "Please tell me a long story about the sea."
STOP = "Stop, please. I have heard enough of that now."
LISTEN_S = 1.5
"""How long the answer is listened to before it is interrupted."""


async def interrupted(caller: Caller, story: Clip, stop: Clip) -> float | None:
    """One interruption: ms until the voice is silent; None if the answer ended by itself."""
    after = len(caller.events)
    ended = await caller.say(trimmed(story.pcm))
    await caller.hears(ended, within_s=10.0)
    await asyncio.sleep(LISTEN_S)
    if any(event["type"] == "output_audio_buffer.stopped" for event in caller.events[after:]):
        return None
    await caller.say(trimmed(stop.pcm))
    began = caller.began_at
    cleared = [event for event in caller.events[after:] if event["type"] == "output_audio_buffer.cleared"]
    loud = [frame.at for frame in caller.ear.frames if frame.at > began and frame.dbfs > -50]
    old = [at for at in loud if cleared and at <= cleared[0]["at"] + 0.2]
    await caller.quiet(1.5, within_s=40.0)
    return (max(old) - began) * 1000 if cleared and old else None


async def measure(turns: int, story: Clip, stop: Clip) -> list[float]:
    """That many interruptions, each in a call of its own."""
    found: list[float] = []
    async with Server() as server:
        for _ in range(turns):
            async with Caller(server.url) as caller:
                if (ms := await interrupted(caller, story, stop)) is not None:
                    found.append(ms)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=10)
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    found = asyncio.run(measure(args.turns, spoken(STORY), spoken(STOP)))
    figures: dict[str, object] = {
        "interruptions": len(found),
        "p50_ms": round(quantile(found, 0.5)),
        "p95_ms": round(quantile(found, 0.95)),
        "most_ms": round(max(found)),
    }
    print(table(list(figures), [list(figures.values())]))
    print(f"\n{machine()}")
    save("barge_in", {**figures, "each": found})


if __name__ == "__main__":
    main()
