"""One reply: what it has told and called so far, its task, and its end. Of a draft nobody is told until its release."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from agent.asked import Asked
from agent.engines.protocols import Call, CallDelta, Ending
from agent.errors import EngineError
from agent.events import Event, Phrase, ReplyDone, ReplyFailed, ReplyGoesOn, ReplyWorks
from agent.history import Entry, History, new_id
from agent.metrics import Metrics, Timeline
from agent.observer import UNKNOWN, Made, Observer
from agent.speaking.clauses import Clause
from agent.speaking.pipeline import Part, canned, say
from agent.speaking.playout import Heard, PlayoutClosed, PlayoutWriter
from agent.speaking.voice import Voice
from agent.tools.toolbox import Result, Toolbox
from agent.tools.work import Work

log = logging.getLogger(__name__)

REMEMBERED = frozenset({Phrase.GREETING})
"""Phrases that enter the history; a model that reads an apology there repeats it."""


@dataclass(frozen=True, slots=True)
class Manners:
    """What a conversation says and bears beside answering."""

    phrases: Mapping[Phrase, str]
    stuck_s: float
    """without progress for so long a reply is given up"""
    filler_s: float = 0.8
    """a tool that takes longer is bridged with a word"""


@dataclass(frozen=True, slots=True)
class Stage:
    """What every reply of a conversation is told to, remembered in, counted by and worked with."""

    post: Callable[[Event], None]
    history: History
    observer: Observer
    metrics: Metrics
    manners: Manners
    tools: Toolbox


class Reply:
    """One reply.

    :param writer: what it is spoken through; knows which words are where.
    :param asked: how it is wanted.
    :param number_of_round: of calls of the server's tools, that came before it.
    :param phrase: what it says, if it is no answer.
    :param draft: nobody knows of it yet.
    """

    def __init__(
        self,
        stage: Stage,
        number: int,
        timeline: Timeline,
        writer: PlayoutWriter,
        asked: Asked,
        number_of_round: int,
        phrase: Phrase | None,
        *,
        draft: bool,
    ) -> None:
        self.number = number
        self.item_id = new_id("item")
        self.timeline = timeline
        self.writer = writer
        self.asked = asked
        self.round = number_of_round
        self.draft = draft
        self.task: asyncio.Task[None] | None = None
        self.calls: dict[str, str] = {}
        """the item of each call of the client's that was told"""
        self.working = False
        """tools are at work for it"""
        self.written = False
        """all of it is made"""
        self.truncated: Heard | None = None
        """what the client says that it has played of it, if it stopped it"""
        self._stage = stage
        self._phrase = phrase
        self._work = Work(stage.tools, self._worked)
        self._ours = stage.tools.names(asked.scope)
        self._after = ""  # id of the history's newest entry when it began; what is typed into it comes behind it
        self._told: list[str | CallDelta | Call] = []  # texts of the clauses so far, and then what it calls
        self._ending = UNKNOWN
        self._released = asyncio.Event()
        self._filled = False  # what it says is no answer, but bridges the work of a tool
        self._progress = (0, 0, False)
        self._moved_at = 0.0

    @property
    def text(self) -> str:
        """All that was told to be said."""
        return "".join(piece for piece in self._told if isinstance(piece, str))

    @property
    def goes_on(self) -> bool:
        """The server's tools have what it still needs. Where the client has some of it, the client says when."""
        return self._work.wanted and not self.calls

    @property
    def made(self) -> Made:
        """What it came to so far."""
        return Made(self._ending, self.writer.written if self.asked.spoken else 0)

    def announce(self, now: float) -> None:
        """It is the answer, from now on."""
        self.timeline.endpoint = self._moved_at = now
        self._after = self._stage.history.newest
        self._stage.metrics.turns.inc()
        self._stage.observer.reply_started(self.item_id, spoken=self.asked.spoken)

    def release(self, play: Callable[[], None]) -> None:
        """It is no draft any more: what it has told so far is told, and ``play`` lets it be heard."""
        self.draft = False
        for piece in self._told:
            if isinstance(piece, str):
                self._stage.observer.told(self.item_id, piece)
        play()
        for piece in self._told:
            if not isinstance(piece, str):
                self._call(piece)
        if self.written and not self.goes_on:
            self._stage.observer.written(self.item_id, self.made)
        self._released.set()

    def still_s(self, played: int, now: float, *, excused: bool) -> float:
        """For how long it has not moved: nothing told, nothing played.

        :param played: samples.
        :param excused: it may stand still.
        """
        progress = (len(self._told), played, self.timeline.first_delta is not None)
        if progress != self._progress or excused or self.working:
            self._progress, self._moved_at = progress, now
        return now - self._moved_at

    async def speak(
        self,
        parts: AsyncGenerator[Part, None],
        voice: Voice,
        group: asyncio.TaskGroup,
        think_ahead: Callable[[], None],
    ) -> None:
        """Its task and its supervisor: a failure becomes an event that the caller hears about.

        :param group: its tools run there.
        :param think_ahead: called when they have answered, and it goes on.
        """
        failure: str | None = None
        try:
            if self.asked.spoken:
                await say(parts, voice, self.writer, self.timeline, self._tell)
            else:
                async with aclosing(parts):
                    async for part in parts:
                        self._tell(part.text if isinstance(part, Clause) else part)
            self.written = True
            if not self.draft and not self.goes_on:
                self._stage.observer.written(self.item_id, self.made)
            elif self.draft and any(isinstance(piece, Call) for piece in self._told):
                await self._released.wait()  # there may be nothing to hear of it; and nothing is called before
            if self._work.wanted:
                await self._use_tools(voice, group, think_ahead)
        except PlayoutClosed:
            return
        except EngineError as error:
            log.error("reply failed reply=%d %s", self.number, error)
            failure = str(error)
        except Exception as error:
            log.exception("reply failed reply=%d", self.number)
            failure = repr(error)
        try:
            if not self.draft or failure is None:
                await self.writer.drain()
        except PlayoutClosed:
            return
        if failure is not None:
            self._stage.post(ReplyFailed(self.number, failure))
        else:
            self._stage.post(ReplyGoesOn(self.number) if self.goes_on else ReplyDone(self.number))

    def end(self, heard: Heard, now: float, *, cut_by_speech: bool | None, failure: str | None) -> Heard:
        """Close its books: what was heard is what is remembered. Returns that."""
        history, timeline = self._stage.history, self.timeline
        self._work.abandon()
        if not self.asked.spoken:
            heard = Heard(self.text.strip(), 0, complete=cut_by_speech is None)
        heard = self.truncated or heard
        complete = heard.complete and failure is None
        if history.find(self.item_id) is not None:
            history.replace(self.item_id, heard.text, complete=complete)
        elif heard.text and not self._filled and self._remembered:
            entry = Entry(self.item_id, "assistant", heard.text, complete=complete)
            history.add(entry, history.standing(self._after))
        if timeline.cut is None:
            timeline.done = now
        self._stage.metrics.observe(timeline)
        stages = " ".join(f"{name}_ms={ms}" for name, ms in timeline.since_speech_end().items())
        log.info("turn reply=%d heard_all=%s failed=%s %s", self.number, heard.complete, failure is not None, stages)
        self._stage.observer.reply_ended(
            self.item_id,
            heard,
            cut_by_speech=cut_by_speech,
            failure=failure,
            timeline=timeline,
            made=self.made,
        )
        return heard

    @property
    def _remembered(self) -> bool:
        """What was heard of it enters the history."""
        known = self._phrase is None or self._phrase in REMEMBERED
        return known and not self._stage.history.deleted(self.item_id)

    async def _use_tools(self, voice: Voice, group: asyncio.TaskGroup, think_ahead: Callable[[], None]) -> None:
        """Run what it has called. Speech that is meant stops it, as it stops a voice.

        :raises EngineError: if the model calls again and again.
        """
        if self.round >= self._stage.tools.settings.rounds:
            raise EngineError(
                "llm", "reply", f"it has called tools {self.round} times, and calls again; see tools.rounds"
            )
        self._stage.post(ReplyWorks(self.number))
        self.working = True
        running = group.create_task(self._work.run(), name=f"tools of reply {self.number}")
        try:
            await asyncio.wait({running}, timeout=self._stage.manners.filler_s)
            if not running.done() and self.goes_on and not self.text.strip():
                await self._fill(voice)
            await asyncio.wait({running})
        finally:
            running.cancel()
            self.working = False
        if self.goes_on:
            think_ahead()
            self._stage.observer.written(self.item_id, self.made)

    async def _fill(self, voice: Voice) -> None:
        """A word while a tool takes its time."""
        text = self._stage.manners.phrases[Phrase.FILLER]
        if not (text and self.asked.spoken):
            return
        self._filled = True
        try:
            await say(canned(text, voice.language), voice, self.writer, self.timeline, self._tell)
        except EngineError as error:
            log.warning("a filler could not be said: %s", error)

    def _worked(self, call: Call, result: Result) -> None:
        """A tool of the server's has answered, or will not any more."""
        self._stage.metrics.tools.labels(result.fate).inc()
        entry = Entry(new_id("item"), "tool", result.text, call_id=call.id)
        self._stage.history.add(entry)
        if self._stage.tools.settings.shown:
            self._stage.observer.worked(entry.id, call, result.text)

    def _tell(self, piece: str | CallDelta | Call | Ending) -> None:
        if isinstance(piece, Ending):
            self._ending = piece if not self._filled else self._ending
            return
        self._told.append(piece)
        if self.draft:
            return
        if isinstance(piece, str):
            self._stage.observer.told(self.item_id, piece)
        else:
            self._call(piece)

    def _call(self, piece: CallDelta | Call) -> None:
        """Tell of a call, and remember it when it is whole: its result may come before the reply is played."""
        observer, history = self._stage.observer, self._stage.history
        ours = piece.name in self._ours
        if isinstance(piece, CallDelta):
            if not ours:
                observer.calling(self.calls.setdefault(piece.id, new_id("item")), piece)
            return
        item_id = new_id("item") if ours else self.calls.setdefault(piece.id, new_id("item"))
        if self.text.strip() and history.find(self.item_id) is None:
            history.add(Entry(self.item_id, "assistant", self.text.strip()))
        history.add(Entry(item_id, "assistant", "", call=piece))
        if not ours:
            observer.called(item_id, piece)
            return
        self._work.add(piece)
        if self._stage.tools.settings.shown:
            observer.working(item_id, piece)
