"""Tells a client what happens in its conversation, as OpenAI Realtime events in the order that clients expect.

The order of a spoken turn, of an interruption and of a failure is that of the Realtime API over WebRTC: the
server owns the playback, so it sends ``output_audio_buffer.*`` and truncates by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent.audio import WIRE_RATE
from agent.history import new_id
from agent.machine import Phase
from agent.metrics import Timeline
from agent.realtime import events as ev
from agent.realtime import wire
from agent.speaking.playout import Heard

MOST_ITEMS = 200
"""Items of a conversation that a client can retrieve."""


@dataclass(slots=True)
class _Open:
    """The response in progress."""

    item_id: str
    previous: str | None
    response_id: str = field(default_factory=lambda: new_id("resp"))
    text: str = ""
    generating: bool = True
    audible: bool = False


class Narrator:
    """One client's view of a conversation (`agent.observer.Observer`).

    :param emit: sends one event to the client.
    :param voice: the session's voice at this moment.
    """

    def __init__(self, emit: Callable[[ev.ServerEvent], None], voice: Callable[[], str], conversation_id: str) -> None:
        self._emit = emit
        self._voice = voice
        self._conversation_id = conversation_id
        self._last_item: str | None = None
        self._started_ms = 0
        self._failure: str | None = None
        self._reply: _Open | None = None
        self.metadata: dict[str, str] | None = None
        """of the response that the client asked for; echoed in it"""
        self.items: dict[str, wire.Item] = {}
        """every item that the client was told of"""

    @property
    def generating(self) -> str | None:
        """The id of the response that is being made, if one is."""
        return self._reply.response_id if self._reply is not None and self._reply.generating else None

    def recall(self) -> None:
        """Tell a client that has come back what it may have forgotten: the conversation, and the answer in progress."""
        previous: str | None = None
        reply = self._reply
        for item in self.items.values():
            if reply is not None and item.id == reply.item_id:
                continue
            self._emit(ev.ItemAdded(previous_item_id=previous, item=item))
            self._emit(ev.ItemDone(previous_item_id=previous, item=item))
            previous = item.id
        if reply is not None and reply.generating:
            self._open(reply)
            if reply.text:
                self._emit(ev.TranscriptDelta(**self._ids(reply), delta=reply.text))
        elif reply is not None:
            item = self.items[reply.item_id]
            self._emit(ev.ItemAdded(previous_item_id=previous, item=item))
            self._emit(ev.ItemDone(previous_item_id=previous, item=item))
        if reply is not None and reply.audible:
            self._emit(ev.BufferStarted(response_id=reply.response_id))

    # -- the user's turn -------------------------------------------------------------------------------------

    def phase(self, phase: Phase) -> None:
        """The floor changed hands."""
        self._emit(ev.Phase(phase=phase.value))

    def turn_opened(self, item_id: str, at: float) -> None:
        """A person speaks."""
        self._started_ms = round(at * 1000)
        self._failure = None
        self._emit(ev.SpeechStarted(audio_start_ms=self._started_ms, item_id=item_id))

    def hearing_failed(self, item_id: str, message: str) -> None:
        """The open turn could not be recognised."""
        self._failure = message

    def hears(self, item_id: str, text: str) -> None:
        """The person's words so far; none of them is certain yet."""
        self._emit(ev.Caption(item_id=item_id, role="user", text=text, stable=0, final=False))

    def turn_closed(self, item_id: str, text: str, at: float) -> None:
        """The person's turn is an item now; its transcript is known."""
        ended_ms = max(self._started_ms, round(at * 1000))
        if text:
            self._failure = None  # one utterance of the turn failed, but another has words
        self._emit(ev.SpeechStopped(audio_end_ms=ended_ms, item_id=item_id))
        self._emit(ev.Committed(item_id=item_id, previous_item_id=self._last_item))
        self.add_item(self._user_item(item_id, None))
        self.items[item_id] = self._user_item(item_id, text)
        if self._failure is None:
            seconds = (ended_ms - self._started_ms) / 1000
            usage = wire.DurationUsage(seconds=seconds)
            self._emit(ev.TranscriptionCompleted(item_id=item_id, transcript=text, usage=usage))
        else:
            error = ev.TranscriptionError(type="server_error", message=self._failure)
            self._emit(ev.TranscriptionFailed(item_id=item_id, error=error))

    def add_item(self, item: wire.Item) -> None:
        """A finished item enters the conversation; the oldest can not be retrieved any more."""
        self.items[item.id] = item
        while len(self.items) > MOST_ITEMS:
            del self.items[next(iter(self.items))]
        self._emit(ev.ItemAdded(previous_item_id=self._last_item, item=item))
        self._emit(ev.ItemDone(previous_item_id=self._last_item, item=item))
        self._last_item = item.id

    # -- the agent's answer ----------------------------------------------------------------------------------

    def reply_started(self, item_id: str) -> None:
        """The agent begins to answer."""
        self._reply = _Open(item_id, self._last_item)
        self._open(self._reply)
        self._last_item = item_id

    def _open(self, reply: _Open) -> None:
        """The events that begin an answer."""
        item = self._assistant_item(reply.item_id, "in_progress", None)
        self._emit(ev.ResponseCreated(response=self._response("in_progress")))
        self._emit(ev.OutputItemAdded(response_id=reply.response_id, item=item))
        self._emit(ev.ItemAdded(previous_item_id=reply.previous, item=item))
        self._emit(ev.ContentPartAdded(**self._ids(reply), part=wire.AudioPart(transcript="")))

    def told(self, item_id: str, text: str) -> None:
        """A clause of the answer went to the TTS."""
        if self._reply is not None:
            self._reply.text += text
            self._emit(ev.TranscriptDelta(**self._ids(self._reply), delta=text))

    def written(self, item_id: str) -> None:
        """All of the answer is made."""
        if self._reply is not None:
            self._finish(self._reply, "completed", None)

    def audible(self, item_id: str) -> None:
        """The answer's first sample left."""
        if self._reply is not None:
            self._reply.audible = True
            self._emit(ev.BufferStarted(response_id=self._reply.response_id))

    def spoken(self, item_id: str, heard: Heard) -> None:
        """This much of the answer has reached the ear."""
        self._caption(item_id, heard, final=False)

    def reply_ended(
        self,
        item_id: str,
        heard: Heard,
        *,
        cut_by_speech: bool | None,
        failure: str | None,
        timeline: Timeline,
    ) -> None:
        """The answer is over: played to its end, cut, or failed."""
        reply = self._reply
        if reply is None:
            return
        if failure is not None:
            error = wire.ResponseError(type="server_error", code="engine_error", message=failure)
            self._finish(reply, "failed", wire.StatusDetails(type="failed", error=error))
        elif cut_by_speech is not None:
            details = wire.StatusDetails(
                type="cancelled", reason="turn_detected" if cut_by_speech else "client_cancelled"
            )
            self._finish(reply, "cancelled", details)
        if reply.audible and cut_by_speech is not None:
            self._emit(ev.BufferCleared(response_id=reply.response_id))
            played_ms = heard.samples * 1000 // WIRE_RATE
            self._emit(ev.ItemTruncated(item_id=item_id, audio_end_ms=played_ms))
            self.items[item_id] = self._assistant_item(item_id, "incomplete", heard.text)
        elif reply.audible:
            self._emit(ev.BufferStopped(response_id=reply.response_id))
        self._caption(item_id, heard, final=True)
        stages: dict[str, Any] = {f"{stage}_ms": ms for stage, ms in timeline.since_speech_end().items()}
        self._emit(ev.Timeline(response_id=reply.response_id, **stages))
        self._reply = None

    # -- their parts -----------------------------------------------------------------------------------------

    def _finish(self, reply: _Open, status: wire.ResponseStatus, details: wire.StatusDetails | None) -> None:
        """Close what `reply_started` opened, once."""
        if not reply.generating:
            return
        reply.generating = False
        done: wire.Status = "completed" if status == "completed" else "incomplete"
        item = self.items[reply.item_id] = self._assistant_item(reply.item_id, done, reply.text)
        ids = self._ids(reply)
        self._emit(ev.AudioDone(**ids))
        self._emit(ev.TranscriptDone(**ids, transcript=reply.text))
        self._emit(ev.ContentPartDone(**ids, part=wire.AudioPart(transcript=reply.text)))
        self._emit(ev.ItemDone(previous_item_id=reply.previous, item=item))
        self._emit(ev.OutputItemDone(response_id=reply.response_id, item=item))
        self._emit(ev.ResponseDone(response=self._response(status, details, [item])))
        self.metadata = None

    def _response(
        self,
        status: wire.ResponseStatus,
        details: wire.StatusDetails | None = None,
        output: list[wire.Item] | None = None,
    ) -> wire.Response:
        assert self._reply is not None
        return wire.Response(
            id=self._reply.response_id,
            status=status,
            status_details=details,
            output=output or [],
            conversation_id=self._conversation_id,
            audio=wire.ResponseAudio(output=wire.ResponseAudioOutput(voice=self._voice())),
            usage=None if status == "in_progress" else wire.no_usage(),
            metadata=self.metadata,
        )

    def _caption(self, item_id: str, heard: Heard, *, final: bool) -> None:
        self._emit(ev.Caption(item_id=item_id, role="assistant", text=heard.text, stable=len(heard.text), final=final))

    @staticmethod
    def _ids(reply: _Open) -> dict[str, Any]:
        return {"response_id": reply.response_id, "item_id": reply.item_id}

    @staticmethod
    def _user_item(item_id: str, transcript: str | None) -> wire.Item:
        return wire.Item(id=item_id, status="completed", role="user", content=[wire.InputAudio(transcript=transcript)])

    @staticmethod
    def _assistant_item(item_id: str, status: wire.Status, transcript: str | None) -> wire.Item:
        content: list[wire.Content] = [] if transcript is None else [wire.OutputAudio(transcript=transcript)]
        return wire.Item(id=item_id, status=status, role="assistant", content=content)
