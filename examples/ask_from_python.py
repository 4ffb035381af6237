"""Drive Antiphon from Python, without a browser: ask by voice, read and hear the answer.

antiphon serve &
python examples/ask_from_python.py question.wav

A server with keys is told one, or a token, in ANTIPHON_TOKEN.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from agent.audio import WIRE_RATE, read_audio, write_wav
from agent.caller import Caller, trimmed


async def ask(url: str, question: Path, answer: Path) -> str:
    """Speak a recording, save what is heard, return what the agent said."""
    pcm = trimmed(read_audio(question, WIRE_RATE))
    async with Caller(url, token=os.environ.get("ANTIPHON_TOKEN", "")) as caller:
        ended = await caller.say(pcm)
        first = await caller.hears(ended, within_s=15.0)
        said = await caller.event("response.output_audio_transcript.done", within_s=15.0)
        await caller.event("output_audio_buffer.stopped", within_s=30.0)
        print(f"answered after {(first.at - ended) * 1000:.0f} ms")  # noqa: T201
        write_wav(answer, caller.ear.sound(ended), WIRE_RATE)
        return str(said["transcript"])


if __name__ == "__main__":
    url = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8080"
    print(asyncio.run(ask(url, Path(sys.argv[1]), Path("answer.wav"))))  # noqa: T201
