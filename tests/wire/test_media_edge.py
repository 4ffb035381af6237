"""The media path as a whole: clients that send no silence, a network that loses, what crosses a silent line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent.audio import TICK_S
from agent.caller import Caller
from agent.settings import load
from agent.transports.opus import REFRESH_TICKS
from bench.network import Network
from bench.speech import spoken
from tests.people import models_missing, serving
from tests.scripted_llm import scripted_llm

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(90),
]

QUESTION = spoken("What is the capital of France?").pcm
SAID = "conversation.item.input_audio_transcription.completed"


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """A server whose language model says one sentence."""
    async with scripted_llm(lambda _: "It is Paris, as far as I know.") as llm:
        flags: dict[str, Any] = {"llm": {"url": llm.url, "model": "scripted"}}
        settings = await asyncio.to_thread(lambda: load(**flags))
        async with serving(settings) as (url, _):
            yield url


async def asked(caller: Caller) -> str:
    """Ask, hear an answer to its end; what the server understood."""
    after = len(caller.events)
    ended = await caller.say(QUESTION)
    await caller.hears(ended, within_s=10.0)
    await caller.hears_silence(1.0, within_s=20.0)
    return str((await caller.event(SAID, after=after))["transcript"])


async def test_a_client_that_sends_no_silence_is_heard_and_hears_none() -> None:
    async with served() as url, Caller(url, muted=True) as caller:
        for _ in range(2):
            assert "capital of France" in await asked(caller)
        await asyncio.sleep(1.0)
        before = caller.packets
        await asyncio.sleep(4.0)
        assert 0 < caller.packets - before <= 4.0 / (REFRESH_TICKS * TICK_S) + 2


async def test_a_network_that_loses_reorders_and_stalls_is_talked_over() -> None:
    async with served() as url, Caller(url) as caller:
        caller.through(Network(loss=0.05, jitter_s=0.03, reorder=0.02, duplicate=0.02, burst_s=0.1, stall=True))
        for _ in range(2):
            assert "capital" in (await asked(caller)).lower()
