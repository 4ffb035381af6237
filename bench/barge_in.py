"""Barge-in at the ear: from the first sample of the interrupting speech to softer, and to silent.

The agent tells the same story in every call, so that what arrives can be compared, packet by packet, with what
arrives when nobody interrupts: it is ducked where two loud packets in a row are 6 dB below that, and silent after the
last loud packet of the old answer. A caller who begins with 100 ms of breath has not spoken yet: the clock starts at
the first loud 10 ms.

    python -m bench.barge_in [--turns 20]
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict, dataclass

import numpy as np

from agent.audio import I16, WIRE_RATE, dbfs
from agent.caller import AUDIBLE_DBFS, LOUD_DBFS, Caller, HeardFrame, trimmed
from agent.transports.aiortc_private import gather_only
from bench.report import machine, quantile, save, table
from bench.server import Server
from bench.speech import Clip, spoken
from bench.turn_cases import recorded
from tests.scripted_llm import scripted_llm

ASK = "Please tell me a long story about the sea."
STORY = (
    "There was a small harbour at the end of a long road. Every morning the boats went out before the sun was up. "
    "The people there knew the water and the wind better than any book. An old woman lived in the last house near "
    "the beach. She had a garden with beans and roses and a very old dog. In the evening she sat on the bench."
)
BRIEF = "All right."
SENTENCES = (
    "Actually I wanted to ask you something else.",
    "No, that is not what I meant at all.",
    "Can you please repeat that more slowly?",
    "I think I have heard enough of that now.",
    "What time is it in London right now?",
    "Let me ask you another question instead.",
)
STOPS = ("Stop.", "Wait.", "Stop, please.", "Hold on a second.", "No, stop.")
DUCKED_DB = 6.0
LISTEN_S = (0.9, 1.3, 1.7, 2.1)
"""how long the answer is listened to before it is interrupted, in turn"""
AFTER_S = 2.0
"""in which nothing of the old answer may be heard again"""


@dataclass(frozen=True, slots=True)
class Interruption:
    """What one interruption did, ms since its first loud sample; None where it did not."""

    clip: str
    ducked_ms: float | None
    silent_ms: float | None
    old_audio_after_ms: float
    """loud audio between the end of the old answer and the beginning of the next; there must be none"""


def onset_s(pcm: I16) -> float:
    """Seconds until the first loud 10 ms of int16 (n,) at WIRE_RATE."""
    window = WIRE_RATE // 100
    loud = (start for start in range(0, len(pcm), window) if dbfs(pcm[start : start + window]) > LOUD_DBFS)
    return next(loud, 0) / WIRE_RATE


async def told(caller: Caller, ask: Clip) -> float:
    """Have the story told; when its first packet arrived."""
    ended = await caller.say(trimmed(ask.pcm))
    return (await caller.hears(ended, within_s=10.0)).at


async def reference(url: str, ask: Clip) -> list[HeardFrame]:
    """The story's packets when nobody interrupts."""
    async with Caller(url) as caller:
        began = await told(caller, ask)
        await caller.hears_silence(1.5, within_s=60.0)
        return [frame for frame in caller.ear.frames if frame.at >= began]


async def interrupt(url: str, ask: Clip, clip: Clip, listen_s: float, story: list[HeardFrame]) -> Interruption:
    """Interrupt the story once, in a call of its own."""
    pcm = trimmed(clip.pcm)
    async with Caller(url) as caller:
        first = await told(caller, ask)
        await asyncio.sleep(listen_s)
        after = len(caller.events)
        await caller.say(pcm)
        began = caller.began_at + onset_s(pcm)
        await caller.quiet(AFTER_S, within_s=40.0)
        cleared = [e["at"] for e in caller.events[after:] if e["type"] == "output_audio_buffer.cleared"]
        started = [e["at"] for e in caller.events[after:] if e["type"] == "output_audio_buffer.started"]
        heard = [frame for frame in caller.ear.frames if frame.at >= first]
    # The next answer's first packets overtake the event that announces it.
    until = min((at - 0.1 for at in started if cleared and at > cleared[0]), default=float("inf"))
    old = [frame for frame in heard if frame.at < until]
    ducked = next(
        (
            old[n].at
            for n in range(len(old) - 1)
            if old[n].at > began and all(softer(old[m], story[m]) for m in (n, n + 1) if m < len(story))
        ),
        None,
    )
    loud = [frame for frame in old if frame.dbfs > AUDIBLE_DBFS and frame.at > began]
    end = cleared[0] + 0.1 if cleared else float("inf")
    silent = [frame.at for frame in loud if frame.at <= end]
    return Interruption(
        clip=clip.name,
        ducked_ms=(ducked - began) * 1000 if ducked is not None else None,
        silent_ms=(max(silent, default=began) - began) * 1000 if cleared else None,
        old_audio_after_ms=20.0 * sum(frame.at > end for frame in loud),
    )


def softer(frame: HeardFrame, undisturbed: HeardFrame) -> bool:
    """Whether a packet that is loud in the undisturbed story is not."""
    return undisturbed.dbfs > -40.0 and frame.dbfs < undisturbed.dbfs - DUCKED_DB


async def measure(turns: int) -> dict[str, list[Interruption]]:
    """That many interruptions by sentences and recordings, and half as many by a word for stop."""
    ask = spoken(ASK)
    said = recorded(longest_s=5.0)
    clips = [clip for pair in zip([spoken(text) for text in SENTENCES], said, strict=False) for clip in pair]
    stops = [spoken(text) for text in STOPS]

    def mind(messages: list[dict[str, str]]) -> str:
        return STORY if "story" in messages[-1]["content"] else BRIEF

    async with scripted_llm(mind) as llm, Server({"ANTIPHON__LLM__URL": llm.url}) as server:
        story = await reference(server.url, ask)
        found: dict[str, list[Interruption]] = {"speech": [], "stop": []}
        for kind, said, count in (("speech", clips, turns), ("stop", stops, max(1, turns // 2))):
            for n in range(count):
                listen_s = LISTEN_S[n % len(LISTEN_S)]
                found[kind].append(await interrupt(server.url, ask, said[n % len(said)], listen_s, story))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=20)
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    found = asyncio.run(measure(args.turns))
    rows, figures = [], {}
    for kind, each in found.items():
        ducked = [i.ducked_ms for i in each if i.ducked_ms is not None]
        silent = [i.silent_ms for i in each if i.silent_ms is not None]
        row = {
            "interruptions": len(each),
            "missed": sum(i.silent_ms is None for i in each),
            "ducked_p50_ms": round(quantile(ducked, 0.5)) if ducked else None,
            "ducked_p95_ms": round(quantile(ducked, 0.95)) if ducked else None,
            "silent_p50_ms": round(quantile(silent, 0.5)) if silent else None,
            "silent_p95_ms": round(quantile(silent, 0.95)) if silent else None,
            "old_audio_after_ms": round(float(np.sum([i.old_audio_after_ms for i in each]))),
        }
        figures[kind] = row
        rows.append([kind, *row.values()])
    print(table(["interrupted by", *figures["speech"]], rows))
    print(f"\n{machine()}")
    save("barge_in", {**figures, "each": {kind: [asdict(i) for i in each] for kind, each in found.items()}})


if __name__ == "__main__":
    main()
