"""A client that is lost comes back to the same conversation; one that does not is let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from agent.caller import Caller, trimmed
from agent.engines.protocols import Recognizer
from agent.errors import SignalingError
from agent.settings import load
from agent.worker import Worker
from bench.speech import spoken
from tests.people import models_missing, second_ears, serving, transcribed
from tests.scripted_llm import ScriptedLLM, scripted_llm

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(90),
]

QUESTION = trimmed(spoken("Please count up to twelve for me.").pcm)
NEXT = trimmed(spoken("What did I ask you to do?").pcm)
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
COUNT = " ".join(f"Here comes number {number}." for number in NUMBERS)


@pytest.fixture(scope="module")
def ears() -> Recognizer:
    return second_ears()


@pytest.fixture
async def llm() -> AsyncIterator[ScriptedLLM]:
    def mind(messages: list[dict[str, str]]) -> str:
        return COUNT if "count" in messages[-1]["content"].lower() else "You asked me to count."

    async with scripted_llm(mind) as running:
        yield running


@pytest.fixture
async def server(llm: ScriptedLLM) -> AsyncIterator[tuple[str, Worker]]:
    limits = {"peer_gone_s": 1.5, "reconnect_s": 6.0}
    async with serving(
        await asyncio.to_thread(load, None, llm={"url": llm.url, "model": "scripted"}, limits=limits)
    ) as running:
        yield running


@pytest.mark.parametrize("how", ["reload", "crash"])
async def test_an_answer_goes_on_where_the_line_was_lost(
    server: tuple[str, Worker], llm: ScriptedLLM, ears: Recognizer, how: str
) -> None:
    """A reload says goodbye to the connection, a crash or another network does not; nothing is said to nobody."""
    url, worker = server
    async with Caller(url) as first:
        end = await first.say(QUESTION)
        await first.hears(end, within_s=10.0)
        await asyncio.sleep(4.0)
        location = first.location
        if how == "crash":
            await first.vanish()
        else:
            await first.close_connection()
        before = await asyncio.to_thread(transcribed, ears, first.ear.sound(since=end))
        await asyncio.sleep(2.5)  # longer than it takes to notice a crash
        assert worker.calls == 1
        async with Caller(url, before=location) as again:
            told = await again.event("conversation.item.added")
            assert "count" in str(told["item"]["content"]).lower()
            start = asyncio.get_running_loop().time()
            await again.hears(start, within_s=3.0)
            await again.hears_silence(1.5, within_s=40.0)
            after = await asyncio.to_thread(transcribed, ears, again.ear.sound(since=start))
            said_before, said_after = numbers(before), numbers(after)
            assert said_before[0] == 1
            assert said_after[-1] == 12
            assert 1 <= said_after[0] - said_before[-1] <= (2 if how == "reload" else 4), (before, after)
            end = await again.say(NEXT)
            await again.hears(end, within_s=10.0)
            history = llm.requests[-1]["messages"]
            assert [message["role"] for message in history[-3:]] == ["user", "assistant", "user"]
            assert "twelve" in history[-2]["content"]
    async with asyncio.timeout(5.0):
        while worker.calls:  # noqa: ASYNC110 - nobody announces the last call
            await asyncio.sleep(0.02)


async def test_who_does_not_come_back_is_let_go(server: tuple[str, Worker]) -> None:
    url, worker = server
    async with Caller(url) as caller:
        location = caller.location
        await caller.vanish()
        await asyncio.sleep(4.0)
        assert worker.calls == 1
        async with asyncio.timeout(8.0):
            while worker.calls:  # noqa: ASYNC110 - nobody announces the last call
                await asyncio.sleep(0.05)
        with pytest.raises(SignalingError, match="no call"):
            async with Caller(url, before=location):
                pass


async def test_another_connection_takes_over_from_one_that_lives(server: tuple[str, Worker]) -> None:
    """A telephone that changes networks is still there when it offers anew."""
    url, worker = server
    async with Caller(url) as first, Caller(url, before=first.location) as second:
        await asyncio.wait_for(first.ended(), 5.0)
        first.location = ""
        end = await second.say(NEXT)
        await second.hears(end, within_s=10.0)
        assert worker.calls == 1


def numbers(text: str) -> list[int]:
    """The numbers in a transcript, in words or digits."""
    words = text.lower().replace(".", " ").replace(",", " ").split()
    named = {name: n for n, name in enumerate(NUMBERS, 1)} | {str(n): n for n in range(1, 13)}
    return [named[word] for word in words if word in named]
