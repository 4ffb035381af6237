"""Voice to voice: from the last loud sample that a caller sent to the first audible packet that came back.

Twenty turns of one call over real WebRTC, in real time, against a server in a process of its own. Between
turns the caller sends noise at -70 dBFS. Both ends of the measure are at the caller: the time at which the
20 ms frame with the utterance's last loud sample went to its packetiser, and the arrival of the first packet
whose decoded RMS is above -50 dBFS, before any playout buffer.

    python -m bench.latency [--turns 20] [--recordings] [--endpointing-ms 500]
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from agent.caller import Caller, trimmed
from agent.transports.aiortc_private import gather_only
from bench.report import machine, quantile, save, table
from bench.server import Server
from bench.speech import Clip, english, questions

MISSED_S = 10.0
STAGES = ("pause", "transcript", "endpoint", "first_delta", "first_clause", "first_audio", "audible")


async def turn(caller: Caller, clip: Clip) -> dict[str, Any]:
    """One question: how long until its answer is heard, and where that time went."""
    after = len(caller.events)
    ended = await caller.say(trimmed(clip.pcm))
    early = caller.ear.first_loud(caller.began_at)
    result: dict[str, Any] = {"clip": clip.name, "premature": early is not None and early.at < ended}
    try:
        first = await caller.hears(ended, within_s=MISSED_S)
    except TimeoutError:
        return {**result, "missed": True}
    result["voice_to_voice_ms"] = (first.at - ended) * 1000
    timeline = await caller.event("antiphon.timeline", after=after, within_s=30.0)
    result["stages"] = {stage: timeline.get(f"{stage}_ms") for stage in STAGES}
    await caller.hears_silence(1.0, within_s=30.0)
    return result


async def measure(turns: int, clips: list[Clip], settings: dict[str, str]) -> list[dict[str, Any]]:
    """That many turns in one call, the clips in turn."""
    async with Server(settings) as server, Caller(server.url) as caller:
        await asyncio.sleep(1.0)
        return [await turn(caller, clips[n % len(clips)]) for n in range(turns)]


def show(turns: list[dict[str, Any]]) -> dict[str, object]:
    """Print the tables; the figures."""
    heard = [t["voice_to_voice_ms"] for t in turns if "voice_to_voice_ms" in t and not t["premature"]]
    figures: dict[str, object] = {
        "turns": len(turns),
        "p50_ms": round(quantile(heard, 0.5)),
        "p90_ms": round(quantile(heard, 0.9)),
        "p95_ms": round(quantile(heard, 0.95)),
        "first_ms": round(heard[0]),
        "median_of_next_ten_ms": round(quantile(heard[1:11], 0.5)) if len(heard) > 1 else None,
        "missed": sum("missed" in t for t in turns),
        "premature": sum(t["premature"] for t in turns),
    }
    print(table(list(figures), [list(figures.values())]))
    print("\nMedian ms since the caller's last sound arrived, by stage:\n")
    rows = []
    for stage in STAGES:
        at = [t["stages"][stage] for t in turns if t.get("stages", {}).get(stage) is not None]
        rows.append([stage, round(quantile(at, 0.5)) if at else "", round(quantile(at, 0.95)) if at else ""])
    print(table(["stage", "p50", "p95"], rows))
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--recordings", action="store_true", help="real recordings instead of spoken questions")
    parser.add_argument("--endpointing-ms", type=int)
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    settings = {"ANTIPHON__TURN__ENDPOINTING_MS": str(args.endpointing_ms)} if args.endpointing_ms else {}
    clips = english(longest_s=6.0) if args.recordings else questions()
    turns = asyncio.run(measure(args.turns, clips, settings))
    figures = show(turns)
    print(f"\n{machine()}")
    save("latency", {**figures, "each": turns})


if __name__ == "__main__":
    main()
