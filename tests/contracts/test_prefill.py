"""Reading ahead: what a prefill saves, by the server's own count of tokens, and that it never does harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from agent.engines.llm.embedded import Embedded
from agent.engines.llm.openai import OpenAIChat
from agent.engines.llm.slots import PromptSlots
from agent.engines.protocols import Message
from agent.errors import ModelMissing
from tests.scripted_llm import Answer, scripted_llm

SYSTEM = Message("system", "You are a friendly voice assistant.")
CAPITAL = "What is the capital of France?"
LONG = [Message("system", "You are a patient and friendly voice assistant. " * 40), Message("user", "Hello.")]


def asked(*texts: str, system: Message = SYSTEM) -> list[Message]:
    """A conversation: what the caller said, what was answered, and so on."""
    return [system, *(Message("assistant" if n % 2 else "user", text) for n, text in enumerate(texts))]


# Any server.


async def test_a_remote_server_is_asked_nothing_ahead_unless_it_was_set_to() -> None:
    async with scripted_llm(lambda messages: Answer(["Hi", " there"])) as server:
        for prefill in (False, True):
            llm = OpenAIChat(url=server.url, model="m", prefill=prefill)
            await llm.prefill(asked(CAPITAL))
            await llm.close()
            assert [body["max_tokens"] for body in server.requests] == [1] * prefill


@pytest.mark.parametrize("answer", [Answer(status=500), Answer(fault="stall"), Answer(["a"], fault="cut")])
async def test_a_prefill_that_fails_raises_nothing(answer: Answer) -> None:
    async with scripted_llm(lambda messages: answer) as server:
        llm = OpenAIChat(url=server.url, model="m", prefill=True, timeout_s=0.2)
        await llm.prefill(asked(CAPITAL))
        await llm.close()
    assert server.requests


async def test_cancelling_a_prefill_aborts_its_request() -> None:
    async with scripted_llm(lambda messages: Answer(fault="stall")) as server:
        llm = OpenAIChat(url=server.url, model="m", prefill=True)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(llm.prefill(asked(CAPITAL)))
            while not server.requests:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            task.cancel()
        await server.aborted.wait()
        await llm.close()


# Which slot.


def slot(slots: PromptSlots, messages: Sequence[Message]) -> int:
    with slots.taken(messages, replying=False) as number:
        return number


def test_a_conversation_keeps_its_slot_as_it_grows_and_as_its_words_are_revised() -> None:
    slots = PromptSlots(3)
    mine = slot(slots, asked("I would like to now"))
    for other in ("Hello", "What time is it"):
        assert slot(slots, asked(other)) != mine
    assert slot(slots, asked("I would like to know, what")) == mine
    assert slot(slots, asked("I would like to know, what it costs.", "Ten—")) == mine
    assert slot(slots, asked("I would like to know, what it costs.", "Ten—", "Oh.")) == mine
    assert slot(slots, asked("I would like to know, what it costs.", "Ten—", "I see.")) == mine


def test_a_new_conversation_takes_the_warmed_slot_then_empty_ones_then_the_least_used() -> None:
    slots = PromptSlots(3)
    warmed = slot(slots, [SYSTEM])
    seats = [slot(slots, asked(text)) for text in ("Hello", "What time is it", "Are you there")]
    assert seats[0] == warmed
    assert len(set(seats)) == 3
    assert slot(slots, asked("Hello", "Hi.", "You again")) == seats[0]
    assert slot(slots, asked("Good morning")) == seats[1]


def test_a_cut_answer_and_what_is_said_after_it_stay_in_the_slot() -> None:
    slots = PromptSlots(2)
    mine = slot(slots, asked("How far is the moon?", "It is a long way, about—", "Wait"))
    assert slot(slots, asked("How far is the moon?", "It is a long way, about 384,000 km.", "Thanks.")) == mine


def test_two_who_say_the_same_at_first_part_when_they_differ() -> None:
    slots = PromptSlots(2)
    first = slot(slots, asked("Hello", "Hi.", "How far is the moon?"))
    assert slot(slots, asked("Hello", "Hi.", "Do you sell bread?")) != first
    assert slot(slots, asked("Hello", "Hi.", "How far is the moon?", "Far.", "I see.")) == first


def test_no_reply_waits_for_another_as_long_as_there_is_a_slot() -> None:
    slots = PromptSlots(2)
    with slots.taken(asked("Hello"), replying=True) as first:
        with slots.taken(asked("Hello"), replying=True) as second:
            assert {first, second} == {0, 1}
            assert slot(slots, asked("Hello")) == -1
            assert slots.replying(asked("Hello there"))
            assert not slots.replying(asked("What time is it"))
        assert slot(slots, asked("Hello")) == second
    assert not slots.replying(asked("Hello"))


# The embedded child.


@pytest.fixture
def embedded(request: pytest.FixtureRequest) -> Embedded:
    """Parametrized with other settings where a test needs them."""
    chosen = {"parallel": 2, "context_tokens": 1024, "max_tokens": 20} | getattr(request, "param", {})
    try:
        return Embedded(model="smollm2", **chosen)
    except ModelMissing as missing:
        pytest.skip(str(missing))


@asynccontextmanager
async def running(llm: Embedded) -> AsyncIterator[Embedded]:
    """The model, served by a fresh child."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(llm.run())
        try:
            await llm.warm([SYSTEM])
            yield llm
        finally:
            task.cancel()


async def answer(llm: Embedded, messages: Sequence[Message]) -> tuple[str, int]:
    """What it says, and how many tokens of the prompt had to be read for that."""
    text = "".join([piece async for piece in llm.reply(messages) if isinstance(piece, str)])
    assert llm.usage is not None
    return text, llm.usage.prompt_tokens - llm.usage.cached_tokens


@pytest.mark.models
async def test_a_prefill_changes_what_is_read_and_not_what_is_said(embedded: Embedded) -> None:
    async with running(embedded) as llm:
        expected, unprepared = await answer(llm, asked(CAPITAL))
    async with running(embedded) as llm:
        for words in ("What is", "What is the capital"):
            await llm.prefill(asked(words))
        text, partly = await answer(llm, asked(CAPITAL))
        assert text == expected
        assert partly < unprepared
        following = asked(CAPITAL, text, "And what is the capital of Spain?")
        await llm.prefill(following)
        assert (await answer(llm, following))[1] == 1, "llama.cpp reads the last token for its successor"


@pytest.mark.models
async def test_conversations_that_begin_alike_do_not_take_each_other_s_place(embedded: Embedded) -> None:
    async with running(embedded) as llm:
        talks = [asked(CAPITAL), asked("Tell me a fun fact about the moon.")]
        for talk, question in zip(talks, ("And of Spain?", "Another one?"), strict=True):
            talk += [Message("assistant", (await answer(llm, talk))[0]), Message("user", question)]
        for talk in talks:
            assert (await answer(llm, talk))[1] < 20


@pytest.mark.models
@pytest.mark.parametrize("embedded", [{"context_tokens": 256, "max_tokens": 5}], indirect=True)
async def test_more_conversations_than_slots_and_than_fit_the_cache_are_all_answered(embedded: Embedded) -> None:
    async with running(embedded) as llm:
        systems = [Message("system", f"You are {name}, a voice assistant. " * 10) for name in ("Ann", "Ben", "Cleo")]
        for _ in range(2):
            for system in systems:
                await llm.prefill(asked("What is", system=system))
                assert (await answer(llm, asked(CAPITAL, system=system)))[0]


@pytest.mark.models
@pytest.mark.parametrize("how", ["cancelled", "overtaken"])
async def test_a_prefill_that_is_given_up_harms_nothing(how: str, embedded: Embedded) -> None:
    async with running(embedded) as llm:
        expected, _ = await answer(llm, asked(CAPITAL))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(llm.prefill(LONG))
            await asyncio.sleep(0.05)
            if how == "cancelled":
                task.cancel()
            text, _ = await answer(llm, asked(CAPITAL))
            assert text == expected
            assert (await answer(llm, LONG))[1] > 100, "llama.cpp had stopped reading it"


@pytest.mark.models
async def test_no_prefill_starts_before_a_reply_s_first_clause(embedded: Embedded) -> None:
    async with running(embedded) as llm:
        following = asked("Hello.", "Hello, how can I help you?", CAPITAL)
        reply = llm.reply(asked("Tell me a fun fact about the moon."))
        await anext(reply)
        await llm.prefill(following)
        await reply.aclose()
        assert (await answer(llm, following))[1] > 1, "nothing was read ahead"
