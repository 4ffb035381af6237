"""Functions of the client's: asked for by the model, called by the client, and answered with, over either wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from agent.audio import WIRE_RATE, resample
from agent.caller import Caller, trimmed
from agent.settings import load
from bench.speech import spoken
from tests.people import models_missing, second_ears, serving, transcribed
from tests.scripted_llm import CACHED_TOKENS, PROMPT_TOKENS, Answer, ScriptedLLM, scripted_llm
from tests.socket_client import RATE, Event, SocketClient, connected

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

QUESTION = "What is the capital of France?"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"type": "function", "name": name, "parameters": CITY} for name in ("look_up", "clock")]
SESSION = {"type": "realtime", "tools": TOOLS}
LONG = json.dumps({"city": "Paris " * 200})
CALLED = [
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
]
END = ["response.done", "rate_limits.updated"]
Server = tuple[str, ScriptedLLM]


@pytest.fixture(scope="module", autouse=True)
def sentences() -> None:
    """Speak them before the loop runs."""
    spoken(QUESTION)


def mind(messages: list[dict[str, Any]]) -> Answer | str:
    """Calls for what it does not know."""
    last = messages[-1]
    if last["role"] == "tool":
        return f"It is {last['content']}."
    asked = last["content"].rpartition("? ")[2]  # a question whose call is still open stands before the next one
    if "both" in asked:
        return Answer.of("One moment, please.", calls=[("look_up", '{"city": "Paris"}'), ("clock", "{}")])
    if "slowly" in asked:
        return Answer(calls=[("look_up", LONG)], token_s=0.05)
    if "story" in asked:
        return "Once upon a time there was a lighthouse."
    return Answer(calls=[("look_up", '{"city": "Paris"}')]) if "capital" in asked else "Hello."


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with scripted_llm(mind) as llm:
        settings = await asyncio.to_thread(load, None, llm={"url": llm.url, "model": "scripted"})
        async with serving(settings) as (url, _):
            yield url, llm


async def give(client: SocketClient, call_id: str, output: str) -> None:
    """The result of a call."""
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    await client.send("conversation.item.create", item=item)


def of(events: list[Event], kind: str) -> list[Event]:
    """All events of a type."""
    return [event for event in events if event["type"] == kind]


async def test_a_spoken_question_is_looked_up_and_answered_aloud(server: Server) -> None:
    url, llm = server
    async with connected(url) as client:
        await client.send("session.update", session=SESSION)
        await client.until("session.updated")
        client.say(spoken(QUESTION).pcm)
        await client.until("rate_limits.updated")
        begun = client.types().index("response.created")
        assert client.types()[begun:] == ["response.created", *CALLED, *END]
        done = await client.until("response.function_call_arguments.done")
        assert (done["name"], json.loads(done["arguments"])) == ("look_up", {"city": "Paris"})
        mark = len(client.events)
        await give(client, done["call_id"], "Paris")
        await client.until("conversation.item.done", after=mark)
        await client.send("response.create")
        answer = (await client.until("response.done", after=mark))["response"]
        assert answer["output"][0]["content"][0]["transcript"].strip() == "It is Paris."
        text = await asyncio.to_thread(
            lambda: transcribed(second_ears(), resample(client.voice(mark), RATE, WIRE_RATE))
        )
        assert "paris" in text.lower()
        assert len(of(client.events, "response.function_call_arguments.done")) == 1
    told, call, result = llm.requests[-1]["messages"][-3:]
    assert "capital" in told["content"]
    assert (call["content"], call["tool_calls"][0]["id"]) == (None, done["call_id"])
    assert result == {"role": "tool", "tool_call_id": done["call_id"], "content": "Paris"}
    assert [tool["function"]["name"] for tool in llm.requests[-1]["tools"]] == ["look_up", "clock"]


async def test_text_before_two_calls(server: Server) -> None:
    url, llm = server
    async with connected(url, microphone=False) as client:
        await client.send("session.update", session=SESSION)
        await client.ask("Tell me both.")
        response = (await client.until("response.done"))["response"]
        kinds = [item["type"] for item in response["output"]]
        assert kinds == ["message", "function_call", "function_call"]
        assert {item["status"] for item in response["output"]} == {"completed"}
        opened = of(client.events, "response.output_item.added")
        assert [event["output_index"] for event in opened] == [0, 1, 2]
        voiced = client.events.index(of(client.events, "response.output_audio.done")[0])
        assert voiced < client.events.index(opened[1])
        mark = len(client.events)
        for item, output in zip(response["output"][1:], ("France", "noon"), strict=True):
            await give(client, item["call_id"], output)
        await client.send("response.create")
        await client.until("response.done", after=mark)
        await client.send("conversation.item.retrieve", item_id=response["output"][0]["id"])
        kept = (await client.until("conversation.item.retrieved"))["item"]
        assert (kept["status"], kept["content"][0]["transcript"].strip()) == ("completed", "One moment, please.")
    said, first, second = llm.requests[-1]["messages"][-3:]
    assert said["content"] == "One moment, please."
    assert [call["function"]["name"] for call in said["tool_calls"]] == ["look_up", "clock"]
    assert (first["content"], second["content"]) == ("France", "noon")


async def test_a_cancelled_call_is_incomplete_and_the_conversation_goes_on(server: Server) -> None:
    url, llm = server
    async with connected(url, microphone=False) as client:
        await client.send("session.update", session=SESSION)
        await client.ask("Look it up slowly.")
        await client.until("response.function_call_arguments.delta", 3)
        await client.send("response.cancel")
        response = (await client.until("response.done"))["response"]
        assert response["status"] == "cancelled"
        assert [item["status"] for item in response["output"]] == ["incomplete"]
        assert not of(client.events, "response.function_call_arguments.done")
        async with asyncio.timeout(5):
            await llm.aborted.wait()
        mark = len(client.events)
        await client.ask("Hello?")
        assert (await client.until("response.done", after=mark))["response"]["status"] == "completed"
    assert not any("tool_calls" in message for message in llm.requests[-1]["messages"])


async def test_a_result_that_comes_late_does_not_hold_the_conversation_up(server: Server) -> None:
    url, llm = server
    async with connected(url, microphone=False) as client:
        await client.send("session.update", session=SESSION)
        await client.ask("What is the capital of France?")
        call = (await client.until("response.done"))["response"]["output"][0]
        await client.ask("Hello?")
        await client.until("response.done", 2)
        mark = len(client.events)
        await give(client, call["call_id"], "Paris")
        await client.until("conversation.item.done", after=mark)
        await client.ask("Hello again?")
        assert (await client.until("response.done", after=mark))["response"]["status"] == "completed"
    roles = [message["role"] for message in llm.requests[-1]["messages"]]
    assert roles[-6:] == ["user", "assistant", "tool", "user", "assistant", "user"]


async def test_one_answer_may_be_shorter_and_have_other_tools(server: Server) -> None:
    url, llm = server
    async with connected(url, microphone=False) as client:
        await client.send("session.update", session=SESSION)
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "A story."}]}
        await client.send("conversation.item.create", item=message)
        wanted = {"max_output_tokens": 3, "tools": TOOLS[1:], "tool_choice": "none", "output_modalities": ["text"]}
        await client.send("response.create", response=wanted)
        response = (await client.until("response.done"))["response"]
        assert (response["status"], response["max_output_tokens"]) == ("incomplete", 3)
        assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
        assert response["output"][0]["content"] == [{"type": "output_text", "text": "Once upon a"}]
        asked = llm.requests[-1]
        assert (asked["max_tokens"], asked["tool_choice"]) == (3, "none")
        assert [tool["function"]["name"] for tool in asked["tools"]] == ["clock"]
        mark = len(client.events)
        await client.ask("A story.")
        response = (await client.until("response.done", after=mark))["response"]
        assert (response["status"], response["max_output_tokens"]) == ("completed", "inf")
        assert len(llm.requests[-1]["tools"]) == 2


async def test_usage_is_the_model_server_s_account_and_the_length_of_the_sound(server: Server) -> None:
    async with connected(server[0], microphone=False) as client:
        await client.ask("A story.")
        usage = (await client.until("response.done"))["response"]["usage"]
        limits = (await client.until("rate_limits.updated"))["rate_limits"]
        voice_s = len(client.voice()) / RATE
    text, sound = usage["output_token_details"]["text_tokens"], usage["output_token_details"]["audio_tokens"]
    assert (text, abs(sound - voice_s * 20) <= 1) == (8, True)
    assert usage["input_token_details"]["text_tokens"] == usage["input_tokens"] == PROMPT_TOKENS
    assert usage["input_token_details"]["cached_tokens"] == CACHED_TOKENS
    assert usage["output_tokens"] == text + sound
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert {limit["name"] for limit in limits} == {"requests", "tokens"}


async def test_on_a_call_the_answer_waits_for_what_was_said_before_the_look_up(server: Server) -> None:
    async with Caller(server[0]) as caller:
        caller.send({"type": "session.update", "session": SESSION})
        await caller.event("session.updated")
        text = [{"type": "input_text", "text": "Tell me both."}]
        message = {"type": "message", "role": "user", "content": text}
        caller.send({"type": "conversation.item.create", "item": message})
        caller.send({"type": "response.create"})
        done = await caller.event("response.done")
        mark = len(caller.events)
        for item in done["response"]["output"][1:]:
            output = {"type": "function_call_output", "call_id": item["call_id"], "output": "France"}
            caller.send({"type": "conversation.item.create", "item": output})
        caller.send({"type": "response.create"})
        await caller.event("response.done", after=mark)
        await caller.event("output_audio_buffer.stopped", after=caller.events.index(caller.of("response.done")[-1]))
        kinds = [event["type"] for event in caller.events if event["type"].startswith("output_audio_buffer")]
        assert kinds == ["output_audio_buffer.started", "output_audio_buffer.stopped"] * 2
        assert not caller.of("response.output_audio.delta")
        heard = await asyncio.to_thread(lambda: transcribed(second_ears(), trimmed(caller.ear.sound())))
        assert "moment" in heard.lower()
        assert "france" in heard.lower()
