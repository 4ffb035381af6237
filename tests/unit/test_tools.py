"""Functions that a client offers: what it may ask for, what it is told, and what the language model reads of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.engines.protocols import Call, CallDelta, Ending, Message, Tool, Usage
from agent.history import Entry, History
from agent.metrics import Timeline
from agent.observer import Made
from agent.realtime.config import Config
from agent.realtime.narrator import Narrator
from agent.realtime.requests import RequestError
from agent.realtime.session import Session
from agent.settings import Settings
from agent.speaking.playout import Heard
from tests.unit.test_realtime import Line, Sent, knows, terms

WEATHER = {"type": "function", "name": "weather", "description": "The weather.", "parameters": {"type": "object"}}
ADDED = ["response.output_item.added", "conversation.item.added"]
DONE = ["response.function_call_arguments.done", "conversation.item.done", "response.output_item.done"]
END = ["response.done", "rate_limits.updated"]


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def narrator(sent: Sent) -> Narrator:
    return Narrator(sent, terms)


def call(narrator: Narrator, name: str, arguments: str, *, whole: bool = True) -> None:
    call_id = f"call_{name}"
    narrator.calling(f"item_{name}", CallDelta(call_id, name, ""))
    narrator.calling(f"item_{name}", CallDelta(call_id, name, arguments))
    if whole:
        narrator.called(f"item_{name}", Call(call_id, name, arguments))


def end(narrator: Narrator, heard: str = "", cut: bool | None = None) -> None:
    found = Heard(heard, 0, complete=cut is None)
    narrator.reply_ended("item_a", found, cut_by_speech=cut, failure=None, timeline=Timeline())


def test_an_answer_that_only_calls_has_no_message(narrator: Narrator, sent: Sent) -> None:
    narrator.reply_started("item_a", spoken=True)
    call(narrator, "weather", '{"city": "Oslo"}')
    narrator.written("item_a")
    end(narrator)
    delta = "response.function_call_arguments.delta"
    assert sent.types() == ["response.created", *ADDED, delta, *DONE, *END]
    added, done = sent[1]["item"], sent[6]["item"]
    assert (added["status"], added["arguments"], added["call_id"]) == ("in_progress", "", "call_weather")
    assert (done["status"], done["arguments"]) == ("completed", '{"city": "Oslo"}')
    assert [item["type"] for item in sent[7]["response"]["output"]] == ["function_call"]


def test_calls_follow_the_closed_message_in_their_order(narrator: Narrator, sent: Sent) -> None:
    narrator.reply_started("item_a", spoken=True)
    narrator.told("item_a", "Let me see.")
    call(narrator, "weather", "{}")
    call(narrator, "clock", "{}")
    narrator.written("item_a")
    done = next(event for event in sent if event["type"] == "response.done")
    assert [item["id"] for item in done["response"]["output"]] == ["item_a", "item_weather", "item_clock"]
    opened = [event for event in sent if event["type"] == "response.output_item.added"]
    assert [event["output_index"] for event in opened] == [0, 1, 2]
    ended = [n for n, event in enumerate(sent) if event["type"] == "response.output_item.done"]
    assert ended[0] < sent.index(opened[1])
    assert all(event["output_index"] == 2 for event in sent if event.get("call_id") == "call_clock")


def test_a_call_that_was_cut_off_is_incomplete_and_never_done(narrator: Narrator, sent: Sent) -> None:
    narrator.reply_started("item_a", spoken=True)
    call(narrator, "weather", '{"ci', whole=False)
    end(narrator, cut=False)
    assert "response.function_call_arguments.done" not in sent.types()
    response = next(event for event in sent if event["type"] == "response.done")["response"]
    assert response["status"] == "cancelled"
    assert [item["status"] for item in response["output"]] == ["incomplete"]


def test_a_client_that_comes_back_is_told_of_calls(narrator: Narrator, sent: Sent) -> None:
    narrator.reply_started("item_a", spoken=True)
    narrator.told("item_a", "Let me see.")
    call(narrator, "weather", '{"ci', whole=False)
    sent.clear()
    narrator.recall()
    assert sent.types() == [
        "response.created",
        "conversation.item.added",
        "conversation.item.done",
        *ADDED,
        "response.function_call_arguments.delta",
    ]


def test_usage_counts_text_as_the_model_does_and_sound_by_its_length(narrator: Narrator, sent: Sent) -> None:
    narrator.turn_opened("item_u", 1.0, "caller")
    narrator.turn_closed("item_u", "Hello?", 2.25)
    narrator.reply_started("item_a", spoken=True)
    narrator.told("item_a", "Hello.")
    narrator.written("item_a", Made(Ending(None, Usage(120, 64, 7)), samples=48_000))
    usage = next(event for event in sent if event["type"] == "response.done")["response"]["usage"]
    assert usage["input_token_details"] == {
        "text_tokens": 120,
        "audio_tokens": 13,
        "image_tokens": 0,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0, "image_tokens": 0},
    }
    assert usage["output_token_details"] == {"text_tokens": 7, "audio_tokens": 20}
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (133, 27, 160)


def test_an_answer_at_its_longest_is_incomplete(narrator: Narrator, sent: Sent) -> None:
    narrator.reply_started("item_a", spoken=True)
    narrator.told("item_a", "Once")
    narrator.written("item_a", Made(Ending("max_output_tokens")))
    response = next(event for event in sent if event["type"] == "response.done")["response"]
    assert response["status"] == response["output"][0]["status"] == "incomplete"
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"tools": [{"type": "mcp", "server_label": "x", "server_url": "http://x"}]}, "session.tools[0].type"),
        ({"tools": [{"type": "function"}]}, "session.tools[0].name"),
        ({"tools": [{**WEATHER, "name": "x" * 65}]}, "session.tools[0].name"),
        ({"tools": [{**WEATHER, "description": "x" * 100_000}]}, "session.tools"),
        ({"tools": [WEATHER] * 129}, "session.tools"),
        ({"tool_choice": {"type": "function", "name": "clock"}}, "session.tool_choice"),
        ({"max_output_tokens": 0}, "session.max_output_tokens"),
    ],
)
def test_tools_that_can_not_be_offered_are_refused(changes: dict[str, Any], param: str) -> None:
    config = Config(Settings(), knows)
    with pytest.raises(RequestError) as caught:
        config.merge(changes)
    assert caught.value.param == param
    assert config.scope.tools == ()


def test_what_one_answer_may_do_is_the_session_s_unless_it_says_otherwise() -> None:
    config = Config(Settings(), knows)
    config.merge({"tools": [WEATHER], "tool_choice": "required", "max_output_tokens": 50})
    assert config.scope.tools == (Tool("weather", "The weather.", {"type": "object"}),)
    assert config.scope_of(None, None, None) == config.scope
    assert config.scope_of(None, "none", "inf").choice == "none"
    assert config.scope_of([{**WEATHER, "name": "clock"}], None, 9).choice == "auto"
    assert config.scope_of(None, {"type": "function", "name": "weather"}, None).only == "weather"
    config.merge({"tool_choice": {"type": "function", "name": "weather"}})
    config.merge({"tools": None, "tool_choice": None, "max_output_tokens": None})
    assert (config.all["tools"], config.all["tool_choice"], config.all["max_output_tokens"]) == ([], "auto", "inf")


def session() -> tuple[Session, Line, History]:
    line, history = Line(), History("", budget_chars=24_000)
    made = Session(history, Settings(), knows, given={})
    made.audience.join(line, extensions=False)  # type: ignore[arg-type]
    return made, line, history


def create(session: Session, kind: str, **item: Any) -> None:
    [line] = session.audience.clients
    session._take(json.dumps({"type": "conversation.item.create", "item": {"type": kind, **item}}), line)


def test_a_result_needs_its_call() -> None:
    made, line, history = session()
    create(made, "function_call_output", call_id="call_1", output="rain")
    assert line.sent[-1]["error"]["code"] == "invalid_value"
    assert line.sent[-1]["error"]["param"] == "item.call_id"
    create(made, "function_call", id="c", call_id="call_1", name="weather", arguments='{"city": "Oslo"}')
    create(made, "function_call_output", id="o", call_id="call_1", output="rain")
    assert [event["type"] for event in line.sent[1:]] == ["conversation.item.added", "conversation.item.done"] * 2
    assert history.prompt() == [
        Message("assistant", "", calls=(Call("call_1", "weather", '{"city": "Oslo"}'),)),
        Message("tool", "rain", call_id="call_1"),
    ]
    made._take(json.dumps({"type": "conversation.item.retrieve", "item_id": "o"}), line)  # type: ignore[arg-type]
    assert line.sent[-1]["item"]["output"] == "rain"
    made._take(json.dumps({"type": "conversation.item.delete", "item_id": "o"}), line)  # type: ignore[arg-type]
    assert history.prompt() == [], "a call without its result is not for the model"


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"name": "weather", "arguments": "{"}, "item.arguments"),
        ({"name": "weather", "arguments": "[]"}, "item.arguments"),
        ({"arguments": "{}"}, "item.name"),
        ({"name": "weather", "arguments": "{}", "call_id": "call_1"}, "item.call_id"),
    ],
)
def test_calls_that_no_model_made_are_refused(item: dict[str, Any], param: str) -> None:
    made, line, _ = session()
    create(made, "function_call", call_id="call_1", name="weather", arguments="{}")
    create(made, "function_call", **item)
    assert line.sent[-1]["error"]["param"] == param


RAIN = Call("1", "weather", "{}")
NOON = Call("2", "clock", "{}")


def test_a_result_is_moved_behind_its_call_and_what_is_open_is_left_out() -> None:
    history = History("")
    history.add(Entry("u", "user", "Weather and time?"))
    history.add(Entry("a", "assistant", "Let me see."))
    history.add(Entry("c", "assistant", "", call=RAIN))
    history.add(Entry("d", "assistant", "", call=NOON))
    history.add(Entry("v", "user", "Hello?"))
    assert history.prompt() == [
        Message("user", "Weather and time?"),
        Message("assistant", "Let me see."),
        Message("user", "Hello?"),
    ]
    history.add(Entry("o", "tool", "rain", call_id="1"))
    assert history.prompt() == [
        Message("user", "Weather and time?"),
        Message("assistant", "Let me see.", calls=(RAIN,)),
        Message("tool", "rain", call_id="1"),
        Message("user", "Hello?"),
    ]
    history.add(Entry("p", "tool", "noon", call_id="2"))
    history.add(Entry("b", "assistant", "It rains at noon."))
    assert [message.role for message in history.prompt()] == ["user", "assistant", "tool", "tool", "user", "assistant"]
    assert history.prompt()[1].calls == (RAIN, NOON)


def test_calls_one_after_the_other_are_messages_of_their_own() -> None:
    history = History("")
    history.add(Entry("u", "user", "Weather, then time?"))
    for number, made in enumerate((RAIN, NOON)):
        history.add(Entry(f"c{number}", "assistant", "", call=made))
        history.add(Entry(f"o{number}", "tool", "x", call_id=made.id))
    assert [message.role for message in history.prompt()] == ["user", "assistant", "tool", "assistant", "tool"]


def test_a_long_result_does_not_push_out_what_it_answers() -> None:
    history = History("", budget_chars=1000)
    for number in range(20):
        history.add(Entry(f"u{number}", "user", "What about this?"))
        history.add(Entry(f"a{number}", "assistant", "This is so."))
    history.add(Entry("u", "user", "Weather?"))
    history.add(Entry("c", "assistant", "", call=RAIN))
    history.add(Entry("o", "tool", "x" * 900, call_id="1"))
    assert [message.role for message in history.prompt()[-3:]] == ["user", "assistant", "tool"]
    for number in range(20):
        history.add(Entry(f"d{number}", "assistant", "", call=Call(f"d{number}", "weather", "{}")))
        history.add(Entry(f"p{number}", "tool", "x" * 900, call_id=f"d{number}"))
    assert sum(entry.size for entry in history.entries) < 4000, "but not for ever"
