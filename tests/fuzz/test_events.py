"""Whatever a client says over the data channel gets answers that OpenAI's own types accept, and the session lives."""

from __future__ import annotations

import json
from copy import deepcopy
from time import process_time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.realtime.requests import RequestError, parsed
from agent.transports.ice import Ice
from agent.transports.p2p import PeerConnection
from tests.fuzz import FUZZ, SLOW
from tests.fuzz.quiet import quietly
from tests.fuzz.targets import CORPUS
from tests.sessions import nobody, served, session, told

VALID = [json.loads(path.read_bytes()) for path in sorted((CORPUS / "event").glob("valid-*.json"))]
"""one at least of every client event that OpenAI's clients send"""
UPDATE = json.dumps({"type": "session.update", "session": {"instructions": "Be brief."}})
DEEP = 2000
HUGE = (10**400, -(10**400), 2**63, 1e308, float("inf"), float("-inf"), float("nan"), "1e999")
ODD = st.sampled_from([*HUGE, "\ud800", "\udfff\ud800", "\x00", "<b>", {}, [], [[]], {"": None}]).map(deepcopy)
LONG = st.sampled_from([1000, 30_000]).map("a".__mul__)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | ODD | LONG,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where in a JSON value something stands."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        found += places(each, (*path, key))
    return found


@st.composite
def altered(draw: st.DrawFn) -> str:
    """A valid event, in one to three places of which something else stands, or nothing, or too much."""
    event = json.loads(json.dumps(draw(st.sampled_from(VALID))))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(event) or [("type",)]))
        parent = event
        for key in path[:-1]:
            parent = parent[key]
        match draw(st.sampled_from(["other", "gone", "wrapped", "added"])):
            case "gone":
                del parent[path[-1]]
            case "wrapped":
                parent[path[-1]] = [parent[path[-1]]]
            case "added" if isinstance(parent, dict):
                parent[draw(st.text(max_size=8))] = draw(ANY)
            case _:
                parent[path[-1]] = draw(ANY)
        if not event:
            break
    return json.dumps(event, ensure_ascii=draw(st.booleans()))


TEXTS = altered() | ANY.map(json.dumps) | st.text(max_size=200)


@FUZZ
@given(st.lists(TEXTS, min_size=1, max_size=4), st.booleans())
@example(["[" * DEEP + "]" * DEEP], False)
@example(['{"type":' * DEEP + "1" + "}" * DEEP], False)
@example(["9" * 5000, "-", "1e999", "NaN", '{"type": "session.update", "session": {"tools": [1e999]}}'], False)
@example(['{"type": "session.update", "session": {"audio": {"output": {"speed": NaN}}}}'], False)
@example(['{"type": "\\ud800", "event_id": "\\ud800"}', "\x00", "", "null", "{}", '""', "{}{}"], False)
def test_no_message_ends_a_session(messages: list[str], replying: bool) -> None:
    events = quietly(told([*messages, UPDATE], replying=replying))
    assert (events[0]["type"], events[-1]["type"]) == ("session.created", "session.updated")
    errors = [event["error"] for event in events if event["type"] == "error"]
    assert all(error["type"] == "invalid_request_error" and error["code"] for error in errors)
    assert all(0 < len(error["message"]) < 1000 for error in errors)


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", '"\\ud800"', "9" * 5000])
def test_what_only_python_reads_is_no_json(value: str) -> None:
    with pytest.raises(RequestError) as refusal:
        parsed(f'{{"type": "session.update", "session": {{"tools": [{value}]}}}}')
    assert refusal.value.code == "invalid_json"


@pytest.mark.parametrize("value", ["[],", "{},", "0,", '{"":{"":0}},', '"",'])
def test_what_is_only_large_is_refused_before_it_is_read(value: str) -> None:
    text = '{"type": "session.update", "session": {"tools": [' + value * ((24 << 20) // len(value)) + "0]}}"
    began = process_time()
    with pytest.raises(RequestError, match="values") as refusal:
        parsed(text)
    assert refusal.value.code == "invalid_json"
    assert process_time() - began < 0.5


def test_every_event_of_the_corpus_is_understood_or_refused_by_its_name() -> None:
    for event in VALID:
        answers = quietly(told([json.dumps(event)]))[1:]
        for answer in answers:
            if answer["type"] == "error":
                assert answer["error"]["event_id"] == event["event_id"], event


@SLOW
@given(st.lists(st.binary(max_size=60) | st.text(max_size=60), max_size=6))
def test_bytes_and_text_on_the_channel_are_answered_each(messages: list[bytes | str]) -> None:
    async def talk() -> list[Any]:
        connection, sent = PeerConnection(Ice()), []
        connection._channel_open.set()
        connection.send = lambda text: sent.append(json.loads(text))  # type: ignore[method-assign]
        for message in messages:
            connection._take_message(message)
        connection.hang_up("that was all")
        await served(session(), connection, nobody())
        await connection.close("over")
        return sent

    events = quietly(talk())
    assert [event["type"] for event in events] == ["session.created", *["error"] * len(messages)]
