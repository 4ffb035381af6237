"""One answer as OpenAI Realtime events, from `response.created` to `response.done` and what its playback adds.

Over WebRTC the server plays: it sends ``output_audio_buffer.*`` and truncates by itself. A client that plays by itself
gets the voice in events instead, and says what it has played (`conversation.item.truncate`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agent.audio import I16, WIRE_RATE
from agent.engines.protocols import Call, CallDelta
from agent.history import new_id
from agent.observer import NOTHING, Made
from agent.realtime import events as ev
from agent.realtime import wire
from agent.realtime.items import Items
from agent.realtime.outputs import CallOutput, MessageOutput
from agent.speaking.playout import Heard

LIMITS = [
    wire.RateLimit(name="requests", limit=10_000, remaining=10_000, reset_seconds=0.0),
    wire.RateLimit(name="tokens", limit=10_000_000, remaining=10_000_000, reset_seconds=0.0),
]
"""What a client may still ask for: nobody counts here, and a client that does shall not slow down."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an answer is given under."""

    conversation_id: str | None
    """None for an answer outside of the conversation"""
    voice: str
    format: str
    """of the voice in events (`agent.realtime.formats`)"""
    spoken: bool
    """or written"""
    plays_itself: bool
    """the client plays the voice, and gets it in events"""
    metadata: dict[str, str] | None = None
    """the client's, echoed"""
    most_tokens: int | Literal["inf"] = "inf"
    """that it may have, echoed"""


class Answer:
    """The response in progress.

    :param emit: sends one event to the clients.
    :param item_id: of its message, if it says something.
    :param heard_ms: of the user's speech since the answer before.
    """

    def __init__(
        self, emit: Callable[[ev.ServerEvent], None], items: Items, item_id: str, terms: Terms, heard_ms: int = 0
    ) -> None:
        self._emit = emit
        self._items = items
        self._terms = terms
        self._heard_ms = heard_ms
        self.id = new_id("resp")
        self.generating = True
        self.audible = False
        self._message = MessageOutput(
            emit,
            items,
            self.id,
            item_id,
            place=0,
            spoken=terms.spoken,
            form=terms.format if terms.plays_itself and terms.spoken else "",
        )
        self._outputs: list[MessageOutput | CallOutput] = []

    @property
    def says(self) -> bool:
        """It has a message."""
        return self._message in self._outputs

    def has(self, item_id: str) -> bool:
        """One of the answer's items is this."""
        return any(output.item_id == item_id for output in self._outputs)

    def open(self) -> None:
        """The events that begin it."""
        self._emit(ev.ResponseCreated(response=self._response("in_progress")))

    def recall(self, previous: str | None) -> None:
        """Say the same to a client that has come back, and what has become of it."""
        if self.generating:
            self._emit(ev.ResponseCreated(response=self._response("in_progress")))
        for output in self._outputs:
            output.recall(previous)
            previous = output.item_id
        if self.audible and not self._terms.plays_itself:
            self._emit(ev.BufferStarted(response_id=self.id))

    def tell(self, text: str) -> None:
        """More of its text."""
        self._say()
        self._message.tell(text)

    def voice(self, pcm: I16) -> None:
        """More of its voice: int16 (n,) at WIRE_RATE."""
        self._say()
        self._message.voice(pcm)

    def call(self, item_id: str, delta: CallDelta) -> None:
        """More of a call; what came before it is complete."""
        found = self._call(item_id)
        if found is None:
            for output in self._outputs:
                output.close("completed")
            place = len(self._outputs)
            found = CallOutput(self._emit, self._items, self.id, item_id, place=place, call=delta)
            self._outputs.append(found)
            found.open()
        found.grow(delta.arguments)

    def called(self, item_id: str, call: Call) -> None:
        """A call is complete."""
        found = self._call(item_id)
        if found is not None:
            found.close("completed", call.arguments)

    def heard_first(self) -> None:
        """Its first sample has left."""
        self.audible = True
        if not self._terms.plays_itself:
            self._emit(ev.BufferStarted(response_id=self.id))

    def finish(self, status: wire.ResponseStatus, details: wire.StatusDetails | None, made: Made = NOTHING) -> None:
        """Close what was opened, once."""
        if not self.generating:
            return
        self.generating = False
        for output in self._outputs:
            output.close("completed" if status == "completed" else "incomplete")
        self._emit(ev.ResponseDone(response=self._response(status, details, made)))
        self._emit(ev.RateLimitsUpdated(rate_limits=LIMITS))

    def stopped(self) -> None:
        """It was played to its end."""
        if self.audible and not self._terms.plays_itself:
            self._emit(ev.BufferStopped(response_id=self.id))

    def cut(self, heard: Heard) -> None:
        """The rest of it was not heard."""
        if self.audible and self._terms.spoken:
            self._message.truncate(heard.text, "completed" if heard.complete else "incomplete")
            if not self._terms.plays_itself:
                self._emit(ev.BufferCleared(response_id=self.id))
                played_ms = heard.samples * 1000 // WIRE_RATE
                self._emit(ev.ItemTruncated(item_id=self._message.item_id, audio_end_ms=played_ms))

    # -- its parts -------------------------------------------------------------------------------------------

    def _say(self) -> None:
        if not self._outputs:
            self._outputs.append(self._message)
            self._message.open()

    def _call(self, item_id: str) -> CallOutput | None:
        found = (output for output in self._outputs if isinstance(output, CallOutput) and output.item_id == item_id)
        return next(found, None)

    def _response(
        self, status: wire.ResponseStatus, details: wire.StatusDetails | None = None, made: Made = NOTHING
    ) -> wire.Response:
        voice = wire.ResponseAudioOutput.model_validate(
            {"voice": self._terms.voice, "format": {"type": self._terms.format}}
        )
        took, voice_ms = made.ending.usage, made.samples * 1000 // WIRE_RATE
        ended = status != "in_progress"
        usage = wire.usage(took.prompt_tokens, took.cached_tokens, took.tokens, self._heard_ms, voice_ms)
        return wire.Response(
            id=self.id,
            status=status,
            status_details=details,
            output=[output.item for output in self._outputs] if ended else [],
            conversation_id=self._terms.conversation_id,
            output_modalities=["audio" if self._terms.spoken else "text"],
            max_output_tokens=self._terms.most_tokens,
            audio=wire.ResponseAudio(output=voice),
            usage=usage if ended else None,
            metadata=self._terms.metadata,
        )
