"""What each technique is worth: the same questions and recordings, with one technique off at a time.

Every way is a server of its own, asked the same turns; the ways take turns themselves, round by round, so that what
else the machine does meets all of them alike.

    python -m bench.ablation [--turns 10] [--rounds 2]
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from agent.transports.aiortc_private import gather_only
from bench.latency import assignments, measure, varied
from bench.report import machine, quantile, save, table

WAYS: dict[str, list[str]] = {
    "all on": [],
    "no drafts: the answer begins at the end of the turn": ["turn.drafts=false"],
    "no turn detector: every pause is timed, 500 ms": ["turn.detector=", "turn.endpointing_ms=500"],
    "no language model as a judge": ["turn.reader=false"],
    "no partial transcripts, nothing read along": ["turn.partials=false"],
    "a pause is noticed after 200 ms": ["turn.pause_ms=200"],
    "a sure end waits 500 ms": ["turn.sure_ms=500"],
    "Whisper padded to 30 s": ["asr.whisper.context_s=30"],
    "a history of 24000 characters": ["llm.history_chars=24000"],
}


async def one_round(turns: int) -> dict[str, list[dict[str, Any]]]:
    """Each way once."""
    clips = varied(None)
    return {name: (await measure(turns, clips, assignments(pairs)))[0] for name, pairs in WAYS.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in WAYS}
    for _ in range(args.rounds):
        for name, turns in asyncio.run(one_round(args.turns)).items():
            found[name] += turns
    rows, figures = [], {}
    whole = 0.0
    for name, turns in found.items():
        heard = [turn["voice_to_voice_ms"] for turn in turns if "voice_to_voice_ms" in turn and not turn["premature"]]
        p50, p90 = quantile(heard, 0.5), quantile(heard, 0.9)
        whole = whole or p50
        early = sum(turn["premature"] for turn in turns)
        figures[name] = {"turns": len(turns), "p50_ms": round(p50), "p90_ms": round(p90), "premature": early}
        rows.append(
            [name, len(turns), round(p50), round(p90), f"{p50 - whole:+.0f}" if name != "all on" else "", early]
        )
    print(table(["", "turns", "p50 ms", "p90 ms", "off costs, p50 ms", "premature"], rows))
    print(f"\n{machine()}")
    save("ablation", figures)


if __name__ == "__main__":
    main()
