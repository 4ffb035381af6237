"""A caller in a network of its own: asks a question, and prints as JSON which way the call went and what was heard.

python -m tests.far_caller URL TOKEN CONNECT_S
"""

from __future__ import annotations

import asyncio
import json
import sys

import agent.caller
from agent.audio import WIRE_RATE
from agent.caller import Caller, trimmed
from agent.errors import TransportError
from agent.transports.pair_check import selected
from bench.speech import spoken


async def call(url: str, token: str) -> dict[str, object]:
    """One question, one answer."""
    try:
        async with Caller(url, token=token) as caller:
            told = sorted({line.split()[7] for line in caller.answer.splitlines() if line.startswith("a=candidate")})
            way = selected(caller._pc)
            end = await caller.say(trimmed(spoken("What is the capital of France?").pcm))
            await caller.hears(end, within_s=15.0)
            await caller.hears_silence(0.7, within_s=20.0)
            heard_s = len(caller.ear.sound(since=end)) / WIRE_RATE
            return {"told": told, "way": way and [way.ours.kind, way.theirs.kind], "heard_s": heard_s}
    except TransportError as error:
        return {"error": str(error)}


if __name__ == "__main__":
    agent.caller.CONNECT_S = float(sys.argv[3])
    print(json.dumps(asyncio.run(call(sys.argv[1], sys.argv[2]))))  # noqa: T201
