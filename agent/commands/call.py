"""`antiphon call`: a real call from the terminal."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.audio import I16
    from agent.caller import Caller

ANSWER_S = 20.0
"""How long an answer may take to begin, and then to end."""
QUIET_S = 1.0
STAGES = ("pause", "transcript", "endpoint", "first_delta", "first_clause", "first_audio", "audible", "done")


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("call", help="call the server with a recording as the microphone")
    parser.add_argument("--wav", type=Path, required=True, metavar="FILE", help="what to say: WAV, FLAC, Ogg or MP3")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the server (http://127.0.0.1:8080)")
    parser.add_argument("--token", default="", help="a key or token of the server, where it wants one")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save what was heard, as a WAV file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Call, ask, listen, print."""
    from agent.audio import WIRE_RATE, read_audio
    from agent.transports.aiortc_private import gather_only

    pcm = read_audio(args.wav, WIRE_RATE)
    if any(name in args.url for name in ("//127.", "//localhost", "//[::1]")):
        gather_only(["127.0.0.1"])
    return asyncio.run(call(args.url, pcm, args.out, args.token))


async def call(url: str, pcm: I16, out: Path | None, token: str = "") -> int:
    """One question, one answer; 0 if an answer was heard.

    :raises AntiphonError: if the call does not come up.
    """
    from agent.audio import WIRE_RATE, write_wav
    from agent.caller import Caller, trimmed

    async with Caller(url, token=token) as caller:
        print(f"connected to {url}; speaking for {len(pcm) / WIRE_RATE:.1f} s", flush=True)
        ended = await caller.say(trimmed(pcm))
        try:
            first = await caller.hears(ended, within_s=ANSWER_S)
            await caller.event("antiphon.timeline", within_s=2 * ANSWER_S)
            await caller.hears_silence(QUIET_S, within_s=ANSWER_S)
        except TimeoutError:
            _show(caller)
            print("no answer was heard")
            return 1
        _show(caller)
        print(f"voice to voice  {(first.at - ended) * 1000:.0f} ms, measured at the caller's ear")
        if out is not None:
            write_wav(out, caller.ear.sound(), WIRE_RATE)
            print(f"heard           {out}")
    return 0


def _show(caller: Caller) -> None:
    """Print who said what, and the waterfall of the last turn."""
    kinds = {
        "conversation.item.input_audio_transcription.completed": "you",
        "response.output_audio_transcript.done": "agent",
    }
    for event in caller.events:
        if event["type"] in kinds and event["transcript"]:
            print(f"{kinds[event['type']]:<15} {event['transcript'].strip()}")
        if event["type"] == "error":
            print(f"error           {event['error']['message']}")
    for timeline in caller.of("antiphon.timeline")[-1:]:
        _waterfall(timeline)


def _waterfall(timeline: dict[str, Any]) -> None:
    """The stages of one turn, in ms since the last sound of the question."""
    reached = {stage: timeline[f"{stage}_ms"] for stage in STAGES if f"{stage}_ms" in timeline}
    for stage, ms in sorted(reached.items(), key=lambda item: item[1]):
        print(f"  {stage:<13} {ms:>6} ms  {'·' * (max(0, ms) // 25)}"[:100])
