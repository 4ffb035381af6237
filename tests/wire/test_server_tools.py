"""Tools of the server's own in whole calls: functions and MCP servers, over either wire, with words while they work."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agent.audio import WIRE_RATE, resample
from agent.caller import Caller, trimmed
from agent.settings import load
from bench.speech import spoken
from tests.people import models_missing, second_ears, serving, transcribed
from tests.scripted_llm import Answer, ScriptedLLM, scripted_llm
from tests.socket_client import RATE, Event, SocketClient, connected

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

QUESTION, STOP = "What is the capital of France?", "Stop. Never mind."
PROGRAM = str(Path(__file__).parents[1] / "mcp_tools.py")
HERE = "tests.wire.test_server_tools"
Server = tuple[str, ScriptedLLM]
BOOKED: list[str] = []


def capital(country: str) -> str:
    """The capital of a country."""
    return {"France": "Paris"}[country]


async def book(seconds: float = 60.0) -> str:
    """Book a table, which takes a while."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        BOOKED.append("cancelled")
        raise
    BOOKED.append("booked")
    return "booked for eight"


@pytest.fixture(scope="module", autouse=True)
def sentences() -> None:
    """Speak them before the loop runs."""
    spoken(QUESTION)
    spoken(STOP)


def mind(messages: list[dict[str, Any]]) -> Answer | str:
    """Calls for what it does not know."""
    last = messages[-1]
    if last["role"] == "tool":
        return f"It is {last['content']}."
    asked = last["content"].lower()
    if "capital" in asked:
        return Answer(calls=[("capital", '{"country": "France"}')])
    if "order" in asked:
        return Answer(calls=[("where_is", '{"order": "7"}')])
    if "table" in asked:
        return Answer(calls=[("book", '{"seconds": 2.5}' if "quickly" in asked else "{}")])
    if "both" in asked:
        return Answer(calls=[("capital", '{"country": "France"}'), ("weather", "{}")])
    return "Very well."


@asynccontextmanager
async def a_server(**tools: Any) -> AsyncIterator[Server]:
    async with scripted_llm(mind) as llm:
        tools = {"functions": [f"{HERE}:capital", f"{HERE}:book"], **tools}
        settings = await asyncio.to_thread(load, None, llm={"url": llm.url, "model": "scripted"}, tools=tools)
        async with serving(settings) as (url, _):
            yield url, llm


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    BOOKED.clear()
    async with a_server(mcp=[{"command": sys.executable, "args": [PROGRAM]}, "stdio:/nowhere/a-server"]) as one:
        yield one


def items(client: SocketClient) -> list[Event]:
    """Of the conversation, as they were when they were done."""
    return [event["item"] for event in client.events if event["type"] == "conversation.item.done"]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_spoken_question_is_looked_up_by_the_server_and_answered_aloud(server: Server) -> None:
    url, llm = server
    async with connected(url) as client:
        client.say(spoken(QUESTION).pcm)
        await client.until("response.done", 2)
        told = items(client)
        assert [item["type"] for item in told] == ["message", "function_call", "function_call_output", "message"]
        call, output = told[1:3]
        assert (call["name"], call["arguments"], call["status"]) == ("capital", '{"country": "France"}', "completed")
        assert (output["call_id"], output["output"]) == (call["call_id"], "Paris")
        assert not [event for event in client.events if "function_call_arguments" in event["type"]]
        outputs = [event["response"]["output"] for event in client.events if event["type"] == "response.done"]
        assert [len(output) for output in outputs] == [0, 1], "no client takes the call for its own"
        assert outputs[1][0]["content"][0]["transcript"].strip() == "It is Paris."
        text = await asyncio.to_thread(lambda: transcribed(second_ears(), resample(client.voice(), RATE, WIRE_RATE)))
        assert "paris" in text.lower()
    offered = [tool["function"]["name"] for tool in llm.requests[-1]["tools"]]
    assert offered == ["capital", "book", "where_is", "orders_cancel", "count", "learn", "die"]


async def test_an_mcp_server_answers_and_one_that_is_not_there_holds_nothing_up(server: Server) -> None:
    url, llm = server
    async with connected(url, microphone=False) as client:
        await client.ask("Where is my order?")
        await client.until("response.done", 2)
        assert items(client)[2]["output"] == "Order 7 is in Oslo"
    assert llm.requests[-1]["messages"][-1]["content"] == "Order 7 is in Oslo"


async def test_over_webrtc_a_word_bridges_a_slow_tool_and_is_not_remembered(server: Server) -> None:
    url, llm = server
    async with Caller(url) as caller:
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "A table, quickly."}]}
        caller.send({"type": "conversation.item.create", "item": message})
        caller.send({"type": "response.create"})
        await until(lambda: len(caller.of("output_audio_buffer.stopped")) == 2)
        heard = await asyncio.to_thread(lambda: transcribed(second_ears(), trimmed(caller.ear.sound())))
        assert "moment" in heard.lower()
        assert "eight" in heard.lower() or "8" in heard
        assert BOOKED == ["booked"]
    assert [message["role"] for message in llm.requests[-1]["messages"][1:]] == ["user", "assistant", "tool"]
    assert llm.requests[-1]["messages"][2]["content"] is None


async def test_a_voice_that_means_it_cancels_the_tool(server: Server) -> None:
    url, llm = server
    async with connected(url) as client:
        await client.ask("Book a table.")
        await until(lambda: any(item["type"] == "function_call" for item in items(client)))
        client.say(spoken(STOP).pcm)
        await until(lambda: BOOKED == ["cancelled"])
        done = await client.until("response.done")
        assert done["response"]["status"] == "cancelled"
        assert "was interrupted" in next(item for item in items(client) if "output" in item)["output"]
        mark = len(client.events)
        await client.ask("Hello?")
        await client.until("response.done", after=mark)
    assert not any("booked" in str(message["content"]) for message in llm.requests[-1]["messages"])


async def test_a_client_cancels_a_tool_as_it_cancels_an_answer(server: Server) -> None:
    url, _ = server
    async with connected(url, microphone=False) as client:
        await client.ask("Book a table.")
        await until(lambda: any(item["type"] == "function_call" for item in items(client)))
        await client.send("response.create")
        error = (await client.until("error"))["error"]
        assert error["code"] == "conversation_already_has_active_response"
        await client.send("response.cancel")
        assert (await client.until("response.done"))["response"]["status"] == "cancelled"
        await until(lambda: BOOKED == ["cancelled"])


async def test_a_client_s_own_tool_beside_ours_is_answered_by_the_client(server: Server) -> None:
    url, llm = server
    async with connected(url, microphone=False) as client:
        await client.send(
            "session.update", session={"type": "realtime", "tools": [{"type": "function", "name": "weather"}]}
        )
        before = len(llm.requests)
        await client.ask("Tell me both.")
        done = (await client.until("response.done"))["response"]
        assert [item["name"] for item in done["output"]] == ["weather"]
        item = {"type": "function_call_output", "call_id": done["output"][0]["call_id"], "output": "rain"}
        await client.send("conversation.item.create", item=item)
        await client.send("response.create")
        await client.until("response.done", 2)
    results = [message["content"] for message in llm.requests[-1]["messages"] if message["role"] == "tool"]
    assert results == ["Paris", "rain"]
    assert len(llm.requests) - before == 2


async def test_what_tools_say_can_be_kept_from_clients() -> None:
    async with a_server(shown=False) as (url, llm), connected(url, microphone=False) as client:
        await client.ask("The capital?")
        await client.until("response.done", 2)
        assert [item["type"] for item in items(client)] == ["message", "message"]
        assert llm.requests[-1]["messages"][-1]["content"] == "Paris"
