"""Calls as servers of language models stream them, and what they are asked."""

from __future__ import annotations

from typing import Any

import pytest

from agent.engines.llm.completion import Completion
from agent.engines.llm.openai import OpenAIChat
from agent.engines.protocols import Call, CallDelta, Ending, Message, Piece, Scope, Tool
from agent.errors import EngineError
from tests.scripted_llm import CACHED_TOKENS, PROMPT_TOKENS, Answer, scripted_llm

QUESTION = [Message("user", "What is the weather in Oslo?")]
TOOL = Tool("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


def read(*parts: dict[str, Any] | list[dict[str, Any]], reason: str = "tool_calls") -> list[Piece]:
    """What deltas of ``tool_calls`` come to."""
    completion, pieces = Completion(), list[Piece]()
    for part in parts:
        delta = {"tool_calls": part if isinstance(part, list) else [part]}
        pieces += completion.take({"choices": [{"delta": delta, "finish_reason": None}]})
    pieces += completion.take({"choices": [{"delta": {}, "finish_reason": reason}]})
    return [*pieces, *completion.close()]


async def test_a_call_goes_there_and_back() -> None:
    arguments = '{"city": "Oslo", "unit": "C"}'
    async with scripted_llm(lambda messages: Answer(["One", " moment."], calls=[("weather", arguments)])) as server:
        llm = OpenAIChat(url=server.url, model="m")
        scope = Scope((TOOL,), most_tokens=50)
        pieces = [piece async for piece in llm.reply(QUESTION, scope)]
        call, ending = pieces[-2:]
        assert pieces[:2] == ["One", " moment."]
        assert isinstance(call, Call)
        assert isinstance(ending, Ending)
        assert (call.name, call.arguments) == ("weather", arguments)
        assert "".join(piece.arguments for piece in pieces if isinstance(piece, CallDelta)) == arguments
        usage = ending.usage
        assert (usage.prompt_tokens, usage.cached_tokens, usage.tokens) == (PROMPT_TOKENS, CACHED_TOKENS, 2)
        result = Message("tool", "rain", call_id=call.id)
        async for _ in llm.reply([*QUESTION, Message("assistant", "One moment.", (call,)), result], scope):
            pass
        await llm.close()
    first, second = server.requests
    assert first["max_tokens"] == 50
    assert first["tool_choice"] == "auto"
    assert first["tools"][0]["function"] == {
        "name": "weather",
        "description": "The weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    assert second["messages"][1:] == [
        {
            "role": "assistant",
            "content": "One moment.",
            "tool_calls": [
                {"id": call.id, "type": "function", "function": {"name": "weather", "arguments": arguments}}
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": "rain"},
    ]


async def test_one_function_can_be_demanded_and_the_server_s_own_limit_holds() -> None:
    async with scripted_llm(lambda messages: Answer(["a", "b", "c"])) as server:
        llm = OpenAIChat(url=server.url, model="m", max_tokens=2)
        pieces = [piece async for piece in llm.reply(QUESTION, Scope((TOOL,), only="weather", most_tokens=900))]
        await llm.close()
    assert server.requests[0]["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert server.requests[0]["max_tokens"] == 2
    assert isinstance(pieces[-1], Ending)
    assert pieces[-1].short == "max_output_tokens"


async def test_a_server_that_can_not_tell_usage_is_asked_without() -> None:
    async with scripted_llm(lambda messages: "Hello.") as server:
        server.knows_usage = False
        llm = OpenAIChat(url=server.url, model="m")
        for _ in range(2):
            assert [piece async for piece in llm.reply(QUESTION) if isinstance(piece, str)] == ["Hello."]
        await llm.close()
    assert ["stream_options" in request for request in server.requests] == [True, False, False]


def test_calls_that_come_whole_and_all_numbered_0() -> None:
    pieces = read(
        {"index": 0, "id": "a", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
        {"index": 0, "id": "b", "function": {"name": "clock", "arguments": ""}},
    )
    assert [piece for piece in pieces if isinstance(piece, Call)] == [
        Call("a", "weather", '{"city": "Oslo"}'),
        Call("b", "clock", "{}"),
    ]


def test_calls_without_ids_get_some() -> None:
    pieces = read(
        [{"index": 0, "function": {"name": "weather", "arguments": {}}}, {"index": 1, "function": {"name": "clock"}}]
    )
    first, second = (piece for piece in pieces if isinstance(piece, Call))
    assert first.id.startswith("call_")
    assert first.id != second.id


def test_a_call_cut_off_by_the_limit_is_none() -> None:
    pieces = read({"index": 0, "id": "a", "function": {"name": "weather", "arguments": '{"ci'}}, reason="length")
    assert not [piece for piece in pieces if isinstance(piece, Call)]


@pytest.mark.parametrize("arguments", ['{"ci', "[]", "Oslo"])
def test_arguments_that_are_no_object_are_the_model_s_fault(arguments: str) -> None:
    with pytest.raises(EngineError, match="weather with arguments"):
        read({"index": 0, "id": "a", "function": {"name": "weather", "arguments": arguments}})
