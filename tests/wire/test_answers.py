"""Answers over a WebSocket: one at a time, stopped for good, on terms of their own, remembered as they were heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from agent.settings import load
from agent.worker import Worker
from bench.speech import SENTENCES, spoken
from tests.people import models_missing, serving
from tests.scripted_llm import Answer, ScriptedLLM, scripted_llm
from tests.socket_client import Event, SocketClient, connected

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(90),
]

QUESTION = "What is the capital of France?"
STORY = " ".join(SENTENCES[:3])
FOREVER = "Say it again and again."
LOOK = "Look it up."
TOOL = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}
Server = tuple[str, Worker, ScriptedLLM]


@pytest.fixture(scope="module", autouse=True)
def sentences() -> None:
    """Speak it before the loop runs."""
    spoken(QUESTION)


def mind(messages: list[dict[str, Any]]) -> Answer | str:
    """Stories, a call, an answer that never ends, and otherwise what it was asked."""
    last = messages[-1]
    if last["role"] == "tool":
        return f"It is {last['content']}."
    asked = last["content"]
    if asked.endswith(FOREVER):
        return Answer(["again "], token_s=0.05, forever=True)
    if asked.endswith(LOOK):
        return Answer(calls=[("look_up", "{}")])
    return STORY if "story" in asked else f"You said {asked}"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    """A server whose model answers as `mind` has it."""
    async with scripted_llm(mind) as llm:
        settings = await asyncio.to_thread(load, None, llm={"url": llm.url, "model": "scripted"})
        async with serving(settings) as (url, worker):
            yield url, worker, llm


def of(client: SocketClient, kind: str, after: int = 0) -> list[Event]:
    """All events of a type."""
    return [event for event in client.events[after:] if event["type"] == kind]


def said(llm: ScriptedLLM) -> list[str]:
    """The newest prompt without its instructions."""
    return [message["content"] for message in llm.requests[-1]["messages"] if message["role"] != "system"]


async def test_a_cancelled_answer_says_nothing_more(server: Server) -> None:
    url, _, llm = server
    async with connected(url, microphone=False) as client:
        await client.ask(FOREVER)
        await client.until("response.output_audio.delta")
        await client.send("response.cancel")
        done = (await client.until("response.done"))["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "client_cancelled")
        over = client.events.index(await client.until("response.done"))
        async with asyncio.timeout(5):
            await llm.aborted.wait()
        await client.ask("Hello?")
        await client.until("response.done", 2)
        assert not [event for event in client.events[over + 1 :] if event.get("response_id") == done["id"]]


async def test_a_second_answer_waits_until_the_first_is_made(server: Server) -> None:
    async with connected(server[0], microphone=False) as client:
        await client.ask(FOREVER)
        first = (await client.until("response.created"))["response"]["id"]
        await client.send("response.create", event_id="mine")
        error = (await client.until("error"))["error"]
        assert error["code"] == "conversation_already_has_active_response"
        assert error["event_id"] == "mine"
        assert first in error["message"]
        await client.until("response.output_audio_transcript.delta")
        await client.send("response.cancel")
        await client.until("response.done")
        await client.ask("Hello?")
        assert (await client.until("response.done", 2))["response"]["status"] == "completed"
        assert len(of(client, "response.created")) == 2


async def test_what_one_answer_was_asked_for_is_not_for_the_next(server: Server) -> None:
    url, _, llm = server
    async with connected(url, microphone=False) as client:
        await client.send("session.update", session={"type": "realtime", "instructions": "Be kind."})
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "One."}]}
        await client.send("conversation.item.create", item=message)
        await client.send("response.create", response={"instructions": "Be brief.", "output_modalities": ["text"]})
        first = (await client.until("response.done"))["response"]
        assert first["output_modalities"] == ["text"]
        assert llm.requests[-1]["messages"][0]["content"] == "Be brief."
        await client.ask("Two.")
        second = (await client.until("response.done", 2))["response"]
        assert second["output_modalities"] == ["audio"]
        assert second["output"][0]["content"][0]["type"] == "output_audio"
        assert llm.requests[-1]["messages"][0]["content"] == "Be kind."


async def test_what_a_client_did_not_play_is_not_in_the_next_prompt(server: Server) -> None:
    url, _, llm = server
    async with connected(url, microphone=False) as client:
        await client.ask("Tell me a story.")
        item = (await client.until("response.done"))["response"]["output"][0]["id"]
        await client.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=1500)
        await client.until("conversation.item.truncated")
        await client.ask("What was your last word?")
        await client.until("response.done", 2)
        heard = said(llm)[1].removesuffix(" —")
        assert STORY.startswith(heard)
        assert 2 <= len(heard.split()) <= 9
        assert said(llm)[2] == "What was your last word?"


async def test_an_answer_longer_than_itself_is_not_cut(server: Server) -> None:
    """Clients reckon by the clock on the wall, and may be wrong by a moment."""
    async with connected(server[0], microphone=False) as client:
        await client.ask("Tell me a story.")
        item = (await client.until("response.done"))["response"]["output"][0]["id"]
        await client.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=999_000)
        await client.until("conversation.item.truncated")
        await client.send("conversation.item.retrieve", item_id=item)
        kept = (await client.until("conversation.item.retrieved"))["item"]
        assert (kept["status"], kept["content"][0]["transcript"].strip()) == ("completed", STORY)
        assert "error" not in client.types()


async def test_what_is_put_behind_an_answer_that_still_plays_stays_behind_it(server: Server) -> None:
    """Some clients name the item before every item that they create."""
    url, _, llm = server
    async with connected(url, microphone=False) as client:
        await client.ask("Tell me a story.")
        item = (await client.until("response.done"))["response"]["output"][0]["id"]
        text = [{"type": "input_text", "text": "Hello?"}]
        message = {"type": "message", "role": "user", "content": text}
        await client.send("conversation.item.create", item=message, previous_item_id=item)
        await client.send("response.create")
        await client.until("response.done", 2)
        assert said(llm) == ["Tell me a story.", STORY, "Hello?"]


async def test_several_conversations_at_once_keep_to_themselves(server: Server) -> None:
    """Three clients, three turns each: every prompt has its own conversation and no other's, in order."""
    url, _, llm = server

    async def converse(name: str) -> None:
        async with connected(url, microphone=False) as client:
            for turn in range(3):
                await client.ask(f"{name} {turn}.")
                done = (await client.until("response.done", turn + 1))["response"]
                assert done["output"][0]["content"][0]["transcript"].strip() == f"You said {name} {turn}."
            ids = {event["item"]["id"] for event in of(client, "conversation.item.added")}
            assert len(ids) == 6

    names = ("Alma", "Bruno", "Clara")
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(converse(name))
    last = [said_by(request) for request in llm.requests if len(said_by(request)) == 5]
    assert sorted(last) == [
        [f"{name} 0.", f"You said {name} 0.", f"{name} 1.", f"You said {name} 1.", f"{name} 2."] for name in names
    ]


def said_by(request: dict[str, Any]) -> list[str]:
    """A prompt without its instructions."""
    return [message["content"].strip() for message in request["messages"] if message["role"] != "system"]


async def test_who_leaves_in_the_middle_of_an_answer_leaves_nothing(server: Server) -> None:
    url, worker, llm = server
    async with connected(url, microphone=False) as client:
        await client.ask(FOREVER)
        await client.until("response.output_audio.delta")
    async with asyncio.timeout(5):
        await llm.aborted.wait()
        while worker.calls:  # noqa: ASYNC110 - the worker has no reason to announce its last call
            await asyncio.sleep(0.02)
    async with connected(url, microphone=False) as client:
        await client.ask("Hello?")
        await client.until("response.done")


async def test_a_tool_may_be_slow_and_fail_while_somebody_speaks(server: Server) -> None:
    url, _, llm = server
    async with connected(url) as client:
        await client.send("session.update", session={"type": "realtime", "tools": [TOOL]})
        await client.ask(LOOK)
        call = (await client.until("response.done"))["response"]["output"][0]
        client.say(spoken(QUESTION).pcm)  # the tool is still at work
        meanwhile = (await client.until("response.done", 2))["response"]
        assert "capital" in meanwhile["output"][0]["content"][0]["transcript"]
        mark = len(client.events)
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"error": "no such place"}'}
        await client.send("conversation.item.create", item=output)
        await client.send("response.create")
        assert (await client.until("response.done", after=mark))["response"]["status"] == "completed"
    result = next(message for message in llm.requests[-1]["messages"] if message["role"] == "tool")
    assert result["content"] == '{"error": "no such place"}'


async def test_each_update_is_answered_once_with_the_whole_session(server: Server) -> None:
    async with connected(server[0], microphone=False) as client:
        before = client.events[0]["session"]
        await client.send("session.update", session={"type": "realtime", "instructions": "Be kind."})
        await client.send("session.update", session={"audio": {"output": {"speed": 1.25}}, "tracing": "auto"})
        await client.send("conversation.item.retrieve", item_id="none")
        await client.until("error")
        assert client.types(1) == ["session.updated", "error"]
        first, second = (event["session"] for event in of(client, "session.updated"))
        assert first == {**before, "instructions": "Be kind."}
        output = {**before["audio"]["output"], "speed": 1.25}
        assert second == {**first, "tracing": "auto", "audio": {**before["audio"], "output": output}}


async def test_a_picture_is_refused_by_name_and_the_session_lives(server: Server) -> None:
    async with connected(server[0], microphone=False) as client:
        picture = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
        for content in ([picture], [{"type": "input_text", "text": "What is this?"}, picture]):
            mark = len(client.events)
            item = {"type": "message", "role": "user", "content": content}
            await client.send("conversation.item.create", item=item, event_id="mine")
            error = (await client.until("error", after=mark))["error"]
            assert (error["code"], error["event_id"]) == ("invalid_value", "mine")
            assert "input_image" in error["message"]
        await client.ask("Hello?")
        await client.until("response.done")
        assert len(of(client, "conversation.item.added")) == 2
