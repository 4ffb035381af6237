"""Who may speak now: everything that affects turn-taking lives in this file.

A pure state machine: events in, actions out; no await, no clock, no sound. `TABLE` is the whole of it. Each
row says: in this phase, when this happens, and this holds, go to that phase and do these things. What happens
without any effect has a row that says so; a pair without a row is a bug and raises. The picture in DESIGN.md is
drawn from the table, so it can not lie.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from agent.events import (
    Action,
    Apologise,
    CloseTurn,
    Cut,
    Deadline,
    DropDraft,
    Duck,
    Event,
    HearingFailed,
    Interrupt,
    OpenTurn,
    ReleaseDraft,
    ReplyAudible,
    ReplyDone,
    ReplyFailed,
    Respond,
    SpeechEnded,
    SpeechStarted,
    StartDraft,
    StartReply,
    Transcript,
    Unduck,
)


class Phase(Enum):
    """Who has the floor."""

    IDLE = "idle"
    """nobody"""
    HEARING = "hearing"
    """the person, speaking"""
    PAUSED = "paused"
    """the person, in a pause that may be the end"""
    THINKING = "thinking"
    """the agent, not audible yet"""
    SPEAKING = "speaking"
    """the agent"""
    YIELDING = "yielding"
    """the agent, ducked: somebody may be interrupting"""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait before deciding."""

    endpoint_s: float = 0.3
    """s after `SpeechEnded` until the turn is over; the listener's own pause comes before it"""
    yield_s: float = 0.3
    """s of speech over the agent's until it is an interruption"""
    drafts: bool = True
    """prepare the answer while it is not yet sure that the turn is over"""


class Machine:
    """One agent voice's turn-taking.

    The caller hands in each event with the time (`loop.time()`), performs the actions in order, and calls
    `handle(Deadline(), now)` when ``deadline`` is reached.
    """

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.phase = Phase.IDLE
        self.deadline: float | None = None
        """`loop.time()` at which to hand in `Deadline`"""
        self.reply = 0
        """number of the newest reply"""
        self.now = 0.0
        self._words: dict[int, str] = {}  # by utterance, not yet handed over by CloseTurn
        self._unheard: set[int] = set()  # utterances that ended and are not transcribed yet
        self._due = False  # the endpoint has passed; only the transcript is missing
        self._unanswered = False  # the last turn's reply was cut before a sound of it was heard
        self._apologising = False
        self._speaking = False  # the person, whatever the phase
        self._draft: str | None = None  # what the draft in progress answers
        self._closed = ""  # text of the newest turn
        self._speaker = ""
        self._started_at = 0.0
        self._ended_at = 0.0

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event; return what to do, in order."""
        if isinstance(event, ReplyAudible | ReplyDone | ReplyFailed) and event.reply != self.reply:
            return []  # an old reply's last words; it was cut, and nothing of it reaches the new turn
        self.now = now
        self._note(event)
        for row in TABLE[self.phase, type(event)]:
            if row.when is None or row.when(self):
                self.phase = row.to
                if not row.keeps_deadline:
                    self.deadline = None
                return [action for step in row.do for action in step(self, event)]
        raise AssertionError(f"no row of the table holds for {event} in {self.phase}")

    def _note(self, event: Event) -> None:
        """Keep the books that rows ask about: they follow what is heard, whatever the phase."""
        match event:
            case SpeechStarted():
                self._speaking, self._speaker, self._started_at = True, event.speaker, event.at
                self._unheard.discard(event.utterance)
            case SpeechEnded():
                self._speaking, self._ended_at = False, event.at
                self._unheard.add(event.utterance)
            case Transcript():
                self._unheard.discard(event.utterance)
                self._words[event.utterance] = event.text.strip()
            case HearingFailed():
                self._unheard.discard(event.utterance)
            case _:
                pass

    # -- what rows ask ---------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """What was said since the last turn was closed."""
        return " ".join(text for _, text in sorted(self._words.items()) if text)

    def words(self) -> bool:
        """Everything is transcribed, and it is something."""
        return not self._unheard and bool(self.text)

    def unheard(self) -> bool:
        """A transcript is still missing."""
        return bool(self._unheard)

    def unanswered(self) -> bool:
        """Nothing new was said, but the turn before was never answered: a cough cut the answer off."""
        return self._unanswered

    def due_words(self) -> bool:
        """Only the transcript was missing, and it has words."""
        return self._due and self.words()

    def due_unanswered(self) -> bool:
        """Only the transcript was missing; it is empty, and the turn before was never answered."""
        return self._due and not self._unheard and self._unanswered

    def due_nothing(self) -> bool:
        """Only the transcript was missing, and it is empty."""
        return self._due and not self._unheard

    def spoken_over(self) -> bool:
        """The person is still speaking: the answer was asked for by text, in the middle of a sentence."""
        return self._speaking

    def apologising(self) -> bool:
        """The reply that failed was itself an apology."""
        return self._apologising

    def worth_a_draft(self) -> bool:
        """All that was said is known, and its answer is not being prepared yet."""
        return self.patience.drafts and not self._due and self.words() and self._draft is None

    # -- what rows do ----------------------------------------------------------------------------------------

    def wait_for_end(self, _: Event) -> list[Action]:
        """Set the deadline at which the pause is the end of the turn."""
        self._due = False
        self.deadline = self.now + self.patience.endpoint_s
        return []

    def wait_for_text(self, _: Event) -> list[Action]:
        """The pause was the end; the transcript decides what it was the end of."""
        self._due = True
        return []

    def open(self, _: Event) -> list[Action]:
        """Give the person the floor."""
        return [OpenTurn(self._speaker, self._started_at)]

    def close(self, _: Event) -> list[Action]:
        """Take what was said as the person's turn."""
        self._closed, self._words = self.text, {}
        return [CloseTurn(self._speaker, self._closed, self._ended_at)]

    def answer(self, event: Event) -> list[Action]:
        """Start a reply, or let go of the one that was drafted for just this turn."""
        self._unanswered = self._apologising = False
        if self._draft == self._closed:
            self._draft = None
            return [ReleaseDraft(self.reply)]
        dropped = self.drop(event)
        self.reply += 1
        return [*dropped, StartReply(self.reply)]

    def draft(self, _: Event) -> list[Action]:
        """Begin to answer what may be the whole turn."""
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

    def apologise(self, _: Event) -> list[Action]:
        """Start the canned apology."""
        self.reply += 1
        self._unanswered, self._apologising = False, True
        return [Apologise(self.reply)]

    def duck(self, _: Event) -> list[Action]:
        """Speak softly until it is clear what the voice wants."""
        self.deadline = self.now + self.patience.yield_s
        return [Duck()]

    def unduck(self, _: Event) -> list[Action]:
        """It was no interruption."""
        return [Unduck()]

    def cut(self, event: Event) -> list[Action]:
        """Stop the reply; its number is no longer the newest, so nothing of it counts any more."""
        self.reply += 1
        return [Cut(by_speech=not isinstance(event, Interrupt | Respond))]

    def remember(self, _: Event) -> list[Action]:
        """The reply is cut before it was heard; if nothing is said now, it is given again."""
        self._unanswered = not self._apologising
        return []

    def forget(self, _: Event) -> list[Action]:
        """The person wants no answer to that turn."""
        self._unanswered = False
        return []


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


def stay(phase: Phase) -> tuple[Row, ...]:
    """A row that says: nothing changes."""
    return (Row(phase, keeps_deadline=True),)


I, H, P, T, S, Y = Phase  # noqa: E741 - the table is read by its columns
M = Machine

TABLE: dict[tuple[Phase, type[Event]], tuple[Row, ...]] = {
    (I, SpeechStarted): (go(H, M.open),),
    (I, SpeechEnded): stay(I),
    (I, Transcript): stay(I),  # too short to interrupt; it is part of the next turn
    (I, HearingFailed): stay(I),
    (I, Respond): (go(T, M.close, M.answer),),
    (I, Interrupt): stay(I),
    (I, ReplyAudible): stay(I),
    (I, ReplyDone): stay(I),
    (I, ReplyFailed): stay(I),
    (I, Deadline): stay(I),
    #
    (H, SpeechStarted): stay(H),
    (H, SpeechEnded): (go(P, M.wait_for_end),),
    (H, Transcript): stay(H),
    (H, HearingFailed): stay(H),
    (H, Respond): (go(T, M.close, M.answer),),
    (H, Interrupt): stay(H),
    (H, ReplyAudible): stay(H),
    (H, ReplyDone): stay(H),
    (H, ReplyFailed): stay(H),
    (H, Deadline): stay(H),
    #
    (P, SpeechStarted): (go(H, M.drop),),
    (P, SpeechEnded): (go(P, M.wait_for_end),),
    (P, Transcript): (
        go(T, M.close, M.answer, when=M.due_words),
        go(T, M.close, M.answer, when=M.due_unanswered),
        go(I, M.close, when=M.due_nothing),
        Row(P, (M.draft,), when=M.worth_a_draft, keeps_deadline=True),
        *stay(P),
    ),
    (P, HearingFailed): (go(T, M.drop, M.close, M.apologise),),
    (P, Respond): (go(T, M.drop, M.close, M.answer),),
    (P, Interrupt): stay(P),
    (P, ReplyAudible): stay(P),
    (P, ReplyDone): (Row(P, (M.drop,), keeps_deadline=True),),  # a draft with nothing to say
    (P, ReplyFailed): (Row(P, (M.drop,), keeps_deadline=True),),  # a draft that failed; the answer tries again
    (P, Deadline): (
        go(P, M.wait_for_text, when=M.unheard),
        go(T, M.close, M.answer, when=M.words),
        go(T, M.close, M.answer, when=M.unanswered),
        go(I, M.close),
    ),
    #
    (T, SpeechStarted): (go(H, M.cut, M.remember, M.open),),  # the same turn goes on
    (T, SpeechEnded): stay(T),
    (T, Transcript): stay(T),
    (T, HearingFailed): stay(T),
    (T, Respond): (go(T, M.cut, M.close, M.answer),),
    (T, Interrupt): (go(I, M.cut, M.forget),),
    (T, ReplyAudible): (go(Y, M.duck, when=M.spoken_over), go(S)),
    (T, ReplyDone): (go(I),),
    (T, ReplyFailed): (go(I, when=M.apologising), go(T, M.apologise)),
    (T, Deadline): stay(T),
    #
    (S, SpeechStarted): (go(Y, M.duck),),
    (S, SpeechEnded): stay(S),
    (S, Transcript): stay(S),
    (S, HearingFailed): stay(S),
    (S, Respond): (go(T, M.cut, M.close, M.answer),),
    (S, Interrupt): (go(I, M.cut),),
    (S, ReplyAudible): stay(S),
    (S, ReplyDone): (go(I),),
    (S, ReplyFailed): (go(I, when=M.apologising), go(T, M.apologise)),
    (S, Deadline): stay(S),
    #
    (Y, SpeechStarted): stay(Y),
    (Y, SpeechEnded): (go(S, M.unduck),),  # a cough, a click, a "mhm"
    (Y, Transcript): stay(Y),
    (Y, HearingFailed): stay(Y),
    (Y, Respond): (go(T, M.cut, M.close, M.answer),),
    (Y, Interrupt): (go(H, M.cut, M.open),),
    (Y, ReplyAudible): stay(Y),
    (Y, ReplyDone): (go(H, M.open),),
    (Y, ReplyFailed): (go(H, M.open),),  # the person has the floor; an apology would take it back
    (Y, Deadline): (go(H, M.cut, M.open),),
}
