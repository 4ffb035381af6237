"""The actor: takes what happens, asks the machine, does what it says. The one place that starts and cuts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial

from agent.asked import USUAL, Asked
from agent.audio import WIRE_RATE
from agent.engines.protocols import Call, CallDelta, Ending, LanguageModel, Message
from agent.errors import EngineError
from agent.events import (
    Action,
    CloseTurn,
    Cut,
    Deadline,
    DropDraft,
    Duck,
    EndOfTurn,
    Event,
    ForgetTurn,
    GoOn,
    HearingFailed,
    Hold,
    Interrupt,
    OpenTurn,
    Partial,
    Phrase,
    ReleaseDraft,
    ReplyAudible,
    ReplyDone,
    ReplyFailed,
    ReplyGoesOn,
    ReplyStarved,
    ReplyWorks,
    Respond,
    Resume,
    SayPhrase,
    SpeechEnded,
    StartDraft,
    StartReply,
    TimeOut,
    Transcript,
)
from agent.history import Entry, History, new_id
from agent.machine import Machine, Phase
from agent.metrics import Metrics, Timeline
from agent.observer import UNKNOWN, Made, Observer
from agent.overlap import is_echo
from agent.speaking.clauses import Clause
from agent.speaking.playout import Heard, Playout, PlayoutClosed, PlayoutWriter
from agent.speaking.reply import Part, canned, say, think
from agent.speaking.voice import Voice
from agent.tools.toolbox import Result, Toolbox
from agent.tools.work import Ahead, Work

log = logging.getLogger(__name__)

INBOX = 256
"""Events that may wait. More than a few means that the loop is stuck, so more than this is a bug."""
STARVED_TICKS = 25
"""An audible reply that has had nothing to play for 0.5 s is not speaking any more."""
TRUNCATABLE = 8
"""Answers of which a client may still say how much it has played."""
ECHO_CHARS = 160
"""of what was played last, in which our own echo is looked for: some 10 s of speech"""
REMEMBERED = frozenset({Phrase.GREETING})
"""Phrases that enter the history; a model that reads an apology there repeats it."""


@dataclass(slots=True)
class Reply:
    """The reply in progress."""

    number: int
    item_id: str
    timeline: Timeline
    work: Work
    """what it has the server's tools do"""
    after: str = ""
    """id of the history's newest entry when it began; what is typed into it comes behind it"""
    task: asyncio.Task[None] | None = None
    asked: Asked = USUAL
    ours: frozenset[str] = frozenset()
    """names of the tools that the server runs for it"""
    round: int = 0
    """of calls of the server's tools, that came before it"""
    working: bool = False
    """tools are at work for it"""
    filled: bool = False
    """what it says is no answer, but bridges the work of a tool"""
    draft: bool = False
    """nobody knows of it yet"""
    told: list[str | CallDelta | Call] = field(default_factory=list)
    """texts of the clauses so far, and then what it calls"""
    calls: dict[str, str] = field(default_factory=dict)
    """the item of each call of the client's that was told"""
    ending: Ending = UNKNOWN
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """it is no draft any more"""
    written: bool = False
    phrase: Phrase | None = None
    """what it says, if it is no answer"""
    progress: tuple[int, int, bool] = (0, 0, False)
    """clauses told, samples played, first token seen: where it was when it last moved"""
    moved_at: float = 0.0
    """`loop.time()` at which it last moved"""
    writer: PlayoutWriter | None = None
    """what it is spoken through; knows which words are where"""
    truncated: Heard | None = None
    """what the client says that it has played of it, if it stopped it"""

    @property
    def text(self) -> str:
        """All that was told to be said."""
        return "".join(piece for piece in self.told if isinstance(piece, str))

    @property
    def goes_on(self) -> bool:
        """The server's tools have what it still needs. Where the client has some of it, the client says when."""
        return self.work.wanted and not self.calls

    @property
    def made(self) -> Made:
        """What it came to so far."""
        return Made(self.ending, self.writer.written if self.writer is not None and self.asked.spoken else 0)


@dataclass(frozen=True, slots=True)
class Line:
    """What a conversation needs of the transport and the listener below it."""

    flush: Callable[[], None]
    """throw away what the transport still holds of the agent's speech"""
    sealed: Callable[[], None]
    """the turn is over: what is said from now on is a new utterance"""
    undecided: Callable[[], bool]
    """whether it is open if the pause is the end of the turn, and the words may tell"""
    completed: Callable[[float], None]
    """the probability that what was said in this pause's turn is a complete message"""
    delay_s: Callable[[], float]
    """s from playout to the ear, estimated"""


@dataclass(frozen=True, slots=True)
class Manners:
    """What a conversation says and bears beside answering."""

    phrases: Mapping[Phrase, str]
    stuck_s: float
    """without progress for so long a reply is given up"""
    filler_s: float = 0.8
    """a tool that takes longer is bridged with a word"""


class Conversation:
    """One agent voice in one room."""

    def __init__(
        self,
        *,
        llm: LanguageModel,
        reader: LanguageModel | None,
        voice: Voice,
        history: History,
        machine: Machine,
        playout: Playout,
        manners: Manners,
        line: Line,
        observer: Observer,
        metrics: Metrics,
        tools: Toolbox | None = None,
    ) -> None:
        self.history = history
        self.playout = playout
        self.machine = machine
        self.voice = voice
        self._llm = llm
        self._reader = reader
        self._manners = manners
        self._line = line
        self._observer = observer
        self._metrics = metrics
        self._tools = tools or Toolbox()
        self._inbox: asyncio.Queue[Event] = asyncio.Queue(INBOX)
        self._reply: Reply | None = None
        self._ahead: Ahead | None = None  # the rest of a reply whose tools have answered
        self._phase = Phase.IDLE  # as it was told
        self._turn_id = ""
        self._timeline = Timeline()
        self._captioned = ""
        self._prefill: asyncio.Task[None] | None = None
        self._spoken: dict[str, PlayoutWriter] = {}  # of the newest answers
        self.usual = Asked()
        """how answers are wanted"""
        self.reads_along = True
        """the language models read what is said while it is said"""
        self._asked: Asked | None = None  # how the next one is wanted, if otherwise
        self._respond: Respond | None = None  # when what is playing has been played

    def post(self, event: Event) -> None:
        """Hand in an event; never waits."""
        self._inbox.put_nowait(event)

    @property
    def replying(self) -> bool:
        """A reply is in progress, audible or not."""
        return self._reply is not None and not self._reply.draft

    def respond(self, asked: Asked | None = None) -> None:
        """Answer now. If what precedes a call is still playing, or a tool of the server's that was called with it is
        still at work, that is not cut by the answer to the call's result.

        :param asked: how, if not as usual.
        """
        self._asked = asked
        wanted, reply = Respond(fresh=asked is not None), self._reply
        playing = reply is not None and reply.written and not self.playout.plays_on
        if reply is not None and reply.calls and (playing or reply.working):
            self._respond = wanted
        else:
            self.post(wanted)

    def truncate(self, item_id: str, played_ms: int) -> Heard | None:
        """A client that plays by itself has stopped this answer after so much of it: the rest was not heard.

        What was, or None if the answer is not known any more.
        """
        current = self._reply is not None and not self._reply.draft and self._reply.item_id == item_id
        writer = self._reply.writer if self._reply is not None and current else self._spoken.get(item_id)
        if writer is None:
            return None
        samples = min(played_ms * WIRE_RATE // 1000, writer.written)
        heard = Heard(writer.until(samples), samples, complete=writer.finished and samples >= writer.written)
        if self._reply is not None and current:
            self._reply.truncated = heard
            self.post(Interrupt())
        else:
            self.history.replace(item_id, heard.text, complete=heard.complete)
        return heard

    async def run(self) -> None:
        """Converse until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    async with asyncio.timeout_at(self.machine.deadline):
                        event: Event = await self._inbox.get()
                except TimeoutError:
                    event = Deadline()
                self._take(event, loop.time(), group)

    def watch(self) -> None:
        """See how the reply is getting on; called every few ticks."""
        reply = self._reply
        if reply is None or reply.draft:
            return
        now = asyncio.get_running_loop().time()
        if reply.timeline.audible is not None:
            heard = self._heard()
            if heard.text != self._captioned:
                self._captioned = heard.text
                self._observer.spoken(reply.item_id, heard)
        progress = (len(reply.told), self.playout.position, reply.timeline.first_delta is not None)
        if progress != reply.progress or self.machine.phase is Phase.YIELDING or reply.working:
            reply.progress, reply.moved_at = progress, now
        elif now - reply.moved_at >= self._manners.stuck_s:
            self._give_up(reply, now)
        elif self.machine.phase is Phase.SPEAKING and self.playout.starved >= STARVED_TICKS:
            self._metrics.stalls.labels("starved").inc()
            self.playout.call_when_audible(lambda: self.post(ReplyAudible(reply.number)))
            self.post(ReplyStarved(reply.number))

    def _take(self, event: Event, now: float, group: asyncio.TaskGroup) -> None:
        event = self._without_echo(event)
        self._note(event, now)
        for action in self.machine.handle(event, now):
            self._perform(action, now, group)
        self._tell_phase()
        if isinstance(event, Partial | Transcript) and self.machine.phase in (Phase.HEARING, Phase.PAUSED):
            self._observer.hears(self._turn_id, self.machine.text)
        if isinstance(event, Partial) and self.machine.phase is Phase.HEARING:
            self._read_along(self.machine.text, group)
        if isinstance(event, ReplyDone) and self.machine.phase is Phase.IDLE:
            self._read_along("", group)  # a history that has just been cut is read anew before anybody waits for it

    def _tell_phase(self) -> None:
        """A reply that is silently at work has the floor, but does not speak."""
        phase, reply = self.machine.phase, self._reply
        if phase is Phase.SPEAKING and reply is not None and reply.timeline.audible is None:
            phase = Phase.THINKING
        if phase is not self._phase:
            self._phase = phase
            self._observer.phase(phase)

    def _without_echo(self, event: Event) -> Event:
        """Words that are our own, come back through the person's microphone, are not words of theirs."""
        if isinstance(event, Partial | Transcript) and self.machine.phase not in (Phase.HEARING, Phase.PAUSED):
            played = self._heard().text if self._reply is not None else self._captioned
            if is_echo(event.text, played[-ECHO_CHARS:]):
                return replace(event, text="")
        return event

    def _read_along(self, said: str, group: asyncio.TaskGroup) -> None:
        """Let the language models read what was said so far; one reading at a time."""
        if self.reads_along and (self._prefill is None or self._prefill.done()):
            self._prefill = group.create_task(self._read(self.history.prompt(said)), name="prefill")

    async def _read(self, prompt: Sequence[Message]) -> None:
        await self._llm.prefill(prompt, self._tools.offered(self.usual.scope))
        if self._reader is not None and self._reader is not self._llm:
            await self._reader.prefill(prompt)

    def _note(self, event: Event, now: float) -> None:
        """Keep the timeline, and close the books of a reply that ended by itself."""
        match event:
            case SpeechEnded():
                self._timeline = Timeline(speech_end=now - event.age_s, pause=now)
            case Transcript():
                self._timeline.transcript = now
            case Partial():
                self._metrics.partials.inc()
            case EndOfTurn():
                draft = self._reply is not None and self._reply.draft
                timeline = self._reply.timeline if self._reply is not None and draft else self._timeline
                timeline.judged = now
            case HearingFailed():
                self._metrics.failures.inc()
                self._observer.hearing_failed(self._turn_id, event.message)
            case ReplyAudible() if self._is_current(event.reply):
                assert self._reply is not None
                if self._reply.timeline.audible is None:
                    self._reply.timeline.audible = now
                    self._observer.audible(self._reply.item_id)
            case ReplyGoesOn() if self._is_current(event.reply):
                self._end_reply(self.playout.heard(), now, goes_on=True)
            case ReplyDone() if self._is_current(event.reply):
                self._end_reply(self.playout.heard(), now)
            case ReplyFailed() if self._is_current(event.reply):
                self._metrics.failures.inc()
                self._end_reply(self.playout.heard(), now, failure=event.message)
            case _:
                pass

    def _is_current(self, number: int) -> bool:
        """Of the reply that is spoken; a draft that ends by itself is only dropped."""
        return self._reply is not None and self._reply.number == number and not self._reply.draft

    # -- what the machine asks -------------------------------------------------------------------------------

    def _perform(self, action: Action, now: float, group: asyncio.TaskGroup) -> None:
        match action:
            case OpenTurn():
                self._open_turn(action.at)
                self._read_along("", group)
            case CloseTurn():
                self._close_turn(action.text, action.at)
            case ForgetTurn():
                self._line.sealed()
                self._turn_id = ""
            case TimeOut():
                self._observer.timed_out(new_id("item"))
            case StartReply():
                self._answer(action.reply, now, group, self._manners.phrases[Phrase.CUT_IN] if action.cut_in else "")
            case GoOn():
                self._go_on(action.reply, now, group)
            case StartDraft():
                prompt = self.history.prompt(action.text)
                if self._reader is not None and self._reader is not self._llm:
                    group.create_task(self._judge(self._reader, prompt), name="reader")
                asked = self.usual
                self._start(
                    action.reply, lambda timeline: self._consider(prompt, timeline, asked), None, group, asked=asked
                )
            case ReleaseDraft():
                self._release(now)
            case DropDraft():
                self._drop()
            case SayPhrase():
                text = self._manners.phrases[action.phrase]
                self._start(action.reply, lambda _: canned(text, self.voice.language), now, group, phrase=action.phrase)
            case Duck():
                self.playout.duck()
            case Hold():
                self.playout.hold()
            case Resume():
                self._metrics.overlaps.labels("resumed").inc()
                self.playout.release()
            case Cut():
                self._cut(action, now)

    def _answer(self, number: int, now: float, group: asyncio.TaskGroup, preface: str = "") -> None:
        asked, self._asked = self._asked or self.usual, None
        prompt = self.history.prompt(instructions=asked.instructions)
        language = self.voice.language if asked.spoken else None
        scope = self._tools.offered(asked.scope)
        self._start(
            number,
            lambda timeline: think(self._llm, prompt, timeline, language, preface, scope),
            now,
            group,
            asked=asked,
        )

    def _think_ahead(self, reply: Reply, group: asyncio.TaskGroup) -> None:
        """Begin with the rest of a reply whose tools have answered, while its beginning may still be heard."""
        if self._prefill is not None:
            self._prefill.cancel()
        number = reply.round + 1
        asked = reply.asked
        if asked.scope.choice != "none":  # who must call has called
            asked = replace(asked, scope=replace(asked.scope, choice="auto", only=""))
        scope = self._tools.offered(asked.scope, last=number >= self._tools.settings.rounds)
        known = reply.timeline if not reply.text else Timeline()  # until something is heard, the person waits
        timeline = Timeline(known.speech_end, known.pause, known.transcript, known.judged)
        prompt = self.history.prompt(instructions=asked.instructions)
        language = self.voice.language if asked.spoken else None
        parts = think(self._llm, prompt, timeline, language, scope=scope)
        self._ahead = Ahead(asked, number, timeline, parts, group)

    def _go_on(self, number: int, now: float, group: asyncio.TaskGroup) -> None:
        """What was begun in `_think_ahead` is the reply now."""
        ahead, self._ahead = self._ahead, None
        assert ahead is not None
        self._timeline = ahead.timeline
        self._start(number, lambda _: ahead.parts(), now, group, asked=ahead.asked, number_of_round=ahead.round)

    async def _consider(
        self, prompt: Sequence[Message], timeline: Timeline, asked: Asked
    ) -> AsyncGenerator[Part, None]:
        """Answer what may be the whole turn. The model that answers is first asked whether it is, if that is open."""
        if self._reader is self._llm:
            await self._judge(self._llm, prompt)
        language = self.voice.language
        scope = self._tools.offered(asked.scope)
        async with aclosing(think(self._llm, prompt, timeline, language, scope=scope)) as parts:
            async for part in parts:
                yield part

    async def _judge(self, reader: LanguageModel, prompt: Sequence[Message]) -> None:
        """Say whether what was said reads like a whole turn."""
        if self._line.undecided():
            complete = await reader.ends(prompt)
            if complete is not None:
                self._line.completed(complete)

    def _open_turn(self, at: float) -> None:
        self._turn_id = new_id("item")
        self._observer.turn_opened(self._turn_id, at)

    def _close_turn(self, text: str, at: float) -> None:
        self._line.sealed()
        if text and not self._turn_id:  # words that were too short to interrupt, before a typed turn
            self._open_turn(at)
        if self._turn_id:
            if text:
                self.history.add(Entry(self._turn_id, "user", text))
            self._observer.turn_closed(self._turn_id, text, at)
            self._turn_id = ""

    def _start(
        self,
        number: int,
        parts: Callable[[Timeline], AsyncGenerator[Part, None]],
        now: float | None,
        group: asyncio.TaskGroup,
        *,
        asked: Asked = USUAL,
        number_of_round: int = 0,
        phrase: Phrase | None = None,
    ) -> None:
        """Start a reply; without a time it is a draft, of which nobody is told and nothing is heard."""
        if self._prefill is not None:
            self._prefill.cancel()  # nothing is read ahead of the answer itself
        timeline, self._timeline = self._timeline, Timeline()
        self._captioned = ""
        reply = self._reply = Reply(
            number,
            new_id("item"),
            timeline,
            Work(self._tools, self._worked),
            asked=asked,
            ours=self._tools.names(asked.scope),
            round=number_of_round,
            draft=now is None,
            phrase=phrase,
        )
        writer = reply.writer = self.playout.open(lambda: self.post(ReplyAudible(number)), held=reply.draft)
        reply.task = group.create_task(self._speak(reply, parts(timeline), writer, group), name=f"reply {number}")
        if now is not None:
            self._announce(reply, now)

    def _announce(self, reply: Reply, now: float) -> None:
        reply.timeline.endpoint = reply.moved_at = now
        reply.after = self.history.newest
        self._metrics.turns.inc()
        self._observer.reply_started(reply.item_id, spoken=reply.asked.spoken)

    def _release(self, now: float) -> None:
        """The draft is the reply: tell what it has told so far, and let it be heard."""
        reply = self._reply
        assert reply is not None and reply.draft
        reply.draft = False
        self._metrics.drafts.labels("kept").inc()
        self._announce(reply, now)
        for piece in reply.told:
            if isinstance(piece, str):
                self._observer.told(reply.item_id, piece)
        self.playout.release()
        for piece in reply.told:
            if not isinstance(piece, str):
                self._call(reply, piece)
        if reply.written and not reply.goes_on:
            self._observer.written(reply.item_id, reply.made)
        reply.released.set()

    def _drop(self) -> None:
        self._metrics.drafts.labels("wasted").inc()
        self.playout.cut(0)
        assert self._reply is not None and self._reply.task is not None
        self._reply.task.cancel()
        known = self._reply.timeline
        self._timeline = Timeline(known.speech_end, known.pause, known.transcript, known.judged)
        self._reply = None

    async def _speak(
        self, reply: Reply, parts: AsyncGenerator[Part, None], writer: PlayoutWriter, group: asyncio.TaskGroup
    ) -> None:
        """The reply's task and its supervisor: a failure becomes an event that the caller hears about."""
        failure: str | None = None
        try:
            if reply.asked.spoken:
                await say(parts, self.voice, writer, reply.timeline, lambda piece: self._told(reply, piece))
            else:
                async with aclosing(parts):
                    async for part in parts:
                        self._told(reply, part.text if isinstance(part, Clause) else part)
            reply.written = True
            if not reply.draft and not reply.goes_on:
                self._observer.written(reply.item_id, reply.made)
            elif reply.draft and any(isinstance(piece, Call) for piece in reply.told):
                await reply.released.wait()  # there may be nothing to hear of it; and nothing is called before
            if reply.work.wanted:
                await self._use_tools(reply, writer, group)
        except PlayoutClosed:
            return
        except EngineError as error:
            log.error("reply failed reply=%d %s", reply.number, error)
            failure = str(error)
        except Exception as error:
            log.exception("reply failed reply=%d", reply.number)
            failure = repr(error)
        try:
            if not reply.draft or failure is None:
                await writer.drain()
        except PlayoutClosed:
            return
        if failure is not None:
            self.post(ReplyFailed(reply.number, failure))
        else:
            self.post(ReplyGoesOn(reply.number) if reply.goes_on else ReplyDone(reply.number))

    async def _use_tools(self, reply: Reply, writer: PlayoutWriter, group: asyncio.TaskGroup) -> None:
        """Run what the reply has called. Speech that is meant stops it, as it stops a voice.

        :raises EngineError: if the model calls again and again.
        """
        if reply.round >= self._tools.settings.rounds:
            raise EngineError(
                "llm", "reply", f"it has called tools {reply.round} times, and calls again; see tools.rounds"
            )
        self.post(ReplyWorks(reply.number))
        reply.working = True
        running = group.create_task(reply.work.run(), name=f"tools of reply {reply.number}")
        try:
            await asyncio.wait({running}, timeout=self._manners.filler_s)
            if not running.done() and reply.goes_on and not reply.text.strip():
                await self._fill(reply, writer)
            await asyncio.wait({running})
        finally:
            running.cancel()
            reply.working = False
        if reply.goes_on:
            self._think_ahead(reply, group)
            self._observer.written(reply.item_id, reply.made)

    async def _fill(self, reply: Reply, writer: PlayoutWriter) -> None:
        """A word while a tool takes its time."""
        text = self._manners.phrases[Phrase.FILLER]
        if not (text and reply.asked.spoken):
            return
        reply.filled = True
        tell = partial(self._told, reply)
        try:
            await say(canned(text, self.voice.language), self.voice, writer, reply.timeline, tell)
        except EngineError as error:
            log.warning("a filler could not be said: %s", error)

    def _worked(self, call: Call, result: Result) -> None:
        """A tool of the server's has answered, or will not any more."""
        self._metrics.tools.labels(result.fate).inc()
        entry = Entry(new_id("item"), "tool", result.text, call_id=call.id)
        self.history.add(entry)
        if self._tools.settings.shown:
            self._observer.worked(entry.id, call, result.text)

    def _told(self, reply: Reply, piece: str | CallDelta | Call | Ending) -> None:
        if isinstance(piece, Ending):
            reply.ending = piece if not reply.filled else reply.ending
            return
        reply.told.append(piece)
        if reply.draft:
            return
        if isinstance(piece, str):
            self._observer.told(reply.item_id, piece)
        else:
            self._call(reply, piece)

    def _call(self, reply: Reply, piece: CallDelta | Call) -> None:
        """Tell of a call, and remember it when it is whole: its result may come before the reply is played."""
        ours = piece.name in reply.ours
        if isinstance(piece, CallDelta):
            if not ours:
                self._observer.calling(reply.calls.setdefault(piece.id, new_id("item")), piece)
            return
        item_id = new_id("item") if ours else reply.calls.setdefault(piece.id, new_id("item"))
        if reply.text.strip() and self.history.find(reply.item_id) is None:
            self.history.add(Entry(reply.item_id, "assistant", reply.text.strip()))
        self.history.add(Entry(item_id, "assistant", "", call=piece))
        if not ours:
            self._observer.called(item_id, piece)
            return
        reply.work.add(piece)
        if self._tools.settings.shown:
            self._observer.working(item_id, piece)

    def _cut(self, action: Cut, now: float) -> None:
        """Silence first, cancel second, account third."""
        heard = self.playout.cut(self._delay_samples())
        self._line.flush()
        if self._reply is None:
            return
        if self.playout.plays_on and self._reply.written and not action.by_speech:
            heard = Heard(self._reply.text.strip(), heard.samples, complete=True)
        if self._reply.task is not None:
            self._reply.task.cancel()  # not awaited: a stuck engine must not deafen us
        self._reply.timeline.cut = now
        self._metrics.cuts.inc()
        if action.by_speech and self._reply.timeline.audible is not None:
            self._metrics.overlaps.labels("cut").inc()
        self._end_reply(heard, now, cut_by_speech=action.by_speech)

    def _give_up(self, reply: Reply, now: float) -> None:
        """An engine hangs: nothing of the reply will come any more."""
        self._metrics.stalls.labels("stuck").inc()
        self._metrics.failures.inc()
        heard = self.playout.cut(self._delay_samples())
        if reply.task is not None:
            reply.task.cancel()
        message = f"no progress for {self._manners.stuck_s:g} s"
        log.error("reply stuck reply=%d %s", reply.number, message)
        self._end_reply(heard, now, failure=message)
        self.post(ReplyFailed(reply.number, message))

    def _remembered(self, reply: Reply) -> bool:
        """What was heard of it enters the history."""
        return (reply.phrase is None or reply.phrase in REMEMBERED) and not self.history.deleted(reply.item_id)

    def _end_reply(
        self,
        heard: Heard,
        now: float,
        *,
        cut_by_speech: bool | None = None,
        failure: str | None = None,
        goes_on: bool = False,
    ) -> None:
        reply = self._reply
        assert reply is not None
        self._reply = None
        reply.work.abandon()
        if self._ahead is not None and not goes_on:
            self._ahead.cancel()
            self._ahead = None
        if not reply.asked.spoken:
            heard = Heard(reply.text.strip(), 0, complete=cut_by_speech is None)
        heard = reply.truncated or heard
        if reply.writer is not None:
            self._spoken[reply.item_id] = reply.writer
            while len(self._spoken) > TRUNCATABLE:
                del self._spoken[next(iter(self._spoken))]
        self._captioned = heard.text
        complete = heard.complete and failure is None
        if self.history.find(reply.item_id) is not None:
            self.history.replace(reply.item_id, heard.text, complete=complete)
        elif heard.text and not reply.filled and self._remembered(reply):
            entry = Entry(reply.item_id, "assistant", heard.text, complete=complete)
            self.history.add(entry, self.history.standing(reply.after))
        if reply.timeline.cut is None:
            reply.timeline.done = now
        self._metrics.observe(reply.timeline)
        stages = " ".join(f"{name}_ms={ms}" for name, ms in reply.timeline.since_speech_end().items())
        log.info("turn reply=%d heard_all=%s failed=%s %s", reply.number, heard.complete, failure is not None, stages)
        self._observer.reply_ended(
            reply.item_id,
            heard,
            cut_by_speech=cut_by_speech,
            failure=failure,
            timeline=reply.timeline,
            made=reply.made,
        )
        respond, self._respond = self._respond, None
        if respond is not None and cut_by_speech is None and failure is None:
            self.post(respond)

    def _heard(self) -> Heard:
        return self.playout.heard(self._delay_samples())

    def _delay_samples(self) -> int:
        return round(self._line.delay_s() * WIRE_RATE)
