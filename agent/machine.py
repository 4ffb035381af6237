"""Who may speak now: everything that affects turn-taking lives in this file.

A pure state machine: events in, actions out; no await, no clock, no sound. `TABLE` is the whole of it. Each
row says: in this phase, when this happens, and this holds, go to that phase and do these things. What happens
without any effect has a row that says so; a pair without a row is a bug and raises. The picture in DESIGN.md is
drawn from the table, so it can not lie. What the rows ask, and the books behind the answers, are `agent.ledger`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from agent.events import (
    Action,
    CloseTurn,
    Commit,
    Cut,
    Deadline,
    Discard,
    DropDraft,
    Duck,
    EndOfTurn,
    Event,
    ForgetTurn,
    GoOn,
    Greet,
    HearingFailed,
    Hold,
    Interrupt,
    Interruption,
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
    SpeechStarted,
    StartDraft,
    StartReply,
    TimeOut,
    Transcript,
)
from agent.ledger import LATE_S, Ledger, Patience


class Phase(Enum):
    """Who has the floor."""

    IDLE = "idle"
    """nobody"""
    HEARING = "hearing"
    """the person, speaking"""
    PAUSED = "paused"
    """the person, in a pause that may be the end"""
    THINKING = "thinking"
    """the agent, not audible"""
    SPEAKING = "speaking"
    """the agent, audible or at work with a tool"""
    YIELDING = "yielding"
    """the agent, softer or holding back: somebody may be interrupting"""


OF_A_REPLY = ReplyAudible | ReplyStarved | ReplyWorks | ReplyGoesOn | ReplyDone | ReplyFailed


class Machine(Ledger):
    """One agent voice's turn-taking.

    The caller hands in each event with the time (`loop.time()`), performs the actions in order, and calls
    `handle(Deadline(), now)` when ``deadline`` is reached.

    :param interruption: what speech may do to an answer.
    :param greeting: what it may do to the greeting.
    """

    def __init__(
        self,
        patience: Patience,
        *,
        interruption: Interruption = Interruption.CUT,
        greeting: Interruption = Interruption.CUT,
    ) -> None:
        super().__init__(patience)
        self.phase = Phase.IDLE
        self.interruption = interruption
        self.greeting = greeting

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event; return what to do, in order."""
        if isinstance(event, OF_A_REPLY) and event.reply != self.reply:
            return []  # an old reply's last words; it was cut, and nothing of it reaches the new turn
        self.now = now
        self.note(event)
        for row in TABLE[self.phase, type(event)]:
            if row.when is None or row.when(self):
                self.phase = row.to
                if not row.keeps_deadline:
                    self.deadline = None
                return [action for step in row.do for action in step(self, event)]
        raise AssertionError(f"no row of the table holds for {type(event).__name__} in {self.phase}")

    # -- what rows do: the person's turn ---------------------------------------------------------------------

    def open(self, event: Event) -> list[Action]:
        """Give the person the floor."""
        self._opened_at = self.now
        self.listen(event)
        return [OpenTurn(self._speaker, self._started_at)]

    def listen(self, _: Event) -> list[Action]:
        """The person speaks; but not for ever."""
        if self.patience.most_turn_s and not self.patience.manual:
            self.deadline = self._opened_at + self.patience.most_turn_s
        return []

    def listen_on(self, event: Event) -> list[Action]:
        """There are no words in it that could be answered: listen as long again."""
        self._opened_at = self.now
        return self.listen(event)

    def wait_for_end(self, _: Event) -> list[Action]:
        """Set the deadline at which the pause is the end of the turn, as it was judged so far."""
        if self._due:  # the end was asked for while the person spoke; only the transcript is missing
            return []
        if not self.patience.manual:
            judged_s = None if self.called(self.text) else self._wait_s
            wait_s = self.patience.endpoint_s if judged_s is None else judged_s
            self.deadline = max(self.now, self._paused_at + wait_s)
        return []

    def wait_for_text(self, _: Event) -> list[Action]:
        """The pause was the end; the transcript decides what it was the end of."""
        self._due = True
        return []

    def ask(self, _: Event) -> list[Action]:
        """Whatever the words are, they are to be answered."""
        self._asked = True
        return []

    def wait_for_words(self, _: Event) -> list[Action]:
        """A client has ended the turn; only its words are missing, and nobody has asked for an answer."""
        self._committing = True
        return []

    def go_on(self, _: Event) -> list[Action]:
        """The pause was not the end."""
        self._due = self._committing = self._asked = False
        return []

    def discard(self, _: Event) -> list[Action]:
        """What was said since the last turn was never said."""
        self._words = {}
        self._unheard.clear()
        self._forgotten = self._utterance
        self._due = self._committing = self._asked = self._interrupted = False
        return [ForgetTurn()]

    def close(self, _: Event) -> list[Action]:
        """Take what was said as the person's turn."""
        self._closed, self._words = self.text, {}
        self._unheard.clear()
        self._due = self._committing = self._asked = self._interrupted = False
        if self._closed:
            self._reprompts = 0
        return [CloseTurn(self._speaker, self._closed, self._ended_at)]

    def commit(self, event: Event) -> list[Action]:
        """Take what was said as the person's turn, whoever has the floor."""
        return [OpenTurn(self._speaker, self._started_at), *self.close(event)]

    def ignore(self, _: Event) -> list[Action]:
        """What was said over the agent's voice is no part of the next turn."""
        self._words.pop(self._utterance, None)
        return []

    # -- what rows do: the agent's answer --------------------------------------------------------------------

    def answer(self, event: Event) -> list[Action]:
        """Start a reply, or let go of the one that was drafted for just this turn."""
        self._unanswered = False
        self._reprompts = 0
        fresh, self._fresh = self._fresh, False
        if self._draft == self._closed and not fresh:
            self._draft = None
            self._begin(self.interruption)
            return [ReleaseDraft(self.reply)]
        dropped = self.drop(event)
        self._begin(self.interruption, new=True)
        return [*dropped, StartReply(self.reply)]

    def go_on_answering(self, _: Event) -> list[Action]:
        """The rest of the reply, which speech may stop as it may stop what came before."""
        self._unanswered = False
        self._begin(self._policy, new=True)
        return [GoOn(self.reply)]

    def draft(self, _: Event) -> list[Action]:
        """Begin to answer what may be the whole turn, if all of it is known."""
        if not self.worth_a_draft():
            return []
        self.reply += 1
        self._draft = self.text
        return [StartDraft(self.reply, self._draft)]

    def drop(self, _: Event) -> list[Action]:
        """The draft, if there is one, answers what is not the whole turn."""
        if self._draft is None:
            return []
        self._draft = None
        self.reply += 1
        return [DropDraft()]

    def greet(self, event: Event) -> list[Action]:
        """Speak first."""
        if isinstance(event, Greet) and event.notice:
            return self._say(Phrase.NOTICE, Interruption.KEEP)
        return self._say(Phrase.GREETING, self.greeting)

    def reprompt(self, _: Event) -> list[Action]:
        """Ask whether anybody is there."""
        self._reprompts += 1
        return self._say(Phrase.REPROMPT, Interruption.CUT)

    def time_out(self, event: Event) -> list[Action]:
        """The same, after the silence itself was made a turn."""
        return [TimeOut(), *self.reprompt(event)]

    def apologise(self, _: Event) -> list[Action]:
        """Say that something failed."""
        self._unanswered = False
        return self._say(Phrase.APOLOGY, Interruption.CUT)

    def cut_in(self, _: Event) -> list[Action]:
        """Answer somebody who has not paused; their going on does not stop that."""
        self._unanswered = False
        self._begin(Interruption.KEEP, new=True)
        return [StartReply(self.reply, cut_in=True)]

    def idle(self, _: Event) -> list[Action]:
        """Nobody speaks; ask after a while, if that is wanted."""
        wait_s = self.patience.timeout_s or self.patience.reprompt_s
        if wait_s:
            self.deadline = self.now + wait_s
        return []

    def _say(self, phrase: Phrase, policy: Interruption) -> list[Action]:
        self._begin(policy, new=True)
        self._phrase = phrase
        return [SayPhrase(self.reply, phrase)]

    def _begin(self, policy: Interruption, *, new: bool = False) -> None:
        self.reply += new
        self._policy = policy
        self._audible = self._held = False
        self._phrase = self._yielded = None

    # -- what rows do: speech over the agent's ---------------------------------------------------------------

    def duck(self, _: Event) -> list[Action]:
        """Speak softly until it is clear what the voice wants. Going on after a gap is not beginning again."""
        if self._yielded is None or self._yielded[0] != self._utterance:
            self._yielded = (self._utterance, self.now)
        self.deadline = max(self.now, self._yielded[1] + self.patience.yield_s)
        return [Duck()]

    def hold(self, _: Event) -> list[Action]:
        """Fall silent, without giving up the place."""
        self._held = True
        self.deadline = self.now + (self.patience.insist_s if self._audible else self.patience.thinking_s)
        return [Hold()]

    def await_verdict(self, _: Event) -> list[Action]:
        """The sound is over; its words decide."""
        self.deadline = self.now + self.patience.verdict_s
        return []

    def await_look(self, _: Event) -> list[Action]:
        """It is still silent; a recogniser that is late may yet find words."""
        self.deadline = self.now + LATE_S
        return []

    def resume(self, _: Event) -> list[Action]:
        """It was no interruption."""
        self._held = False
        return [Resume()]

    def cut(self, event: Event) -> list[Action]:
        """Stop the reply; its number is no longer the newest, so nothing of it counts any more. If it was not heard
        yet, and nothing is said now, it is given again."""
        by_speech = not isinstance(event, Interrupt | Respond)
        self.reply += 1
        self._held = False
        if self._audible:
            self._interrupted = by_speech
        else:
            self._unanswered = by_speech and self._phrase is None
        return [Cut(by_speech=by_speech)]


Step = Callable[[Machine, Event], list[Action]]


@dataclass(frozen=True, slots=True)
class Row:
    """One rule of turn-taking."""

    to: Phase
    do: tuple[Step, ...] = ()
    when: Callable[[Machine], bool] | None = None
    keeps_deadline: bool = False


def go(to: Phase, *do: Step, when: Callable[[Machine], bool] | None = None) -> Row:
    """A row that decides; the deadline is over unless a step sets a new one."""
    return Row(to, do, when)


def note(phase: Phase, *do: Step, when: Callable[[Machine], bool] | None = None) -> Row:
    """A row that does something, and decides nothing: the deadline stays."""
    return Row(phase, do, when, keeps_deadline=True)


def stay(phase: Phase) -> tuple[Row, ...]:
    """A row that says: nothing changes."""
    return (note(phase),)


I, H, P, T, S, Y = Phase  # noqa: E741 - the table is read by its columns
M = Machine

OVER = (  # a reply has ended, or there was nothing to say
    go(H, M.open, when=M.spoken_over),
    go(P, M.open, M.wait_for_end, M.draft, when=M.said_meanwhile),
    go(I, M.idle),
)
FAILED = (go(I, M.idle, when=M.apologising), go(T, M.apologise))

TABLE: dict[tuple[Phase, type[Event]], tuple[Row, ...]] = {
    (I, SpeechStarted): (go(H, M.open),),
    (I, SpeechEnded): stay(I),
    (I, EndOfTurn): stay(I),
    (I, Partial): stay(I),
    (I, Transcript): (  # of words at the very end of a reply
        note(I, M.commit, when=M.committed),
        go(P, M.open, M.wait_for_end, M.draft, when=M.interrupts),
        note(I, M.ignore, when=M.interruptible),
        *stay(I),
    ),
    (I, HearingFailed): (note(I, M.commit, when=M.committed), *stay(I)),
    (I, Greet): (go(T, M.greet),),
    (I, Respond): (go(T, M.close, M.answer),),
    (I, Commit): (note(I, M.wait_for_words, when=M.unheard), note(I, M.commit)),
    (I, Discard): (note(I, M.discard),),
    (I, Interrupt): stay(I),
    (I, ReplyAudible): stay(I),
    (I, ReplyStarved): stay(I),
    (I, ReplyWorks): stay(I),
    (I, ReplyGoesOn): stay(I),
    (I, ReplyDone): stay(I),
    (I, ReplyFailed): stay(I),
    (I, Deadline): (go(T, M.time_out, when=M.timed_out), go(T, M.reprompt, when=M.line_is_dead), go(I)),
    #
    (H, SpeechStarted): stay(H),
    (H, SpeechEnded): (go(P, M.wait_for_end),),
    (H, EndOfTurn): stay(H),
    (H, Partial): stay(H),
    (H, Transcript): stay(H),
    (H, HearingFailed): stay(H),
    (H, Greet): stay(H),
    (H, Respond): (go(T, M.close, M.answer),),
    (H, Commit): (go(H, M.wait_for_words, when=M.unasked), go(H, M.wait_for_text)),
    (H, Discard): (go(I, M.discard, M.idle),),
    (H, Interrupt): stay(H),
    (H, ReplyAudible): stay(H),
    (H, ReplyStarved): stay(H),
    (H, ReplyWorks): stay(H),
    (H, ReplyGoesOn): stay(H),
    (H, ReplyDone): stay(H),
    (H, ReplyFailed): stay(H),
    (H, Deadline): (go(T, M.close, M.cut_in, when=M.something), go(H, M.listen_on)),
    #
    (P, SpeechStarted): (go(H, M.drop, M.go_on, M.listen),),
    (P, SpeechEnded): (go(P, M.wait_for_end),),
    (P, EndOfTurn): (go(P, M.wait_for_end),),
    (P, Partial): stay(P),
    (P, Transcript): (
        go(I, M.drop, M.close, M.idle, when=M.committed),
        go(I, M.close, M.idle, when=M.due_stop),
        go(I, M.drop, M.close, M.idle, when=M.due_overheard),
        go(T, M.close, M.answer, when=M.due_words),
        go(T, M.close, M.answer, when=M.due_unanswered),
        go(I, M.close, M.idle, when=M.due_nothing),
        go(P, M.wait_for_end, M.draft),  # words that come late are judged, too, before they are answered
    ),
    (P, HearingFailed): (
        go(I, M.drop, M.close, M.idle, when=M.committed),
        note(P, when=M.button_down),
        go(I, M.drop, M.close, M.idle, when=M.unanswering),
        go(T, M.drop, M.close, M.apologise),
    ),
    (P, Greet): stay(P),
    (P, Respond): (go(P, M.wait_for_text, M.ask, when=M.unheard), go(T, M.close, M.answer)),
    (P, Commit): (
        go(P, M.wait_for_words, when=M.uncommitted),
        go(P, M.wait_for_text, when=M.unheard),
        go(I, M.drop, M.close, M.idle, when=M.unasked),
        go(T, M.close, M.answer, when=M.words),
        go(I, M.drop, M.close, M.idle),
    ),
    (P, Discard): (go(I, M.drop, M.discard, M.idle),),
    (P, Interrupt): stay(P),
    (P, ReplyAudible): stay(P),
    (P, ReplyStarved): stay(P),
    (P, ReplyWorks): stay(P),
    (P, ReplyGoesOn): stay(P),
    (P, ReplyDone): (note(P, M.drop),),  # a draft with nothing to say
    (P, ReplyFailed): (note(P, M.drop),),  # a draft that failed; the answer tries again
    (P, Deadline): (
        go(P, when=M.unheard),
        go(I, M.close, M.idle, when=M.only_stop),
        go(I, M.drop, M.close, M.idle, when=M.unasked),
        go(T, M.close, M.answer, when=M.words),
        go(T, M.close, M.answer, when=M.unanswered),
        go(I, M.close, M.idle),
    ),
    #
    (T, SpeechStarted): (
        go(H, M.cut, M.open, when=M.at_once),  # the same turn goes on
        go(Y, M.hold, when=M.spoken_into),
        *stay(T),
    ),
    (T, SpeechEnded): stay(T),
    (T, EndOfTurn): stay(T),
    (T, Partial): stay(T),
    (T, Transcript): (
        note(T, M.commit, when=M.committed),
        go(P, M.cut, M.open, M.wait_for_end, M.draft, when=M.interrupts),
        note(T, M.ignore, when=M.interruptible),
        *stay(T),
    ),
    (T, HearingFailed): (note(T, M.commit, when=M.committed), *stay(T)),
    (T, Greet): stay(T),
    (T, Respond): (go(T, M.cut, M.close, M.answer),),
    (T, Commit): (note(T, M.wait_for_words, when=M.unheard), note(T, M.commit)),
    (T, Discard): (note(T, M.discard),),
    (T, Interrupt): (go(I, M.cut, M.idle),),
    (T, ReplyAudible): (go(Y, M.duck, when=M.spoken_into), go(S)),
    (T, ReplyStarved): stay(T),
    (T, ReplyWorks): (go(Y, M.duck, when=M.spoken_into), go(S)),
    (T, ReplyGoesOn): (go(T, M.go_on_answering),),
    (T, ReplyDone): OVER,
    (T, ReplyFailed): FAILED,
    (T, Deadline): stay(T),
    #
    (S, SpeechStarted): (go(Y, M.duck, when=M.interruptible), *stay(S)),
    (S, SpeechEnded): stay(S),
    (S, EndOfTurn): stay(S),
    (S, Partial): (go(H, M.cut, M.open, when=M.interrupts_still), *stay(S)),
    (S, Transcript): (
        note(S, M.commit, when=M.committed),
        go(P, M.cut, M.open, M.wait_for_end, M.draft, when=M.interrupts),
        note(S, M.ignore, when=M.interruptible),
        *stay(S),
    ),
    (S, HearingFailed): (note(S, M.commit, when=M.committed), *stay(S)),
    (S, Greet): stay(S),
    (S, Respond): (go(T, M.cut, M.close, M.answer),),
    (S, Commit): (note(S, M.wait_for_words, when=M.unheard), note(S, M.commit)),
    (S, Discard): (note(S, M.discard),),
    (S, Interrupt): (go(I, M.cut, M.idle),),
    (S, ReplyAudible): stay(S),
    (S, ReplyStarved): (go(T),),
    (S, ReplyWorks): stay(S),
    (S, ReplyGoesOn): (go(T, M.go_on_answering),),
    (S, ReplyDone): OVER,
    (S, ReplyFailed): FAILED,
    (S, Deadline): stay(S),
    #
    (Y, SpeechStarted): stay(Y),
    (Y, SpeechEnded): (
        go(T, M.resume, when=M.not_heard_yet),
        go(Y, M.await_verdict, when=M.silent),
        go(S, M.resume),  # a click; if it was a word, its transcript still cuts
    ),
    (Y, EndOfTurn): stay(Y),
    (Y, Partial): (go(H, M.cut, M.open, when=M.interrupts_still), *stay(Y)),
    (Y, Transcript): (
        note(Y, M.commit, when=M.committed),
        go(P, M.cut, M.open, M.wait_for_end, M.draft, when=M.interrupts),
        go(S, M.ignore, M.resume, when=M.meant_nothing),  # a cough, a "mhm", our own echo
        *stay(Y),
    ),
    (Y, HearingFailed): (note(Y, M.commit, when=M.committed), go(S, M.resume, when=M.meant_nothing), *stay(Y)),
    (Y, Greet): stay(Y),
    (Y, Respond): (go(T, M.cut, M.close, M.answer),),
    (Y, Commit): (note(Y, M.wait_for_words, when=M.unheard), note(Y, M.commit)),
    (Y, Discard): (note(Y, M.discard),),
    (Y, Interrupt): (go(H, M.cut, M.open, when=M.spoken_over), go(I, M.cut, M.idle)),
    (Y, ReplyAudible): stay(Y),
    (Y, ReplyStarved): stay(Y),
    (Y, ReplyWorks): stay(Y),
    (Y, ReplyGoesOn): (
        go(Y, M.go_on_answering, M.hold, when=M.spoken_over),  # it is not audible yet: as when an answer is prepared
        go(T, M.go_on_answering),
    ),
    (Y, ReplyDone): (go(H, M.open, when=M.spoken_over), go(I, M.idle)),
    (Y, ReplyFailed): (go(H, M.open, when=M.spoken_over), *FAILED),  # the person has the floor: no apology
    (Y, Deadline): (
        go(S, M.resume, when=M.inconclusive),
        go(Y, M.hold, when=M.ducked),
        go(Y, M.await_look, when=M.looked_too_soon),
        go(S, M.resume, when=M.wordless),  # music; words that come later still cut
        go(H, M.cut, M.open),
    ),
}
