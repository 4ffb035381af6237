"""Every event that the server sends, one class each, built in one place and never by hand.

The field lists are those of the OpenAI Realtime API; `antiphon.*` events carry what it lacks and go only to a
session that asked for them; those of rooms are in `room_events.py`. The page's types are generated from these classes.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from agent.realtime.room_events import ROOM_EVENTS
from agent.realtime.wire import DurationUsage, ErrorBody, Item, Part, RateLimit, Response, Wire
from agent.realtime.wire import ServerEvent as ServerEvent

# -- the session ---------------------------------------------------------------------------------------------


class SessionCreated(ServerEvent):
    """The first event of every session: the whole of its settings."""

    type: Literal["session.created"] = "session.created"
    session: dict[str, Any]


class SessionUpdated(ServerEvent):
    """One per `session.update`: the whole of the settings as they now are."""

    type: Literal["session.updated"] = "session.updated"
    session: dict[str, Any]


class Error(ServerEvent):
    """A client event was refused; the session goes on."""

    type: Literal["error"] = "error"
    error: ErrorBody


# -- the microphone ------------------------------------------------------------------------------------------


class SpeechStarted(ServerEvent):
    """The user began to speak."""

    type: Literal["input_audio_buffer.speech_started"] = "input_audio_buffer.speech_started"
    audio_start_ms: int
    item_id: str


class SpeechStopped(ServerEvent):
    """The user's turn ended."""

    type: Literal["input_audio_buffer.speech_stopped"] = "input_audio_buffer.speech_stopped"
    audio_end_ms: int
    item_id: str


class Committed(ServerEvent):
    """The turn's audio became an item."""

    nulls: ClassVar[frozenset[str]] = frozenset({"previous_item_id"})
    type: Literal["input_audio_buffer.committed"] = "input_audio_buffer.committed"
    item_id: str
    previous_item_id: str | None = None


class TimeoutTriggered(ServerEvent):
    """Nobody has said anything for as long as the session allows; the silence is an item now."""

    type: Literal["input_audio_buffer.timeout_triggered"] = "input_audio_buffer.timeout_triggered"
    audio_start_ms: int
    audio_end_ms: int
    item_id: str


class InputCleared(ServerEvent):
    """What was sent of the microphone and not committed is forgotten."""

    type: Literal["input_audio_buffer.cleared"] = "input_audio_buffer.cleared"


# -- items ---------------------------------------------------------------------------------------------------


class ItemAdded(ServerEvent):
    """An item entered the conversation."""

    nulls: ClassVar[frozenset[str]] = frozenset({"previous_item_id"})
    type: Literal["conversation.item.added"] = "conversation.item.added"
    previous_item_id: str | None = None
    item: Item


class ItemDone(ServerEvent):
    """An item is complete."""

    nulls: ClassVar[frozenset[str]] = frozenset({"previous_item_id"})
    type: Literal["conversation.item.done"] = "conversation.item.done"
    previous_item_id: str | None = None
    item: Item


class ItemRetrieved(ServerEvent):
    """The answer to `conversation.item.retrieve`."""

    type: Literal["conversation.item.retrieved"] = "conversation.item.retrieved"
    item: Item


class ItemDeleted(ServerEvent):
    """An item is no part of the conversation any more."""

    type: Literal["conversation.item.deleted"] = "conversation.item.deleted"
    item_id: str


class ItemTruncated(ServerEvent):
    """An answer was cut: what lies after ``audio_end_ms`` was not heard and is forgotten."""

    type: Literal["conversation.item.truncated"] = "conversation.item.truncated"
    item_id: str
    content_index: int = 0
    audio_end_ms: int


class TranscriptionDelta(ServerEvent):
    """More of what the user said; what was sent does not change any more."""

    type: Literal["conversation.item.input_audio_transcription.delta"] = (
        "conversation.item.input_audio_transcription.delta"
    )
    item_id: str
    content_index: int = 0
    delta: str


class TranscriptionCompleted(ServerEvent):
    """What the user said."""

    type: Literal["conversation.item.input_audio_transcription.completed"] = (
        "conversation.item.input_audio_transcription.completed"
    )
    item_id: str
    content_index: int = 0
    transcript: str
    usage: DurationUsage


class TranscriptionError(Wire):
    """Why a transcription failed."""

    type: str
    message: str


class TranscriptionFailed(ServerEvent):
    """What the user said could not be recognised."""

    type: Literal["conversation.item.input_audio_transcription.failed"] = (
        "conversation.item.input_audio_transcription.failed"
    )
    item_id: str
    content_index: int = 0
    error: TranscriptionError


# -- responses -----------------------------------------------------------------------------------------------


class ResponseCreated(ServerEvent):
    """An answer has begun."""

    type: Literal["response.created"] = "response.created"
    response: Response


class ResponseDone(ServerEvent):
    """An answer has ended: completed, cancelled or failed."""

    type: Literal["response.done"] = "response.done"
    response: Response


class OutputItemAdded(ServerEvent):
    """An answer's item was opened."""

    type: Literal["response.output_item.added"] = "response.output_item.added"
    response_id: str
    output_index: int = 0
    item: Item


class OutputItemDone(ServerEvent):
    """An answer's item was closed."""

    type: Literal["response.output_item.done"] = "response.output_item.done"
    response_id: str
    output_index: int = 0
    item: Item


class _PartEvent(ServerEvent):
    response_id: str
    item_id: str
    output_index: int = 0
    content_index: int = 0


class ContentPartAdded(_PartEvent):
    """An answer's sound or text was opened."""

    type: Literal["response.content_part.added"] = "response.content_part.added"
    part: Part


class ContentPartDone(_PartEvent):
    """An answer's sound or text was closed."""

    type: Literal["response.content_part.done"] = "response.content_part.done"
    part: Part


class TranscriptDelta(_PartEvent):
    """More of the text that is spoken."""

    type: Literal["response.output_audio_transcript.delta"] = "response.output_audio_transcript.delta"
    delta: str


class TranscriptDone(_PartEvent):
    """The whole text that was to be spoken."""

    type: Literal["response.output_audio_transcript.done"] = "response.output_audio_transcript.done"
    transcript: str


class TextDelta(_PartEvent):
    """More of a written answer."""

    type: Literal["response.output_text.delta"] = "response.output_text.delta"
    delta: str


class TextDone(_PartEvent):
    """The whole of a written answer."""

    type: Literal["response.output_text.done"] = "response.output_text.done"
    text: str


class AudioDelta(_PartEvent):
    """More of the voice, for a client that plays it by itself."""

    type: Literal["response.output_audio.delta"] = "response.output_audio.delta"
    delta: str
    """base64 of the session's output format"""


class AudioDone(_PartEvent):
    """No more audio will be made for this part."""

    type: Literal["response.output_audio.done"] = "response.output_audio.done"


class _CallEvent(ServerEvent):
    response_id: str
    item_id: str
    output_index: int = 0
    call_id: str


class ArgumentsDelta(_CallEvent):
    """More of the arguments of a call."""

    type: Literal["response.function_call_arguments.delta"] = "response.function_call_arguments.delta"
    delta: str


class ArgumentsDone(_CallEvent):
    """All of the arguments of a call; of one that was cut off there is none."""

    type: Literal["response.function_call_arguments.done"] = "response.function_call_arguments.done"
    name: str
    arguments: str


class RateLimitsUpdated(ServerEvent):
    """What a client may still ask for, behind each answer."""

    type: Literal["rate_limits.updated"] = "rate_limits.updated"
    rate_limits: list[RateLimit]


class BufferStarted(ServerEvent):
    """The answer's first sample leaves."""

    type: Literal["output_audio_buffer.started"] = "output_audio_buffer.started"
    response_id: str


class BufferStopped(ServerEvent):
    """The answer's last sample has left."""

    type: Literal["output_audio_buffer.stopped"] = "output_audio_buffer.stopped"
    response_id: str


class BufferCleared(ServerEvent):
    """The rest of the answer was thrown away."""

    type: Literal["output_audio_buffer.cleared"] = "output_audio_buffer.cleared"
    response_id: str


# -- what the standard lacks ---------------------------------------------------------------------------------

PhaseName = Literal["idle", "hearing", "paused", "thinking", "speaking", "yielding"]


class Phase(ServerEvent):
    """Whose turn it is, as the state machine sees it."""

    type: Literal["antiphon.phase"] = "antiphon.phase"
    phase: PhaseName


class Timeline(ServerEvent):
    """Where one turn's time went: ms since the user's last sound; a stage that was not reached is absent.

    Where nobody spoke before it (a greeting, the answer to a written line) there is no ``pause_ms``, and the others
    count from the moment at which the response began.
    """

    type: Literal["antiphon.timeline"] = "antiphon.timeline"
    response_id: str
    pause_ms: int | None = None
    judged_ms: int | None = None
    endpoint_ms: int | None = None
    transcript_ms: int | None = None
    first_delta_ms: int | None = None
    first_clause_ms: int | None = None
    first_audio_ms: int | None = None
    audible_ms: int | None = None
    done_ms: int | None = None
    cut_ms: int | None = None


class Caption(ServerEvent):
    """Words as they are said: the user's as they are recognised, the agent's as they reach the ear."""

    type: Literal["antiphon.caption"] = "antiphon.caption"
    item_id: str
    role: Literal["user", "assistant"]
    text: str
    """all of the item's words so far"""
    stable: int
    """characters of ``text`` that will not change any more"""
    final: bool
    """nothing follows; for an answer: what was not in ``text`` was never heard"""


ALL: tuple[type[ServerEvent], ...] = (
    SessionCreated, SessionUpdated, Error,
    SpeechStarted, SpeechStopped, Committed, TimeoutTriggered, InputCleared,
    ItemAdded, ItemDone, ItemRetrieved, ItemDeleted, ItemTruncated,
    TranscriptionDelta, TranscriptionCompleted, TranscriptionFailed,
    ResponseCreated, ResponseDone, OutputItemAdded, OutputItemDone, ContentPartAdded, ContentPartDone,
    TextDelta, TextDone, TranscriptDelta, TranscriptDone, AudioDelta, AudioDone, ArgumentsDelta, ArgumentsDone,
    RateLimitsUpdated,
    BufferStarted, BufferStopped, BufferCleared,
    Phase, Timeline, Caption, *ROOM_EVENTS,
)  # fmt: skip
"""Every class of events, for tests and for the page's type generator."""

EXTENSIONS: tuple[type[ServerEvent], ...] = (Phase, Timeline, Caption, *ROOM_EVENTS)
"""What only a session that asked for it is sent: strict clients stumble over unknown types."""
