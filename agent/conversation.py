"""The actor: takes what happens, asks the machine, does what it says. The one place that starts and cuts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from agent.asked import USUAL, Asked
from agent.audio import WIRE_RATE
from agent.company import Company
from agent.engines.protocols import LanguageModel, Message
from agent.events import (
    Action,
    CloseTurn,
    Cut,
    Deadline,
    Discard,
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
    Respond,
    Resume,
    SayPhrase,
    SpeechEnded,
    StartDraft,
    StartReply,
    TimeOut,
    Transcript,
)
from agent.floor import Floor
from agent.history import Entry, History, new_id
from agent.machine import Machine, Phase
from agent.metrics import Metrics, Timeline
from agent.observer import Observer
from agent.overlap import is_echo
from agent.reply import Manners, Reply, Stage
from agent.speaking.pipeline import Part, canned, think
from agent.speaking.playout import Heard, Playout, PlayoutWriter
from agent.speaking.voice import Voice
from agent.tools.toolbox import Toolbox
from agent.tools.work import Ahead
from agent.turns import Turns

log = logging.getLogger(__name__)

INBOX = 256
"""Events that may wait. More than a few means that the loop is stuck, so more than this is a bug."""
STARVED_TICKS = 25
"""An audible reply that has had nothing to play for 0.5 s is not speaking any more."""
TRUNCATABLE = 8
"""Answers of which a client may still say how much it has played."""
UNASKED = frozenset({Phrase.GREETING, Phrase.REPROMPT, Phrase.NOTICE})
"""phrases that answer nobody: what somebody has said just before waits for its own answer"""
ECHO_CHARS = 160
"""of what was played last, in which our own echo is looked for: some 10 s of speech"""


@dataclass(frozen=True, slots=True)
class Line:
    """What a conversation needs of the transport and the listener below it."""

    flush: Callable[[], None]
    """throw away what the transport still holds of the agent's speech"""
    sealed: Callable[[str], None]
    """this speaker's turn is over: what is said from now on is a new utterance"""
    undecided: Callable[[], bool]
    """whether it is open if the pause is the end of the turn, and the words may tell"""
    completed: Callable[[float], None]
    """the probability that what was said in this pause's turn is a complete message"""
    delay_s: Callable[[], float]
    """s from playout to the ear, estimated"""


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
        company: Company | None = None,
    ) -> None:
        self.company = company or Company()
        """who is there"""
        self.history = history
        self.playout = playout
        self.machine = machine
        machine.addressed, machine.unnamed = self.company.addressed, self.company.without_name
        machine.called = self.company.called
        self._floor = Floor(machine, self.company.may_interrupt, lambda: self.company.answered)
        self.voice = voice
        self._llm = llm
        self._reader = reader
        self._manners = manners
        self._line = line
        self._observer = observer
        self._metrics = metrics
        self._tools = tools or Toolbox()
        self._stage = Stage(self.post, history, observer, metrics, manners, self._tools)
        self._inbox: asyncio.Queue[Event] = asyncio.Queue(INBOX)
        self._reply: Reply | None = None
        self._ahead: Ahead | None = None  # the rest of a reply whose tools have answered
        self._phase = Phase.IDLE  # as it was told
        self._turns = Turns(history, observer, self.company, line.sealed)
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

    def leave(self, speaker: str) -> None:
        """This person is gone; what is known of what they were saying is all of it."""
        machine = self._floor.hears(speaker)
        if machine is not None and self._turns.item(speaker):
            self._turns.close(speaker, machine.text, machine.ended_at)
        if self.machine.floor == speaker:
            self.post(Discard())
        self._floor.leave(speaker)
        self.company.leave(speaker)

    def post(self, event: Event) -> None:
        """Hand in an event; never waits."""
        self._inbox.put_nowait(event)

    @property
    def replying(self) -> bool:
        """A reply is in progress, audible or not."""
        return self._reply is not None and not self._reply.draft

    def mention(self, text: str) -> None:
        """Something happened that is worth knowing; nobody answers it."""
        self.history.add(Entry(new_id("item"), "user", text))

    def write(self, speaker: str, entry: Entry) -> None:
        """Somebody has written a line to all; it is answered when there is time, if it is for the agent."""
        self._turns.write(speaker, entry)
        self._pay()

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
                    async with asyncio.timeout_at(self._floor.deadline):
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
        still_s = reply.still_s(self.playout.position, now, excused=self.machine.phase is Phase.YIELDING)
        if still_s >= self._manners.stuck_s:
            self._give_up(reply, now)
        elif self.machine.phase is Phase.SPEAKING and self.playout.starved >= STARVED_TICKS:
            self._metrics.stalls.labels("starved").inc()
            self.playout.call_when_audible(lambda: self.post(ReplyAudible(reply.number)))
            self.post(ReplyStarved(reply.number))

    def _take(self, event: Event, now: float, group: asyncio.TaskGroup) -> None:
        event = self._without_echo(event)
        for machine in self._floor.due(now) if isinstance(event, Deadline) else [self._floor.takes(event)]:
            if machine is self.machine:
                self._note(event, now)
                for action in machine.handle(event, now):
                    self._perform(action, now, group)
            else:
                if isinstance(event, HearingFailed):
                    self._observer.hearing_failed(self._turns.item(event.speaker), event.message)
                for action in machine.handle(event, now):
                    if self._turns.hear_beside(action) and self.replying:
                        self.post(Interrupt())
            if isinstance(event, Partial | Transcript) and machine.phase in (Phase.HEARING, Phase.PAUSED):
                self._observer.hears(self._turns.item(event.speaker), machine.text)
        self._tell_phase()
        if isinstance(event, Partial) and self.machine.phase is Phase.HEARING:
            self._read_along(self.machine.text, group)
        if isinstance(event, ReplyDone) and self.machine.phase is Phase.IDLE:
            self._read_along("", group)  # a history that has just been cut is read anew before anybody waits for it
        self._pay()

    def _pay(self) -> None:
        """Answer what was said to the agent while it heard or answered somebody else."""
        if self._turns.owed and self.machine.phase is Phase.IDLE:
            self._turns.pay()
            self.post(Respond())

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
            prompt = self.history.prompt(said, name=self.company.name(self.machine.speaker))
            self._prefill = group.create_task(self._read(prompt), name="prefill")

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
                self._observer.hearing_failed(self._turns.item(event.speaker), event.message)
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
                self._turns.open(action.speaker, action.at)
                self._read_along("", group)
            case CloseTurn():
                self._turns.close(action.speaker, action.text, action.at)
            case ForgetTurn():
                self._turns.forget(self.machine.speaker)
            case TimeOut():
                self._observer.timed_out(new_id("item"))
            case StartReply():
                self._answer(action.reply, now, group, self._manners.phrases[Phrase.CUT_IN] if action.cut_in else "")
            case GoOn():
                self._go_on(action.reply, now, group)
            case StartDraft():
                prompt = self.history.prompt(action.text, name=self.company.name(self.machine.speaker))
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
        self._turns.owed = ""
        if self.history.newest != self._turns.spoken:
            self._timeline = Timeline()  # it answers what was written, or a tool's result
        prompt = self.history.prompt(instructions=asked.instructions)
        self._start(number, lambda timeline: self._think(prompt, timeline, asked, preface), now, group, asked=asked)

    def _think(
        self,
        prompt: Sequence[Message],
        timeline: Timeline,
        asked: Asked,
        preface: str = "",
        *,
        last: bool = False,
    ) -> AsyncGenerator[Part, None]:
        """The answer as it was asked for.

        :param last: of the rounds with tools.
        """
        language = self.voice.language if asked.spoken else None
        scope = self._tools.offered(asked.scope, last=last)
        return think(self._llm, prompt, timeline, language, preface, scope, self.company.everybody)

    def _think_ahead(self, reply: Reply, group: asyncio.TaskGroup) -> None:
        """Begin with the rest of a reply whose tools have answered, while its beginning may still be heard."""
        if self._prefill is not None:
            self._prefill.cancel()
        number = reply.round + 1
        asked = reply.asked
        if asked.scope.choice != "none":  # who must call has called
            asked = replace(asked, scope=replace(asked.scope, choice="auto", only=""))
        known = reply.timeline if not reply.text else Timeline()  # until something is heard, the person waits
        timeline = Timeline(known.speech_end, known.pause, known.transcript, known.judged)
        prompt = self.history.prompt(instructions=asked.instructions)
        parts = self._think(prompt, timeline, asked, last=number >= self._tools.settings.rounds)
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
        async with aclosing(self._think(prompt, timeline, asked)) as parts:
            async for part in parts:
                yield part

    async def _judge(self, reader: LanguageModel, prompt: Sequence[Message]) -> None:
        """Say whether what was said reads like a whole turn."""
        if self._line.undecided():
            complete = await reader.ends(prompt)
            if complete is not None:
                self._line.completed(complete)

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
        if phrase in UNASKED:
            timeline = Timeline()
        else:
            timeline, self._timeline = self._timeline, Timeline()
        self._captioned = ""
        writer = self.playout.open(lambda: self.post(ReplyAudible(number)), held=now is None)
        reply = self._reply = Reply(
            self._stage, number, timeline, writer, asked, number_of_round, phrase, draft=now is None
        )
        speaking = reply.speak(parts(timeline), self.voice, group, lambda: self._think_ahead(reply, group))
        reply.task = group.create_task(speaking, name=f"reply {number}")
        if now is not None:
            self.company.answers(self._turns.last)
            reply.announce(now)

    def _release(self, now: float) -> None:
        """The draft is the reply: it tells what it has told so far, and may be heard."""
        assert self._reply is not None and self._reply.draft
        self._metrics.drafts.labels("kept").inc()
        self.company.answers(self._turns.last)
        self._reply.announce(now)
        self._reply.release(self.playout.release)

    def _drop(self) -> None:
        self._metrics.drafts.labels("wasted").inc()
        self.playout.cut(0)
        assert self._reply is not None and self._reply.task is not None
        self._reply.task.cancel()
        known = self._reply.timeline
        self._timeline = Timeline(known.speech_end, known.pause, known.transcript, known.judged)
        self._reply = None

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
        if self._ahead is not None and not goes_on:
            self._ahead.cancel()
            self._ahead = None
        self._spoken[reply.item_id] = reply.writer
        while len(self._spoken) > TRUNCATABLE:
            del self._spoken[next(iter(self._spoken))]
        self.company.done()
        self._captioned = reply.end(heard, now, cut_by_speech=cut_by_speech, failure=failure).text
        respond, self._respond = self._respond, None
        if respond is not None and cut_by_speech is None and failure is None:
            self.post(respond)

    def _heard(self) -> Heard:
        return self.playout.heard(self._delay_samples())

    def _delay_samples(self) -> int:
        return round(self._line.delay_s() * WIRE_RATE)
