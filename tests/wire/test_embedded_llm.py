"""The embedded language model's child dies in mid-sentence: the caller hears an apology, the next turn works."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import psutil
import pytest

from agent.caller import Caller, trimmed
from agent.settings import AgentSettings, Settings, load
from agent.worker import Worker
from bench.speech import spoken
from tests.people import models_missing, serving

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(90),
]

STORY = trimmed(spoken("Please tell me a very long story about the sea.").pcm)
QUESTION = trimmed(spoken("What is the capital of France?").pcm)


@pytest.fixture
def settings() -> Settings:
    return load(llm={"model": "smollm2", "embedded": {"max_tokens": 400}})


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[tuple[str, Worker]]:
    async with serving(settings) as running:
        yield running


def children() -> list[int]:
    """Process ids of this process's children."""
    return [child.pid for child in psutil.Process().children(recursive=True)]


async def test_a_killed_child_is_apologised_for_and_replaced(server: tuple[str, Worker]) -> None:
    url, _ = server
    (child,) = await asyncio.to_thread(children)
    async with Caller(url) as caller:
        await caller.say(STORY)
        await caller.event("response.output_audio_transcript.delta", within_s=10.0)
        os.kill(child, signal.SIGKILL)
        failed = await caller.event("response.done", within_s=10.0)
        assert failed["response"]["status"] == "failed"
        after = caller.events.index(failed)
        apology = await caller.event("response.output_audio_transcript.done", after=after + 1, within_s=15.0)
        assert apology["transcript"].strip() == AgentSettings().apology
        await caller.event("output_audio_buffer.stopped", after=caller.events.index(apology), within_s=15.0)
        after = len(caller.events)
        ended = await caller.say(QUESTION)
        await caller.hears(ended, within_s=15.0)
        done = await caller.event("response.done", after=after, within_s=15.0)
        assert done["response"]["status"] == "completed"
    (successor,) = await asyncio.to_thread(children)
    assert successor != child


async def test_the_child_ends_with_the_server(settings: Settings) -> None:
    async with serving(settings):
        assert len(await asyncio.to_thread(children)) == 1
    assert await asyncio.to_thread(children) == []
