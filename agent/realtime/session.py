"""One client's session: its settings, what it asks for, and the one place that sends it events."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from openai.types.realtime import RealtimeSessionCreateRequest
from pydantic import BaseModel, ConfigDict, ValidationError

from agent.events import Interrupt, Interruption, Respond
from agent.history import Entry, History, new_id
from agent.realtime import events as ev
from agent.realtime import wire
from agent.realtime.narrator import Narrator
from agent.settings import Settings
from agent.transports.base import Connection

if TYPE_CHECKING:
    from agent.conversation import Conversation
    from agent.listening.listener import Listener

log = logging.getLogger(__name__)

SESSION_S = 3600
"""What `expires_at` promises; the API's own hour."""
MODEL = "antiphon"
DEEPEST = 32
"""Levels of nesting in a client's message; a session with tools has about ten."""
CLEARABLE = frozenset({"turn_detection", "transcription"})
"""Tables of the session that null switches off."""
TEXT_LIMIT = 20_000
"""Characters of one typed message or of the instructions."""


class RequestError(Exception):
    """A client event that is refused, as an `error` event says it."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class ItemCreate(BaseModel):
    """The parts of `conversation.item.create` that we act on."""

    model_config = ConfigDict(extra="ignore")

    class Message(BaseModel):
        """A message item."""

        class Part(BaseModel):
            """A part of its content."""

            type: str
            text: str = ""

        type: str
        role: str
        content: list[Part]
        id: str = ""

    item: Message


class Session:
    """Speaks the OpenAI Realtime API with one client.

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
        self._knows = knows
        self._language = settings.asr.language
        self.config = _defaults(settings)
        self._interruption = Interruption(settings.turn.interruption)
        self.narrator = Narrator(self.emit, lambda: str(self.config["audio"]["output"]["voice"]), new_id("conv"))
        self._conversation: Conversation | None = None
        self._listener: Listener | None = None
        if given:
            self._configure(given)

    def emit(self, event: ev.ServerEvent) -> None:
        """Send one event; before `session.created` there is nobody to hear it."""
        if not self._greeted or (isinstance(event, ev.EXTENSIONS) and not self._extensions):
            return
        self._connection.send(event.model_dump_json())

    async def run(self, conversation: Conversation, listener: Listener) -> None:
        """Greet the client, then do what it asks, one event after the other, until it is gone."""
        self._conversation, self._listener = conversation, listener
        self._apply()
        await self._connection.channel_open()
        self._greeted = True
        self.emit(ev.SessionCreated(session=self.config))
        async for text in self._connection.messages():
            self._take(text)

    def greet(self) -> None:
        """Tell a client that has come back over another connection where the conversation stands."""
        self.emit(ev.SessionCreated(session=self.config))
        self.narrator.recall()

    def _take(self, text: str) -> None:
        event: Any = None
        try:
            event = parsed(text)
            self._answer(event["type"], event)
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

    def _answer(self, kind: str, event: Mapping[str, Any]) -> None:
        answers: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "session.update": self._update,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve_item,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
            "output_audio_buffer.clear": self._clear_output,
            "input_audio_buffer.append": lambda _: None,  # the microphone is a track, not events
            "input_audio_buffer.commit": self._commit,
        }
        answer = answers.get(kind)
        if answer is None:
            supported = ", ".join(f"'{name}'" for name in answers)
            raise RequestError(
                "invalid_value", f"Invalid value: '{kind[:60]}'. Supported values are: {supported}.", "type"
            )
        answer(event)

    # -- what a client asks ----------------------------------------------------------------------------------

    def _update(self, event: Mapping[str, Any]) -> None:
        """Merge the client's settings into the session's."""
        changes = event.get("session")
        if not isinstance(changes, dict):
            raise RequestError("missing_required_parameter", "Missing required parameter: 'session'.", "session")
        self._configure(changes)
        self.emit(ev.SessionUpdated(session=self.config))

    def _configure(self, changes: Mapping[str, Any]) -> None:
        instructions = changes.get("instructions", self.config["instructions"])
        if not isinstance(instructions, str) or len(instructions) > TEXT_LIMIT:
            raise RequestError(
                "invalid_type",
                f"instructions must be text of at most {TEXT_LIMIT} characters",
                "session.instructions",
            )
        fixed = {key: self.config[key] for key in ("type", "object", "id", "model", "expires_at")}
        merged = _merged(self.config, changes) | fixed
        try:
            RealtimeSessionCreateRequest.model_validate(merged, strict=True)
        except ValidationError as error:
            where = ".".join(("session", *(str(part) for part in error.errors()[0]["loc"])))
            raise RequestError("invalid_type", f"{where}: {error.errors()[0]['msg']}", where) from error
        if not isinstance(merged["audio"]["output"]["voice"], str):
            where = "session.audio.output.voice"
            raise RequestError("invalid_type", f"{where} must be a name.", where)
        language = self._spoken(merged)
        if language and not self._knows(language):
            where = "session.audio.input.transcription.language"
            raise RequestError(
                "invalid_value",
                f"{where}: the recogniser does not know {language[:20]!r}; give a code like 'en'.",
                where,
            )
        self.config = merged
        self._history.instructions = instructions
        self._apply()

    def _apply(self) -> None:
        """Let machine and listener follow the session: no turn detection is push to talk."""
        if self._conversation is not None and self._listener is not None:
            self._listener.expect(self._spoken(self.config) or None)
            detection = self.config["audio"]["input"]["turn_detection"]
            machine = self._conversation.machine
            machine.patience = replace(machine.patience, manual=detection is None)
            if detection is not None:
                interrupt = detection.get("interrupt_response", True)
                machine.interruption = self._interruption if interrupt else Interruption.AFTER

    def _spoken(self, config: Mapping[str, Any]) -> str:
        """The language that the client speaks, "" to find out; the server's own where a client wants no transcripts."""
        transcription = config["audio"]["input"]["transcription"]
        return self._language if transcription is None else str(transcription.get("language") or "")

    def _commit(self, _: Mapping[str, Any]) -> None:
        """Push to talk: the button was let go. What was said is transcribed; `response.create` asks for the answer."""
        assert self._listener is not None
        self._listener.finish()

    def _create_item(self, event: Mapping[str, Any]) -> None:
        """A typed message."""
        try:
            item = ItemCreate.model_validate(event).item
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise RequestError("invalid_type", f"{where}: {error.errors()[0]['msg']}", where) from error
        if item.type != "message" or item.role != "user":
            raise RequestError("invalid_value", "Only user messages can be created.", "item")
        text = " ".join(part.text for part in item.content if part.type == "input_text").strip()
        if not text or len(text) > TEXT_LIMIT:
            raise RequestError(
                "invalid_value", f"A message needs input_text, 1 to {TEXT_LIMIT} characters.", "item.content"
            )
        item_id = item.id or new_id("item")
        if item_id in self.narrator.items:
            raise RequestError("item_create_duplicate_item_id", f"There is an item {item_id} already.", "item.id")
        self._history.add(Entry(item_id, "user", text))
        self.narrator.add_item(
            wire.Item(id=item_id, status="completed", role="user", content=[wire.InputText(text=text)])
        )

    def _retrieve_item(self, event: Mapping[str, Any]) -> None:
        item = self.narrator.items.get(str(event.get("item_id")))
        if item is None:
            raise RequestError("item_retrieve_invalid_item_id", "There is no such item.", "item_id")
        self.emit(ev.ItemRetrieved(item=item))

    def _create_response(self, event: Mapping[str, Any]) -> None:
        assert self._conversation is not None
        if self.narrator.generating:
            raise RequestError(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self.narrator.generating} . "
                "Wait until the response is finished before creating a new one.",
            )
        asked = event.get("response")
        metadata = asked.get("metadata") if isinstance(asked, dict) else None
        self.narrator.metadata = (
            {str(key): str(value) for key, value in metadata.items()} if isinstance(metadata, dict) else None
        )
        self._conversation.post(Respond())

    def _cancel_response(self, _: Mapping[str, Any]) -> None:
        assert self._conversation is not None
        if not self._conversation.replying:
            raise RequestError("response_cancel_not_active", "Cancellation failed: no active response found")
        self._conversation.post(Interrupt())

    def _clear_output(self, _: Mapping[str, Any]) -> None:
        assert self._conversation is not None
        if self._conversation.replying:
            self._conversation.post(Interrupt())


def parsed(text: str) -> dict[str, Any]:
    """A client's message as an object that can be sent back as it is.

    :raises RequestError: if it is no JSON object with a type, is nested too deeply, or holds what UTF-8 can not.
    """
    event = json_object(text)
    if not isinstance(event.get("type"), str):
        raise RequestError("missing_required_parameter", "Missing required parameter: 'type'.", "type")
    return event


def json_object(text: str) -> dict[str, Any]:
    """A JSON object from outside.

    :raises RequestError: if it is none, is nested too deeply, or holds what UTF-8 can not.
    """
    try:
        value = json.loads(text)
        # A lone surrogate, which JSON can write and UTF-8 can not, would fail only when we send it back.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise RequestError("invalid_json", f"The message is not JSON: {str(error)[:200]}") from error
    if not isinstance(value, dict):
        raise RequestError("invalid_json", "The message is not a JSON object.")
    if _depth(value) > DEEPEST:
        raise RequestError("invalid_json", f"The message is nested more than {DEEPEST} levels deep.")
    return value


def _depth(value: object) -> int:
    """Levels of nesting, without recursion."""
    level, deepest = [value], 0
    while level:
        deepest += 1
        inner = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = [item for items in inner for item in items]
    return deepest


def _merged(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "session") -> dict[str, Any]:
    """Deep merge: absent is unchanged, null clears, what we do not know is ignored.

    :raises RequestError: if a table that is needed would be replaced by something else.
    """
    merged = dict(old)
    for key, value in new.items():
        if key not in old:
            continue
        inner, where = old[key], f"{path}.{key}"
        if isinstance(inner, dict) and isinstance(value, dict):
            merged[key] = _merged(inner, value, where)
        elif isinstance(inner, dict) and not (value is None and key in CLEARABLE):
            raise RequestError("invalid_type", f"{where} must be an object.", where)
        else:
            merged[key] = value
    return merged


def _defaults(settings: Settings) -> dict[str, Any]:
    """The whole session object, as `session.created` shows it."""
    pcm = {"type": "audio/pcm", "rate": 24000}
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": new_id("sess"),
        "model": MODEL,
        "output_modalities": ["audio"],
        "instructions": settings.agent.instructions,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": round(time.time()) + SESSION_S,
        "audio": {
            "input": {
                "format": pcm,
                "transcription": {"model": settings.asr.model, "language": settings.asr.language},
                "noise_reduction": None,
                "turn_detection": _turn_detection(settings),
            },
            "output": {"format": pcm, "voice": settings.tts.voice or settings.tts.engine, "speed": 1.0},
        },
        "include": None,
    }


def _turn_detection(settings: Settings) -> dict[str, Any] | None:
    """How turns end, as the API says it."""
    if settings.turn.mode == "manual":
        return None
    return {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": settings.turn.sure_ms if settings.turn.detector else settings.turn.endpointing_ms,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": settings.turn.interruption == "cut",
    }
