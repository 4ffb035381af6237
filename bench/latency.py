"""Voice to voice: from the last loud sample that a caller sent to the first audible packet that came back.

Forty turns of one call over real WebRTC, in real time, against a server in a process of its own: short questions
spoken by the TTS and recordings of people, one after the other. Between turns the caller sends noise at -70 dBFS.
Both ends of the measure are at the caller: the time at which the 20 ms frame with the utterance's last loud sample
went to its packetiser, and the arrival of the first packet whose decoded RMS is above -50 dBFS, before any playout
buffer.

    python -m bench.latency [--turns 40] [--only questions|recordings] [--set turn.detector= ...]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
from typing import Any

from agent.caller import Caller
from agent.transports.aiortc_private import gather_only
from bench.report import machine, quantile, save, table
from bench.server import Server
from bench.speech import Clip, questions
from bench.turn_cases import recorded

MISSED_S = 10.0
ANSWERED_S = 60.0
"""within which an answer is over: a small model's hundred tokens are half a minute of speech"""
STAGES = ("pause", "transcript", "judged", "endpoint", "first_delta", "first_clause", "first_audio", "audible")


async def turn(caller: Caller, clip: Clip) -> dict[str, Any]:
    """One question: how long until its answer is heard, and where that time went."""
    after = len(caller.events)
    ended = await caller.say(clip.pcm)
    early = caller.ear.first_loud(caller.began_at)
    result: dict[str, Any] = {"clip": clip.name, "premature": early is not None and early.at < ended}
    try:
        first = await caller.hears(ended, within_s=MISSED_S)
    except TimeoutError:
        return {**result, "missed": True}
    result["voice_to_voice_ms"] = (first.at - ended) * 1000
    timeline = await caller.event("antiphon.timeline", after=after, within_s=ANSWERED_S)
    result["stages"] = {stage: timeline.get(f"{stage}_ms") for stage in STAGES}
    await caller.hears_silence(1.0, within_s=ANSWERED_S)
    return result


async def measure(turns: int, clips: list[Clip], settings: dict[str, str]) -> tuple[list[dict[str, Any]], int]:
    """That many turns in one call, the clips in turn; and how often the voice ran dry in the middle of an answer."""
    async with Server(settings) as server:
        async with Caller(server.url) as caller:
            await asyncio.sleep(1.0)
            found = [await turn(caller, clips[n % len(clips)]) for n in range(turns)]
        await server.calls_over(5.0)
        return found, round(await server.counter("antiphon_playout_underruns_total"))


def varied(only: str | None) -> list[Clip]:
    """Questions by the TTS and recordings of people, in turn."""
    asked, said = questions(), recorded(longest_s=15.5)
    if only is not None:
        return asked if only == "questions" else said
    return [clip for pair in zip(itertools.cycle(asked), said, strict=False) for clip in pair]


def show(turns: list[dict[str, Any]]) -> dict[str, object]:
    """Print the tables; the figures."""
    heard = [t["voice_to_voice_ms"] for t in turns if "voice_to_voice_ms" in t and not t["premature"]]
    # What an answer that was ready waited for the pause to become the end of the turn.
    waits = [max(0, s["endpoint"] - s["first_audio"]) for t in turns if (s := t.get("stages")) and s.get("first_audio")]
    silences = [s["endpoint"] for t in turns if (s := t.get("stages")) and s.get("endpoint") is not None]
    figures: dict[str, object] = {
        "turns": len(turns),
        "p50_ms": round(quantile(heard, 0.5)),
        "p90_ms": round(quantile(heard, 0.9)),
        "p95_ms": round(quantile(heard, 0.95)),
        "first_ms": round(heard[0]),
        "median_of_next_ten_ms": round(quantile(heard[1:11], 0.5)) if len(heard) > 1 else None,
        "endpointing_silence_p50_ms": round(quantile(silences, 0.5)),
        "ready_and_waiting_p50_ms": round(quantile(waits, 0.5)),
        "ready_and_waiting_p95_ms": round(quantile(waits, 0.95)),
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


def assignments(pairs: list[str]) -> dict[str, str]:
    """``turn.detector=`` as the environment of a server."""
    found = dict(pair.split("=", 1) for pair in pairs)
    return {"ANTIPHON__" + key.upper().replace(".", "__"): value for key, value in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--only", choices=("questions", "recordings"))
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of the server")
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    turns, underruns = asyncio.run(measure(args.turns, varied(args.only), assignments(args.set)))
    figures = {**show(turns), "underruns": underruns}
    print(f"\nTicks that found no speech in the middle of an answer: {underruns}")
    print(
        "\nendpointing_silence: silence until the turn was taken as over, of which the ear's share is the rest's work."
    )
    print("ready_and_waiting: how long an answer that could be heard was held back until then.")
    print(f"\n{machine()}")
    save("latency", {**figures, "each": turns})


if __name__ == "__main__":
    main()
