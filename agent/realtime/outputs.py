"""The items of one answer as OpenAI Realtime events: its message, spoken or written, and the functions it calls."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from agent.audio import I16
from agent.engines.protocols import CallDelta
from agent.realtime import events as ev
from agent.realtime import wire
from agent.realtime.formats import RATES, SoundOut
from agent.realtime.items import Items

DELTA_S = 0.2
"""Sound in one event; the first one has what there is."""
Emit = Callable[[ev.ServerEvent], None]


class MessageOutput:
    """What an answer says.

    :param place: of it among the answer's items.
    :param form: of the voice in events (`agent.realtime.formats`); "" if there is none in them.
    """

    def __init__(
        self, emit: Emit, items: Items, response_id: str, item_id: str, *, place: int, spoken: bool, form: str
    ) -> None:
        self._emit = emit
        self._items = items
        self._place = place
        self._spoken = spoken
        self._form = form
        self._sound = SoundOut(form) if form else None
        self._response_id = response_id
        self.item_id = item_id
        self.text = ""
        self.status: wire.Status = "in_progress"

    def open(self) -> None:
        """The events that begin it."""
        self._emit(ev.OutputItemAdded(**self._where, item=self.item))
        self._items.open(self.item)
        self._emit(ev.ContentPartAdded(**self._ids, part=self._part("")))

    def recall(self, previous: str | None) -> None:
        """Say the same to a client that has come back."""
        if self.status != "in_progress":
            _told_again(self._emit, self.item, previous)
            return
        self._emit(ev.OutputItemAdded(**self._where, item=self.item))
        self._emit(ev.ItemAdded(previous_item_id=previous, item=self.item))
        self._emit(ev.ContentPartAdded(**self._ids, part=self._part("")))
        if self.text:
            self._tell(self.text)

    def tell(self, text: str) -> None:
        """More of its text."""
        self.text += text
        self._tell(text)

    def voice(self, pcm: I16) -> None:
        """More of its voice: int16 (n,) at WIRE_RATE."""
        if self._sound is not None:
            self._send(self._sound(pcm))

    def close(self, status: wire.Status) -> None:
        """Close what was opened, once."""
        if self.status != "in_progress":
            return
        self.status = status
        if self._spoken:
            if self._sound is not None and status == "completed":
                self._send(self._sound.flush())
            self._emit(ev.AudioDone(**self._ids))
            self._emit(ev.TranscriptDone(**self._ids, transcript=self.text))
        else:
            self._emit(ev.TextDone(**self._ids, text=self.text))
        self._emit(ev.ContentPartDone(**self._ids, part=self._part(self.text)))
        self._items.close(self.item)
        self._emit(ev.OutputItemDone(**self._where, item=self.item))

    def truncate(self, text: str, status: wire.Status) -> None:
        """What a client that asks finds in the item."""
        self._items.set(self._item(status, text))

    @property
    def item(self) -> wire.Item:
        """It, as it is now."""
        return self._item(self.status, self.text if self.status != "in_progress" else None)

    def _tell(self, text: str) -> None:
        kind = ev.TranscriptDelta if self._spoken else ev.TextDelta
        self._emit(kind(**self._ids, delta=text))

    def _send(self, sound: bytes) -> None:
        most = round(DELTA_S * RATES[self._form]) * (2 if self._form == "audio/pcm" else 1)
        for begins in range(0, len(sound), most):
            piece = base64.b64encode(sound[begins : begins + most]).decode()
            self._emit(ev.AudioDelta(**self._ids, delta=piece))

    def _part(self, text: str) -> wire.Part:
        return wire.AudioPart(transcript=text) if self._spoken else wire.TextPart(text=text)

    def _item(self, status: wire.Status, text: str | None) -> wire.MessageItem:
        content: list[wire.Content] = []
        if text is not None:
            content = [wire.OutputAudio(transcript=text) if self._spoken else wire.OutputText(text=text)]
        return wire.MessageItem(id=self.item_id, status=status, role="assistant", content=content)

    @property
    def _where(self) -> dict[str, Any]:
        return {"response_id": self._response_id, "output_index": self._place}

    @property
    def _ids(self) -> dict[str, Any]:
        return {**self._where, "item_id": self.item_id}


class CallOutput:
    """A function that an answer calls.

    :param place: of it among the answer's items.
    :param call: its id and name.
    """

    def __init__(
        self, emit: Emit, items: Items, response_id: str, item_id: str, *, place: int, call: CallDelta
    ) -> None:
        self._emit = emit
        self._items = items
        self._where = {"response_id": response_id, "output_index": place}
        self._ids: dict[str, Any] = {**self._where, "item_id": item_id, "call_id": call.id}
        self._call_id = call.id
        self._name = call.name
        self.item_id = item_id
        self.arguments = ""
        self.status: wire.Status = "in_progress"

    def open(self) -> None:
        """The events that begin it."""
        self._emit(ev.OutputItemAdded(**self._where, item=self.item))
        self._items.open(self.item)

    def recall(self, previous: str | None) -> None:
        """Say the same to a client that has come back."""
        if self.status != "in_progress":
            _told_again(self._emit, self.item, previous)
            return
        self._emit(ev.OutputItemAdded(**self._where, item=self.item))
        self._emit(ev.ItemAdded(previous_item_id=previous, item=self.item))
        if self.arguments:
            self._emit(ev.ArgumentsDelta(**self._ids, delta=self.arguments))

    def grow(self, arguments: str) -> None:
        """More of its arguments."""
        if arguments:
            self.arguments += arguments
            self._emit(ev.ArgumentsDelta(**self._ids, delta=arguments))

    def close(self, status: wire.Status, arguments: str | None = None) -> None:
        """Close what was opened, once.

        :param arguments: all of them; None for those that were told.
        """
        if self.status != "in_progress":
            return
        self.status, self.arguments = status, self.arguments if arguments is None else arguments
        if status == "completed":
            self._emit(ev.ArgumentsDone(**self._ids, name=self._name, arguments=self.arguments))
        self._items.close(self.item)
        self._emit(ev.OutputItemDone(**self._where, item=self.item))

    @property
    def item(self) -> wire.Item:
        """It, as it is now."""
        arguments = self.arguments if self.status != "in_progress" else ""
        return wire.FunctionCall(
            id=self.item_id, status=self.status, call_id=self._call_id, name=self._name, arguments=arguments
        )


def _told_again(emit: Emit, item: wire.Item, previous: str | None) -> None:
    emit(ev.ItemAdded(previous_item_id=previous, item=item))
    emit(ev.ItemDone(previous_item_id=previous, item=item))
