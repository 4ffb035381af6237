"""One answer as OpenAI Realtime events, from `response.created` to `response.done` and what its playback adds.

Over WebRTC the server plays: it sends ``output_audio_buffer.*`` and truncates by itself. A client that plays by itself
gets the voice in events instead, and says what it has played (`conversation.item.truncate`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.audio import I16, WIRE_RATE
from agent.history import new_id
from agent.realtime import events as ev
from agent.realtime import wire
from agent.realtime.formats import RATES, SoundOut
from agent.realtime.items import Items
from agent.speaking.playout import Heard

DELTA_S = 0.2
"""Sound in one event; the first one has what there is."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an answer is given under."""

    conversation_id: str
    voice: str
    format: str
    """of the voice in events (`agent.realtime.formats`)"""
    spoken: bool
    """or written"""
    plays_itself: bool
    """the client plays the voice, and gets it in events"""
    metadata: dict[str, str] | None = None
    """the client's, echoed"""


class Answer:
    """The response in progress.

    :param emit: sends one event to the clients.
    """

    def __init__(self, emit: Callable[[ev.ServerEvent], None], items: Items, item_id: str, terms: Terms) -> None:
        self._emit = emit
        self._items = items
        self._terms = terms
        self._sound = SoundOut(terms.format) if terms.plays_itself and terms.spoken else None
        self.item_id = item_id
        self.id = new_id("resp")
        self.text = ""
        self.generating = True
        self.audible = False

    def open(self) -> None:
        """The events that begin it."""
        self._emit(ev.ResponseCreated(response=self._response("in_progress")))
        item = self._item("in_progress", None)
        self._emit(ev.OutputItemAdded(response_id=self.id, item=item))
        self._items.open(item)
        self._emit(ev.ContentPartAdded(**self._ids, part=self._part("")))

    def recall(self, previous: str | None) -> None:
        """Say the same to a client that has come back, and what has become of it."""
        if not self.generating:
            item = self._item("completed", self.text)
            self._emit(ev.ItemAdded(previous_item_id=previous, item=item))
            self._emit(ev.ItemDone(previous_item_id=previous, item=item))
        else:
            item = self._item("in_progress", None)
            self._emit(ev.ResponseCreated(response=self._response("in_progress")))
            self._emit(ev.OutputItemAdded(response_id=self.id, item=item))
            self._emit(ev.ItemAdded(previous_item_id=previous, item=item))
            self._emit(ev.ContentPartAdded(**self._ids, part=self._part("")))
            if self.text:
                self._tell(self.text)
        if self.audible and not self._terms.plays_itself:
            self._emit(ev.BufferStarted(response_id=self.id))

    def tell(self, text: str) -> None:
        """More of its text."""
        self.text += text
        self._tell(text)

    def voice(self, pcm: I16) -> None:
        """More of its voice: int16 (n,) at WIRE_RATE."""
        if self._sound is not None:
            self._send(self._sound(pcm))

    def heard_first(self) -> None:
        """Its first sample has left."""
        self.audible = True
        if not self._terms.plays_itself:
            self._emit(ev.BufferStarted(response_id=self.id))

    def finish(self, status: wire.ResponseStatus, details: wire.StatusDetails | None) -> None:
        """Close what was opened, once."""
        if not self.generating:
            return
        self.generating = False
        item = self._item("completed" if status == "completed" else "incomplete", self.text)
        if self._terms.spoken:
            if self._sound is not None and status == "completed":
                self._send(self._sound.flush())
            self._emit(ev.AudioDone(**self._ids))
            self._emit(ev.TranscriptDone(**self._ids, transcript=self.text))
        else:
            self._emit(ev.TextDone(**self._ids, text=self.text))
        self._emit(ev.ContentPartDone(**self._ids, part=self._part(self.text)))
        self._items.close(item)
        self._emit(ev.OutputItemDone(response_id=self.id, item=item))
        self._emit(ev.ResponseDone(response=self._response(status, details, [item])))

    def stopped(self) -> None:
        """It was played to its end."""
        if self.audible and not self._terms.plays_itself:
            self._emit(ev.BufferStopped(response_id=self.id))

    def cut(self, heard: Heard) -> None:
        """The rest of it was not heard."""
        if self.audible and self._terms.spoken:
            self.truncate(heard)
            if not self._terms.plays_itself:
                self._emit(ev.BufferCleared(response_id=self.id))
                played_ms = heard.samples * 1000 // WIRE_RATE
                self._emit(ev.ItemTruncated(item_id=self.item_id, audio_end_ms=played_ms))

    def truncate(self, heard: Heard) -> None:
        """What a client that asks finds in the item."""
        self._items.set(self._item("incomplete", heard.text))

    # -- their parts -----------------------------------------------------------------------------------------

    def _tell(self, text: str) -> None:
        kind = ev.TranscriptDelta if self._terms.spoken else ev.TextDelta
        self._emit(kind(**self._ids, delta=text))

    def _send(self, sound: bytes) -> None:
        width = 2 if self._terms.format == "audio/pcm" else 1
        most = round(DELTA_S * RATES[self._terms.format]) * width
        for begins in range(0, len(sound), most):
            piece = base64.b64encode(sound[begins : begins + most]).decode()
            self._emit(ev.AudioDelta(**self._ids, delta=piece))

    def _response(
        self,
        status: wire.ResponseStatus,
        details: wire.StatusDetails | None = None,
        output: list[wire.Item] | None = None,
    ) -> wire.Response:
        voice = wire.ResponseAudioOutput.model_validate(
            {"voice": self._terms.voice, "format": {"type": self._terms.format}}
        )
        return wire.Response(
            id=self.id,
            status=status,
            status_details=details,
            output=output or [],
            conversation_id=self._terms.conversation_id,
            output_modalities=["audio" if self._terms.spoken else "text"],
            audio=wire.ResponseAudio(output=voice),
            usage=None if status == "in_progress" else wire.no_usage(),
            metadata=self._terms.metadata,
        )

    def _part(self, text: str) -> wire.Part:
        return wire.AudioPart(transcript=text) if self._terms.spoken else wire.TextPart(text=text)

    def _item(self, status: wire.Status, text: str | None) -> wire.Item:
        content: list[wire.Content] = []
        if text is not None:
            content = [wire.OutputAudio(transcript=text) if self._terms.spoken else wire.OutputText(text=text)]
        return wire.Item(id=self.item_id, status=status, role="assistant", content=content)

    @property
    def _ids(self) -> dict[str, Any]:
        return {"response_id": self.id, "item_id": self.item_id}
