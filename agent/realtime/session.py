"""One conversation's session with its clients: what they ask for, and the one place that sends them events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.asked import Asked
from agent.events import Commit, Discard, Interrupt, Interruption
from agent.history import Entry, History, new_id
from agent.realtime import events as ev
from agent.realtime import wire
from agent.realtime.answer import Terms
from agent.realtime.config import TEXT_LIMIT, Config
from agent.realtime.items import ROOT
from agent.realtime.microphone import EventMicrophone
from agent.realtime.narrator import Narrator
from agent.realtime.rate import Rate
from agent.realtime.requests import RequestError, parsed, required
from agent.settings import Settings
from agent.transports.base import Connection

if TYPE_CHECKING:
    from agent.conversation import Conversation
    from agent.listening.listener import Listener

log = logging.getLogger(__name__)

LEAST_COMMIT_S = 0.1
"""of sound that can be committed; the API's own limit"""
APPEND, APPEND_WITHIN = "input_audio_buffer.append", 256
"""the event that is sound, and the characters among which its name is sought before it is read"""
BURST_S = 2.0
"""So many seconds' events may come at once."""


class ItemCreate(BaseModel):
    """The parts of `conversation.item.create` that we act on."""

    model_config = ConfigDict(extra="ignore")

    class Message(BaseModel):
        """A message item."""

        class Part(BaseModel):
            """A part of its content."""

            type: str
            text: str = ""
            transcript: str = ""

        type: str
        role: str
        content: list[Part]
        id: str = ""

    item: Message
    previous_item_id: str | None = None


class ResponseCreate(BaseModel):
    """The parts of `response.create` that we act on."""

    model_config = ConfigDict(extra="ignore")

    class Response(BaseModel):
        """How this answer is wanted."""

        instructions: str | None = None
        output_modalities: list[str] | None = None
        metadata: dict[str, str] | None = None

    response: Response = Response()


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a session needs once the conversation runs."""

    conversation: Conversation
    listener: Listener


class Session:
    """Speaks the OpenAI Realtime API.

    :param knows: whether the recogniser can be told to expect a language.
    :param extensions: the client asked for `antiphon.*` events; one that did not never sees them.
    :param given: settings that came with the call; what is wrong in them is left out.
    """

    def __init__(
        self,
        connection: Connection,
        history: History,
        settings: Settings,
        knows: Callable[[str], bool],
        *,
        extensions: bool,
        given: Mapping[str, Any],
    ) -> None:
        self._connection = connection
        self._history = history
        self._extensions = extensions
        self._greeted = False
        self._config = Config(settings, knows)
        self._drafts = settings.turn.drafts
        self._interruption = Interruption(settings.turn.interruption)
        self._conversation_id = new_id("conv")
        most = self._most_per_s = settings.limits.events_per_s
        self._rate, self._told = Rate(most, BURST_S * most), Rate(1.0, 1.0)
        self._metadata: dict[str, str] | None = None  # of the answer that the client asked for
        self.microphone = EventMicrophone()
        """the sound of a client that sends it in events"""
        self.narrator = Narrator(self.emit, self._terms, lambda: self._config.detection is None)
        self._turn: _Turn | None = None
        self._answers: dict[str, Callable[[dict[str, Any]], None]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear_input,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.truncate": self._truncate_item,
            "conversation.item.delete": self._delete_item,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
            "output_audio_buffer.clear": self._clear_output,
        }
        if given:
            self._configure(given)

    @property
    def config(self) -> dict[str, Any]:
        """The session object."""
        return self._config.all

    def emit(self, event: ev.ServerEvent) -> None:
        """Send one event; before `session.created` there is nobody to hear it."""
        if not self._greeted or (isinstance(event, ev.EXTENSIONS) and not self._extensions):
            return
        self._connection.send(event.model_dump_json())

    async def run(self, conversation: Conversation, listener: Listener) -> None:
        """Greet the client, then do what it asks, one event after the other, until it is gone."""
        self._turn = _Turn(conversation, listener)
        self._apply()
        await self._connection.channel_open()
        self._greeted = True
        self.emit(ev.SessionCreated(session=self.config))
        try:
            loop = asyncio.get_running_loop()
            async for text in self._connection.messages():
                # Sound in events is as much as it is: a recording may come in a thousand pieces at once.
                if self._connection.plays_itself and APPEND in text[:APPEND_WITHIN]:
                    self._take(text)
                    await asyncio.sleep(0)
                elif self._rate.admits(loop.time()):
                    self._take(text)
                elif self._told.admits(loop.time()):
                    self._refuse_flood()
        finally:
            self.microphone.end()

    def greet(self) -> None:
        """Tell a client that has come back over another connection where the conversation stands."""
        self.emit(ev.SessionCreated(session=self.config))
        self.narrator.recall()

    def _take(self, text: str) -> None:
        event: Any = None
        try:
            event = parsed(text)
            answer = self._answers.get(event["type"])
            if answer is None:
                supported = ", ".join(f"'{name}'" for name in self._answers)
                message = f"Invalid value: '{event['type'][:60]}'. Supported values are: {supported}."
                raise RequestError("invalid_value", message, "type")
            answer(event)
        except RequestError as error:
            theirs = event.get("event_id") if isinstance(event, dict) else None
            body = wire.ErrorBody(
                type="invalid_request_error",
                code=error.code,
                message=str(error),
                param=error.param,
                event_id=theirs if isinstance(theirs, str) else None,
            )
            self.emit(ev.Error(error=body))

    def _refuse_flood(self) -> None:
        """Say that events are dropped unread; OpenAI calls this kind of error by what there were too many of."""
        message = f"More than {self._most_per_s} events a second: those over it are dropped unread. Send fewer."
        self.emit(ev.Error(error=wire.ErrorBody(type="requests", code="rate_limit_exceeded", message=message)))

    @property
    def _conversation(self) -> Conversation:
        assert self._turn is not None, "run() is not running"
        return self._turn.conversation

    # -- settings --------------------------------------------------------------------------------------------

    def _update(self, event: Mapping[str, Any]) -> None:
        """Merge the client's settings into the session's."""
        changes = event.get("session")
        if not isinstance(changes, dict):
            raise RequestError("missing_required_parameter", "Missing required parameter: 'session'.", "session")
        self._configure(changes)
        self.emit(ev.SessionUpdated(session=self.config))

    def _configure(self, changes: Mapping[str, Any]) -> None:
        self._config.merge(changes)
        self._history.instructions = self._config.all["instructions"]
        self._apply()

    def _apply(self) -> None:
        """Let microphone, listener and machine follow the session."""
        self.microphone.expect(self._config.all["audio"]["input"]["format"]["type"])
        if self._turn is None:
            return
        silences = self._config.silences
        self._turn.listener.expect(self._config.language)
        self._turn.listener.be_patient(silences.sure_ms, silences.endpointing_ms, silences.limit_ms)
        self._conversation.usual = Asked(spoken=self._config.spoken)
        detection = self._config.detection
        machine = self._conversation.machine
        machine.patience = replace(
            machine.patience,
            manual=detection is None,
            answers=detection is None or bool(detection["create_response"]),
            drafts=self._config.spoken and self._drafts,
        )
        if detection is not None:
            machine.interruption = self._interruption if detection["interrupt_response"] else Interruption.AFTER

    def _terms(self, spoken: bool) -> Terms:
        """What an answer that begins now is given under."""
        metadata, self._metadata = self._metadata, None
        return Terms(
            conversation_id=self._conversation_id,
            voice=self._config.voice,
            format=self._config.all["audio"]["output"]["format"]["type"],
            spoken=spoken,
            plays_itself=self._connection.plays_itself,
            metadata=metadata,
        )

    # -- sound -----------------------------------------------------------------------------------------------

    def _append(self, event: dict[str, Any]) -> None:
        """More of the microphone. Where that is a track, events are not it."""
        if self._connection.plays_itself:
            audio = required(event, "audio")
            try:
                self.microphone.append(audio)
            except ValueError as error:
                raise RequestError("invalid_value", f"Invalid 'audio': {error}.", "audio") from error

    def _commit(self, _: dict[str, Any]) -> None:
        """The turn is over: a button was let go, or the client has its own ears."""
        assert self._turn is not None
        listener = self._turn.listener
        if not self._connection.plays_itself:
            self._end_turn(listener)
        elif self.microphone.since_mark_s < LEAST_COMMIT_S:
            raise RequestError(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{LEAST_COMMIT_S * 1000:.0f}ms of audio, but buffer only has "
                f"{self.microphone.since_mark_s * 1000:.2f}ms of audio.",
            )
        else:
            self.microphone.mark(lambda: self._end_turn(listener))

    def _end_turn(self, listener: Listener) -> None:
        listener.finish()
        self._conversation.post(Commit())

    def _clear_input(self, _: dict[str, Any]) -> None:
        """What was said since the last turn was never said."""
        self.microphone.clear()
        self._conversation.post(Discard())
        self.emit(ev.InputCleared())

    # -- items -----------------------------------------------------------------------------------------------

    def _create_item(self, event: dict[str, Any]) -> None:
        """A typed message."""
        try:
            asked = ItemCreate.model_validate(event)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise RequestError("invalid_type", f"{where}: {error.errors()[0]['msg']}", where) from error
        item = asked.item
        if item.type != "message" or item.role not in ("user", "assistant", "system"):
            message = "Only messages of user, assistant and system can be created."
            raise RequestError("invalid_value", message, "item")
        kinds = {"user": ("input_text",), "system": ("input_text",), "assistant": ("output_text", "text")}[item.role]
        parts = (part.transcript if part.type == "output_audio" else part.text for part in item.content)
        text = " ".join(part for part in parts if part).strip()
        if not text or len(text) > TEXT_LIMIT:
            message = f"A message needs {kinds[0]}, 1 to {TEXT_LIMIT} characters."
            raise RequestError("invalid_value", message, "item.content")
        item_id = item.id or new_id("item")
        if self.narrator.items.find(item_id):
            raise RequestError("item_create_duplicate_item_id", f"There is an item {item_id[:60]} already.", "item.id")
        after = asked.previous_item_id
        if after not in (None, ROOT) and self.narrator.items.find(str(after)) is None:
            message = f"There is no item {after!r} that this one could come after."
            raise RequestError("item_create_invalid_previous_item_id", message, "previous_item_id")
        content: wire.Content = wire.InputText(text=text) if item.role != "assistant" else wire.OutputText(text=text)
        role: Any = item.role
        self.narrator.items.add(wire.Item(id=item_id, status="completed", role=role, content=[content]), after)
        before = self.narrator.items.before(item_id) or ""
        self._history.add(Entry(item_id, role, text), None if after is None else before)

    def _retrieve_item(self, event: dict[str, Any]) -> None:
        item = self.narrator.items.find(required(event, "item_id"))
        if item is None:
            raise RequestError("item_retrieve_invalid_item_id", "There is no such item.", "item_id")
        self.emit(ev.ItemRetrieved(item=item))

    def _delete_item(self, event: dict[str, Any]) -> None:
        item_id = required(event, "item_id")
        if self.narrator.items.find(item_id) is None:
            raise RequestError("item_delete_invalid_item_id", "There is no such item.", "item_id")
        self._history.delete(item_id)
        self.narrator.items.delete(item_id)

    def _truncate_item(self, event: dict[str, Any]) -> None:
        """The client has stopped an answer after so much of it; more than there is of it is all of it."""
        item_id, played_ms = required(event, "item_id"), event.get("audio_end_ms")
        if not isinstance(played_ms, int) or isinstance(played_ms, bool) or played_ms < 0:
            raise RequestError("integer_below_min_value", "audio_end_ms must be 0 or more.", "audio_end_ms")
        heard = self._conversation.truncate(item_id, played_ms)
        if heard is None:
            raise RequestError("item_truncate_invalid_item_id", "There is no such answer.", "item_id")
        self.narrator.truncate(item_id, heard)
        self.emit(ev.ItemTruncated(item_id=item_id, audio_end_ms=played_ms))

    # -- answers ---------------------------------------------------------------------------------------------

    def _create_response(self, event: dict[str, Any]) -> None:
        if self.narrator.generating:
            raise RequestError(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self.narrator.generating} . "
                "Wait until the response is finished before creating a new one.",
            )
        try:
            asked = ResponseCreate.model_validate({"response": event.get("response") or {}}).response
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise RequestError("invalid_type", f"{where}: {error.errors()[0]['msg']}", where) from error
        if asked.output_modalities not in (None, ["audio"], ["text"]):
            where = "response.output_modalities"
            raise RequestError("invalid_value", f"{where} must be ['audio'] or ['text'].", where)
        self._metadata = asked.metadata
        spoken = self._config.spoken if asked.output_modalities is None else asked.output_modalities == ["audio"]
        wanted = Asked(spoken=spoken, instructions=asked.instructions)
        self._conversation.respond(None if wanted == self._conversation.usual else wanted)

    def _cancel_response(self, _: dict[str, Any]) -> None:
        if not self._conversation.replying:
            raise RequestError("response_cancel_not_active", "Cancellation failed: no active response found")
        self._conversation.post(Interrupt())

    def _clear_output(self, _: dict[str, Any]) -> None:
        if self._conversation.replying and not self._connection.plays_itself:
            self._conversation.post(Interrupt())
