"""Every event that the server can build is one that OpenAI's own client takes, strictly, whatever is in it."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, TypeAdapter

from agent.realtime import events as ev
from agent.realtime import wire
from agent.realtime.config import Config
from agent.settings import Settings

THEIRS: TypeAdapter[Any] = TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")])
SECONDS = st.floats(0, 1e6)
CONTENT: dict[str, st.SearchStrategy[Any]] = {
    "system": st.builds(wire.InputText),
    "user": st.builds(wire.InputText) | st.builds(wire.InputAudio),
    "assistant": st.builds(wire.OutputText) | st.builds(wire.OutputAudio),
}
ITEMS = (
    st.sampled_from(sorted(CONTENT)).flatmap(
        lambda role: st.builds(wire.MessageItem, role=st.just(role), content=st.lists(CONTENT[role], max_size=2))
    )
    | st.builds(wire.FunctionCall)
    | st.builds(wire.FunctionCallOutput)
)
RESPONSES = st.builds(wire.Response, output=st.lists(ITEMS, max_size=2))
TOLD = [Config(Settings(), lambda language: True, transcription=listens).told for listens in (True, False)]
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "session": st.sampled_from(TOLD),
    "item": ITEMS,
    "response": RESPONSES,
    "usage": st.builds(wire.DurationUsage, seconds=SECONDS),
    "rate_limits": st.lists(st.builds(wire.RateLimit, reset_seconds=SECONDS), max_size=2),
}
"""what can not be found out from the classes: who says what, and that JSON has no infinity"""
PUBLIC = [event for event in ev.ALL if event not in ev.EXTENSIONS]


def builds(event: type[ev.ServerEvent]) -> st.SearchStrategy[ev.ServerEvent]:
    """Anything that this class can be."""
    return st.builds(event, **{name: field for name, field in FIELDS.items() if name in event.model_fields})


def kind(event: type[ev.ServerEvent]) -> str:
    """Its name on the wire."""
    return str(event.model_fields["type"].default)


@pytest.mark.parametrize("event", PUBLIC, ids=kind)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_is_in_an_event_their_types_take_it(event: type[ev.ServerEvent], data: st.DataObject) -> None:
    THEIRS.validate_json(data.draw(builds(event)).model_dump_json(), strict=True)


def test_no_class_of_events_is_left_out_of_the_list() -> None:
    """What is checked for all of them is checked for all there are."""
    found: set[type[ev.ServerEvent]] = set()
    waiting = [ev.ServerEvent]
    while waiting:
        waiting += (inner := waiting.pop().__subclasses__())
        found.update(event for event in inner if not event.__name__.startswith("_"))
    assert found == set(ev.ALL)


def test_what_is_no_event_of_theirs_is_an_extension() -> None:
    """Strict clients stumble over names that they do not know."""
    names = {get_args(one.model_fields["type"].annotation)[0] for one in _theirs()}
    assert {kind(event) for event in PUBLIC} <= names
    assert all(kind(event).startswith("antiphon.") for event in ev.EXTENSIONS)


def _theirs() -> tuple[Any, ...]:
    """The classes of their union."""
    union = get_args(RealtimeServerEvent)[0] if get_args(RealtimeServerEvent) else RealtimeServerEvent
    return get_args(union)
