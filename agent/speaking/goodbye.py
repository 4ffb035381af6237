"""The last words of a call that the server ends, said past the conversation, which is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from agent.audio import I16, TICK_S, TICK_SAMPLES, WIRE_RATE, Resampler
from agent.errors import EngineError
from agent.speaking.playout import Playout
from agent.speaking.spoken import spoken
from agent.speaking.voice import Voice

TAIL = WIRE_RATE // 2
"""samples of silence after it, while its last words are under way"""


async def say_goodbye(text: str, voice: Voice, playout: Playout, play: Callable[[I16], None]) -> None:
    """Say it in real time; what was being said fades.

    :param play: takes each tick, int16 (TICK_SAMPLES,) at WIRE_RATE.
    """
    loop = asyncio.get_running_loop()
    resampler = Resampler(voice.rate, WIRE_RATE)
    playout.cut(0)
    parts = [playout.read(), playout.read()]
    with suppress(EngineError):
        parts += [resampler(pcm) async for pcm in voice.speak(spoken(text, voice.language))]
    parts += [resampler.flush(), np.zeros(TAIL, np.int16)]
    pcm = np.concatenate(parts)
    due = loop.time()
    for begins in range(0, len(pcm) - TICK_SAMPLES + 1, TICK_SAMPLES):
        play(pcm[begins : begins + TICK_SAMPLES])
        due += TICK_S
        await asyncio.sleep(due - loop.time())
