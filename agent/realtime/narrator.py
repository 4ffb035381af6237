"""Tells a client what happens in its conversation, as OpenAI Realtime events in the order that clients expect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent.audio import I16, WIRE_RATE
from agent.engines.protocols import Call, CallDelta
from agent.machine import Phase
from agent.metrics import Timeline
from agent.observer import NOTHING, Made
from agent.realtime import events as ev
from agent.realtime import wire
from agent.realtime.answer import Answer, Terms
from agent.realtime.items import Items
from agent.realtime.transcript import Transcript
from agent.speaking.playout import Heard


@dataclass(frozen=True, slots=True)
class Hearing:
    """How a client wants to know what was said."""

    manual: bool = False
    """it says itself when turns begin and end"""
    transcribed: bool = True
    """it wants transcripts"""
    streamed: bool = False
    """and their settled words while somebody still speaks"""


MOST_OPEN = 64
"""turns of people that are not over"""


@dataclass(slots=True)
class _Turn:
    """What is known of a person's turn until it is over."""

    started_ms: int = 0
    transcript: Transcript = field(default_factory=Transcript)
    failure: str | None = None


class Narrator:
    """One conversation's view for its clients (`agent.observer.Observer`).

    :param emit: sends one event to the clients.
    :param terms: what an answer that begins now is given under; whether it is spoken.
    :param hearing: how the client wants to know what was said.
    :param position_s: how much of the microphone was heard so far, media s.
    """

    def __init__(
        self,
        emit: Callable[[ev.ServerEvent], None],
        terms: Callable[[bool], Terms],
        hearing: Callable[[], Hearing] = Hearing,
        position_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._emit = emit
        self._terms = terms
        self._hearing = hearing
        self._position_s = position_s
        self.said_by: Callable[[str, str], None] = lambda item_id, speaker: None
        """tells whose turn an item is, among several people"""
        self.recalled: Callable[[str], None] = lambda item_id: None
        """called before an item is told to a client that has come back"""
        self.finished: Callable[[str, str, float], None] = lambda item_id, text, seconds: None
        """told the words of each item that is over, and how long they took, s"""
        self._turns: dict[str, _Turn] = {}  # that are not over, by their items
        self._silent_since_ms = 0
        self._heard_ms = 0  # of the user's turns since the last answer
        self._reply: Answer | None = None
        self._cut: Callable[[], None] | None = None
        """tells that a voice has cut the answer, behind the news of that voice"""
        self.items = Items(emit)
        self.turn_over = asyncio.Event()
        """set whenever a turn of the user's is closed"""

    @property
    def generating(self) -> str | None:
        """The id of the response that is being made, if one is."""
        return self._reply.id if self._reply is not None and self._reply.generating else None

    @property
    def answering(self) -> str | None:
        """The id of the response that is being made or played, if one is."""
        return self._reply.id if self._reply is not None else None

    def recall(self) -> None:
        """Tell a client that has come back what it may have forgotten: the conversation, and the answer in progress."""
        previous: str | None = None
        for item in self.items:
            if self._reply is not None and self._reply.has(item.id):
                continue
            self.recalled(item.id)
            self._emit(ev.ItemAdded(previous_item_id=previous, item=item))
            self._emit(ev.ItemDone(previous_item_id=previous, item=item))
            previous = item.id
        if self._reply is not None:
            self._reply.recall(previous)

    # -- the user's turn -------------------------------------------------------------------------------------

    def phase(self, phase: Phase) -> None:
        """The floor changed hands."""
        self._emit(ev.Phase(phase=phase.value))

    def turn_opened(self, item_id: str, at: float, speaker: str) -> None:
        """This person speaks."""
        turn = self._turns[item_id] = _Turn(round(at * 1000))
        while len(self._turns) > MOST_OPEN:  # of turns that were taken back nobody hears more
            del self._turns[next(iter(self._turns))]
        self.said_by(item_id, speaker)
        if not self._hearing().manual:
            self._emit(ev.SpeechStarted(audio_start_ms=turn.started_ms, item_id=item_id))
        self._tell_cut()

    def hearing_failed(self, item_id: str, message: str) -> None:
        """The open turn could not be recognised."""
        if item_id in self._turns:
            self._turns[item_id].failure = message

    def hears(self, item_id: str, text: str) -> None:
        """The person's words so far; none of them is certain yet."""
        self._emit(ev.Caption(item_id=item_id, role="user", text=text, stable=0, final=False))
        if self._hearing().streamed:
            self._tell_words(item_id, self._turns.setdefault(item_id, _Turn()).transcript.grow(text))

    def turn_closed(self, item_id: str, text: str, at: float) -> None:
        """The person's turn is an item now; its transcript is known."""
        turn = self._turns.pop(item_id, None) or _Turn(round(at * 1000))
        ended_ms = max(turn.started_ms, round(at * 1000))
        if text:
            turn.failure = None  # one utterance of the turn failed, but another has words
        if not self._hearing().manual:
            self._emit(ev.SpeechStopped(audio_end_ms=ended_ms, item_id=item_id))
        self._emit(ev.Committed(item_id=item_id, previous_item_id=self.items.last))
        self.items.add(self._user_item(item_id, None))
        self.turn_over.set()
        self._heard_ms += ended_ms - turn.started_ms
        if text:
            self.finished(item_id, text, (ended_ms - turn.started_ms) / 1000)
        if not self._hearing().transcribed:
            return
        self.items.set(self._user_item(item_id, text))
        if turn.failure is None:
            self._tell_words(item_id, turn.transcript.end(text))
            seconds = (ended_ms - turn.started_ms) / 1000
            usage = wire.DurationUsage(seconds=seconds)
            self._emit(ev.TranscriptionCompleted(item_id=item_id, transcript=text, usage=usage))
        else:
            error = ev.TranscriptionError(type="server_error", message=turn.failure)
            self._emit(ev.TranscriptionFailed(item_id=item_id, error=error))

    def timed_out(self, item_id: str) -> None:
        """Nobody has said anything for so long that the silence is an item."""
        ended_ms = round(self._position_s() * 1000)
        since_ms = min(ended_ms, self._silent_since_ms)
        self._emit(ev.TimeoutTriggered(audio_start_ms=since_ms, audio_end_ms=ended_ms, item_id=item_id))
        self._emit(ev.Committed(item_id=item_id, previous_item_id=self.items.last))
        self.items.add(self._user_item(item_id, None))

    # -- the agent's answer ----------------------------------------------------------------------------------

    def reply_started(self, item_id: str, *, spoken: bool) -> None:
        """The agent begins to answer."""
        self._tell_cut()
        heard_ms, self._heard_ms = self._heard_ms, 0
        self._reply = Answer(self._emit, self.items, item_id, self._terms(spoken), heard_ms)
        self._reply.open()

    def told(self, item_id: str, text: str) -> None:
        """A piece of the answer's text is certain."""
        if self._reply is not None:
            self._reply.tell(text)

    def voice(self, pcm: I16) -> None:
        """More of the answer's voice, for a client that plays it by itself: int16 (n,) at WIRE_RATE."""
        if self._reply is not None:
            self._reply.voice(pcm)

    def calling(self, call_item: str, delta: CallDelta) -> None:
        """More of a call that the answer makes."""
        if self._reply is not None:
            self._reply.call(call_item, delta)

    def called(self, call_item: str, call: Call) -> None:
        """A call is complete."""
        if self._reply is not None:
            self._reply.called(call_item, call)

    def working(self, call_item: str, call: Call) -> None:
        """A tool of the server's is at work: items of the conversation, and not of the answer, whose calls clients
        take for theirs to make."""
        item = wire.FunctionCall(
            id=call_item, status="completed", call_id=call.id, name=call.name, arguments=call.arguments
        )
        self.items.add(item)

    def worked(self, output_item: str, call: Call, output: str) -> None:
        """It has answered."""
        self.items.add(wire.FunctionCallOutput(id=output_item, status="completed", call_id=call.id, output=output))

    def written(self, item_id: str, made: Made = NOTHING) -> None:
        """All of the answer is made."""
        if self._reply is None:
            return
        short = made.ending.short
        if short is None:
            self._reply.finish("completed", None, made)
        else:
            self._reply.finish("incomplete", wire.StatusDetails(type="incomplete", reason=short), made)

    def audible(self, item_id: str) -> None:
        """The answer's first sample left."""
        if self._reply is not None:
            self._reply.heard_first()

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
        made: Made = NOTHING,
    ) -> None:
        """The answer is over: played to its end, cut, or failed."""
        reply, self._reply = self._reply, None
        if reply is None:
            return
        self._silent_since_ms = round(self._position_s() * 1000)

        def tell() -> None:
            if failure is not None:
                error = wire.ResponseError(type="server_error", code="engine_error", message=failure)
                reply.finish("failed", wire.StatusDetails(type="failed", error=error), made)
            elif cut_by_speech is not None:
                reason = "turn_detected" if cut_by_speech else "client_cancelled"
                reply.finish("cancelled", wire.StatusDetails(type="cancelled", reason=reason), made)
            if cut_by_speech is not None:
                reply.cut(heard)
            else:
                reply.stopped()
            if reply.says:
                self._caption(item_id, heard, final=True)
            if heard.text:
                self.finished(item_id, heard.text, heard.samples / WIRE_RATE)
            stages: dict[str, Any] = {f"{stage}_ms": ms for stage, ms in timeline.since_speech_end().items()}
            self._emit(ev.Timeline(response_id=reply.id, **stages))

        if cut_by_speech:
            self._cut = tell
        else:
            tell()

    def truncate(self, item_id: str, heard: Heard) -> None:
        """A client that plays by itself has stopped this answer: what it finds in the item from now on."""
        item = self.items.find(item_id)
        if isinstance(item, wire.MessageItem) and not heard.complete:
            content: list[wire.Content] = [wire.OutputAudio(transcript=heard.text)]
            self.items.set(item.model_copy(update={"content": content, "status": "incomplete"}))

    # -- their parts -----------------------------------------------------------------------------------------

    def _tell_cut(self) -> None:
        if self._cut is not None:
            tell, self._cut = self._cut, None
            tell()

    def _tell_words(self, item_id: str, words: str) -> None:
        if words:
            self._emit(ev.TranscriptionDelta(item_id=item_id, delta=words))

    def _caption(self, item_id: str, heard: Heard, *, final: bool) -> None:
        self._emit(ev.Caption(item_id=item_id, role="assistant", text=heard.text, stable=len(heard.text), final=final))

    @staticmethod
    def _user_item(item_id: str, transcript: str | None) -> wire.Item:
        content: list[wire.Content] = [wire.InputAudio(transcript=transcript)]
        return wire.MessageItem(id=item_id, status="completed", role="user", content=content)
