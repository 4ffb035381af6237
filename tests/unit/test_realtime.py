"""The events on the wire: strictly what OpenAI's own client expects, in the order of the API."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, TypeAdapter

from agent.history import History
from agent.ledger import Patience
from agent.machine import Machine, Phase
from agent.metrics import Timeline
from agent.realtime import events as ev
from agent.realtime import wire
from agent.realtime.answer import Terms
from agent.realtime.config import Config
from agent.realtime.items import MOST_ITEMS
from agent.realtime.narrator import Narrator
from agent.realtime.session import Session
from agent.realtime.wire import OutputAudio
from agent.settings import Settings
from agent.speaking.playout import Heard

KINDS = ("session.update", "conversation.item.create", "conversation.item.retrieve", "input_audio_buffer.append")
SESSION = ("audio", "output", "input", "voice", "tools", "tool_choice", "instructions", "turn_detection", "tracing")
KEYS = ("session", "item", "content", "type", "text", "id", *SESSION)
THEIRS: TypeAdapter[Any] = TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")])


def knows(language: str) -> bool:
    """A recogniser of two languages."""
    return language in ("en", "fr")


class Sent(list[dict[str, Any]]):
    """What a client received, each event as JSON, and valid."""

    def __call__(self, event: ev.ServerEvent) -> None:
        written = event.model_dump_json()
        if not isinstance(event, ev.EXTENSIONS):
            THEIRS.validate_json(written, strict=True)
        self.append(json.loads(written))

    def types(self) -> list[str]:
        """The event types in order, without ours."""
        return [event["type"] for event in self if not event["type"].startswith("antiphon.")]


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def narrator(sent: Sent) -> Narrator:
    return Narrator(sent, terms)


def terms(spoken: bool, *, plays_itself: bool = False) -> Terms:
    return Terms("conv_1", "heart", "audio/pcm", spoken=spoken, plays_itself=plays_itself)


USER = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
]
OPENED = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "output_audio_buffer.started",
    "response.output_audio_transcript.delta",
]
CLOSED = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


def ask(narrator: Narrator) -> None:
    narrator.phase(Phase.HEARING)
    narrator.turn_opened("item_u", 1.25, "caller")
    narrator.turn_closed("item_u", "Hello?", 2.5)


def open_reply(narrator: Narrator) -> None:
    narrator.reply_started("item_a", spoken=True)
    narrator.told("item_a", "Well, ")
    narrator.audible("item_a")
    narrator.told("item_a", "hello.")


def end_reply(narrator: Narrator, heard: Heard, cut: bool | None = None, failure: str | None = None) -> None:
    timeline = Timeline(speech_end=1.0, endpoint=1.5, audible=1.7)
    narrator.reply_ended("item_a", heard, cut_by_speech=cut, failure=failure, timeline=timeline)


def test_a_spoken_turn_is_told_in_the_order_of_the_api(narrator: Narrator, sent: Sent) -> None:
    ask(narrator)
    open_reply(narrator)
    narrator.written("item_a")
    end_reply(narrator, Heard("Well, hello.", 48_000, complete=True))
    assert sent.types() == [*USER, *OPENED, *CLOSED, "output_audio_buffer.stopped"]
    assert len({event["event_id"] for event in sent}) == len(sent)
    added = [event for event in sent if event["type"] == "conversation.item.added"]
    assert [event["previous_item_id"] for event in added] == [None, "item_u"]
    assert sent[-1]["audible_ms"] == 700
    assert "done_ms" not in sent[-1]


def test_a_barge_in_cancels_clears_and_truncates(narrator: Narrator, sent: Sent) -> None:
    open_reply(narrator)
    end_reply(narrator, Heard("Well,", 24_000, complete=False), cut=True)
    narrator.turn_opened("item_u", 1.25, "caller")
    cleared = ["output_audio_buffer.cleared", "conversation.item.truncated"]
    assert sent.types() == [*OPENED, "input_audio_buffer.speech_started", *CLOSED, *cleared]
    done = next(event for event in sent if event["type"] == "response.done")
    assert done["response"]["status"] == "cancelled"
    assert done["response"]["status_details"]["reason"] == "turn_detected"
    truncated = next(event for event in sent if event["type"] == "conversation.item.truncated")
    assert truncated["audio_end_ms"] == 500


def test_a_cut_after_all_was_generated_only_clears(narrator: Narrator, sent: Sent) -> None:
    open_reply(narrator)
    narrator.written("item_a")
    end_reply(narrator, Heard("Well,", 24_000, complete=False), cut=False)
    assert sent.types() == [*OPENED, *CLOSED, "output_audio_buffer.cleared", "conversation.item.truncated"]
    assert [e["response"]["status"] for e in sent if e["type"] == "response.done"] == ["completed"]


def test_a_failure_closes_what_was_open(narrator: Narrator, sent: Sent) -> None:
    open_reply(narrator)
    end_reply(narrator, Heard("Well,", 24_000, complete=True), failure="the model is gone")
    assert sent.types() == [*OPENED, *CLOSED, "output_audio_buffer.stopped"]
    done = next(event for event in sent if event["type"] == "response.done")
    assert done["response"]["status_details"]["error"]["message"] == "the model is gone"


def test_a_client_that_pushed_the_answer_out_of_the_conversation_is_told_the_rest(narrator: Narrator) -> None:
    open_reply(narrator)
    narrator.written("item_a")
    for number in range(MOST_ITEMS):
        narrator.items.add(
            wire.MessageItem(id=f"item_{number}", status="completed", role="user", content=[wire.InputText(text="x")])
        )
    narrator.recall()


def test_a_transcript_that_failed_is_told(narrator: Narrator, sent: Sent) -> None:
    narrator.turn_opened("item_u", 1.0, "caller")
    narrator.hearing_failed("item_u", "no memory")
    narrator.turn_closed("item_u", "", 2.0)
    assert sent.types()[-1] == "conversation.item.input_audio_transcription.failed"


class Line:
    """A connection that keeps what it is sent."""

    plays_itself = False

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, text: str) -> None:
        self.sent.append(json.loads(text))


def test_a_client_that_plays_by_itself_gets_the_voice_and_truncates(sent: Sent) -> None:
    narrator = Narrator(sent, lambda spoken: terms(spoken, plays_itself=True))
    narrator.reply_started("item_a", spoken=True)
    narrator.told("item_a", "Well, hello.")
    narrator.voice(np.full(48_000, 1000, np.int16))
    narrator.audible("item_a")
    narrator.written("item_a")
    end_reply(narrator, Heard("Well,", 24_000, complete=False), cut=True)
    narrator.turn_opened("item_u", 1.25, "caller")
    assert not any(kind.startswith("output_audio_buffer") or kind.endswith("truncated") for kind in sent.types())
    sound = b"".join(base64.b64decode(e["delta"]) for e in sent if e["type"] == "response.output_audio.delta")
    assert len(sound) == 48_000
    narrator.truncate("item_a", Heard("Well,", 24_000, complete=False))
    item = narrator.items.find("item_a")
    assert isinstance(item, wire.MessageItem)
    assert item.content[0] == OutputAudio(transcript="Well,")


def test_a_written_answer_has_text_events(narrator: Narrator, sent: Sent) -> None:
    narrator.reply_started("item_a", spoken=False)
    narrator.told("item_a", "Hello.")
    narrator.written("item_a")
    end_reply(narrator, Heard("Hello.", 0, complete=True))
    assert sent.types()[3:7] == [
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
    ]


def test_silences_follow_the_client() -> None:
    config = Config(Settings(), knows)
    usual = config.silences
    assert (usual.sure_ms, usual.endpointing_ms) == (Settings().turn.sure_ms, Settings().turn.endpointing_ms)
    config.merge({"audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 900}}}})
    assert config.silences.sure_ms == config.silences.endpointing_ms == 900
    config.merge({"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}}})
    assert config.silences.limit_ms > usual.limit_ms
    assert config.detection == {
        "type": "semantic_vad",
        "eagerness": "low",
        "create_response": True,
        "interrupt_response": True,
    }


def test_extensions_go_only_to_who_asked() -> None:
    for extensions in (True, False):
        line = Line()
        session = Session(History(""), Settings(), knows, given={})
        session.audience.join(line, extensions=extensions)  # type: ignore[arg-type]
        session.audience.emit(ev.Phase(phase="idle"))
        assert bool(line.sent) == extensions


def test_the_session_object_is_whole_valid_and_merged() -> None:
    given = {"instructions": "Be kind.", "unknown": 1, "audio": {"output": {"voice": "heart"}}, "model": "gpt-realtime"}
    session = Session(History(""), Settings(), knows, given=given)
    THEIRS.validate_json(ev.SessionCreated(session=session.config).model_dump_json(), strict=True)
    assert session.config["instructions"] == "Be kind."
    assert session.config["audio"]["output"]["voice"] == "heart"
    assert session.config["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session.config["model"] == "antiphon"
    assert "unknown" not in session.config


def update(session: Session, transcription: dict[str, Any] | None) -> None:
    [line] = session.audience.clients
    session._take(
        json.dumps({"type": "session.update", "session": {"audio": {"input": {"transcription": transcription}}}}), line
    )


def test_a_client_says_what_language_is_spoken() -> None:
    expected: list[str | None] = []
    line = Line()
    session = Session(History(""), Settings(), knows, given={})
    session.audience.join(line, extensions=False)  # type: ignore[arg-type]
    conversation = SimpleNamespace(machine=Machine(Patience()))
    voice = SimpleNamespace(like=lambda name, speed: None)
    listener = SimpleNamespace(expect=expected.append, be_patient=lambda *_: None)
    session._turn = SimpleNamespace(conversation=conversation, voice=voice)  # type: ignore[assignment]
    session.join(line, listener)  # type: ignore[arg-type]
    expected.clear()
    update(session, {"model": "whisper-1", "language": "fr"})
    update(session, {"language": ""})
    update(session, None)
    assert expected == ["fr", None, Settings().asr.language]
    update(session, {"language": "klingon"})
    assert line.sent[-1]["error"]["param"] == "session.audio.input.transcription.language"
    assert len(expected) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["session.update", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    kind=st.sampled_from(KINDS) | st.text(),
    body=st.dictionaries(st.sampled_from(KEYS), JSON)
    | st.fixed_dictionaries({"session": st.dictionaries(st.sampled_from(SESSION), JSON)}),
)
@settings(max_examples=400, deadline=None)
def test_no_client_event_ends_the_session(kind: str, body: dict[str, Any]) -> None:
    line = Line()
    session = Session(History(""), Settings(), knows, given={})
    session.audience.join(line, extensions=True)  # type: ignore[arg-type]
    session._take(json.dumps({**body, "type": kind}), line)  # type: ignore[arg-type]
    session.audience.emit(ev.SessionUpdated(session=session.config))
    assert line.sent
    for event in line.sent:
        if not event["type"].startswith("antiphon."):
            THEIRS.validate_python(event)
