"""Turn-taking: every row by example, and what must hold for any sequence of events."""

from __future__ import annotations

from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

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
from agent.machine import TABLE, Machine, Patience, Phase


def play(*events: Event, machine: Machine | None = None) -> tuple[Machine, list[Action]]:
    """Hand in events 0.1 s apart; all actions."""
    machine = machine or Machine(Patience(endpoint_s=0.3, yield_s=0.3, drafts=False))
    actions: list[Action] = []
    for step, event in enumerate(events):
        actions += machine.handle(event, step / 10)
    return machine, actions


def started(utterance: int = 1, at: float = 1.0) -> SpeechStarted:
    return SpeechStarted("ann", utterance, at)


def ended(utterance: int = 1, at: float = 2.0) -> SpeechEnded:
    return SpeechEnded("ann", utterance, at)


def text(words: str, utterance: int = 1) -> Transcript:
    return Transcript("ann", utterance, words, "en")


TURN = (started(), ended(), text("hello"), Deadline())


def test_a_turn_is_closed_and_answered_at_the_endpoint() -> None:
    machine, actions = play(*TURN)
    assert actions == [OpenTurn("ann", 1.0), CloseTurn("ann", "hello", 2.0), StartReply(1)]
    assert machine.phase is Phase.THINKING
    assert machine.deadline is None


def test_a_late_transcript_is_waited_for() -> None:
    machine, actions = play(started(), ended(), Deadline())
    assert machine.phase is Phase.PAUSED
    assert machine.deadline is None
    _, actions = play(text("hello"), machine=machine)
    assert actions == [CloseTurn("ann", "hello", 2.0), StartReply(1)]


def test_going_on_after_a_pause_is_one_turn() -> None:
    _, actions = play(started(), ended(), started(), ended(), text("one two"), Deadline())
    assert [type(action) for action in actions] == [OpenTurn, CloseTurn, StartReply]
    assert CloseTurn("ann", "one two", 2.0) in actions


def test_two_utterances_of_one_turn_are_joined_in_order() -> None:
    _, actions = play(started(), ended(), text("one"), started(2), ended(2), text("two", 2), Deadline())
    assert CloseTurn("ann", "one two", 2.0) in actions


def test_noise_is_not_answered() -> None:
    machine, actions = play(started(), ended(), text(""), Deadline())
    assert actions == [OpenTurn("ann", 1.0), CloseTurn("ann", "", 2.0)]
    assert machine.phase is Phase.IDLE


def test_speech_before_the_answer_is_audible_goes_on_with_the_turn() -> None:
    machine, _ = play(*TURN)
    machine, actions = play(started(2), machine=machine)
    assert actions == [Cut(by_speech=True), OpenTurn("ann", 1.0)]
    assert machine.phase is Phase.HEARING


def test_a_cough_before_the_answer_does_not_lose_the_answer() -> None:
    machine, _ = play(*TURN)
    machine, actions = play(started(2), ended(2), text("", 2), Deadline(), machine=machine)
    assert actions[-1] == StartReply(3)
    assert machine.phase is Phase.THINKING


def test_barge_in_ducks_then_cuts() -> None:
    machine, _ = play(*TURN, ReplyAudible(1))
    assert machine.phase is Phase.SPEAKING
    machine, actions = play(started(2, at=5.0), machine=machine)
    assert actions == [Duck()]
    assert machine.deadline is not None
    _, actions = play(Deadline(), machine=machine)
    assert actions == [Cut(by_speech=True), OpenTurn("ann", 5.0)]


def test_a_short_sound_only_ducks() -> None:
    machine, _ = play(*TURN, ReplyAudible(1))
    machine, actions = play(started(2), ended(2), machine=machine)
    assert actions == [Duck(), Unduck()]
    assert machine.phase is Phase.SPEAKING
    assert machine.deadline is None


def test_words_too_short_to_interrupt_are_part_of_the_next_turn() -> None:
    machine, _ = play(*TURN, ReplyAudible(1), started(2), ended(2), text("mhm", 2), ReplyDone(1))
    _, actions = play(started(3), ended(3), text("and then", 3), Deadline(), machine=machine)
    assert CloseTurn("ann", "mhm and then", 2.0) in actions


def test_a_failed_reply_apologises_once() -> None:
    machine, _ = play(*TURN)
    machine, actions = play(ReplyFailed(1, "gone"), machine=machine)
    assert actions == [Apologise(2)]
    machine, actions = play(ReplyFailed(2, "gone too"), machine=machine)
    assert actions == []
    assert machine.phase is Phase.IDLE


def test_a_failed_recogniser_apologises() -> None:
    _, actions = play(started(), ended(), HearingFailed("ann", 1, "broken"))
    assert actions[-1] == Apologise(1)


def test_events_of_an_old_reply_are_nothing() -> None:
    machine, _ = play(*TURN, ReplyAudible(1), Interrupt())
    assert machine.phase is Phase.IDLE
    machine, actions = play(ReplyAudible(1), ReplyDone(1), ReplyFailed(1, "late"), machine=machine)
    assert actions == []
    assert machine.phase is Phase.IDLE


def test_a_typed_message_is_answered_at_once_and_cuts() -> None:
    machine, actions = play(Respond())
    assert actions == [CloseTurn("", "", 0.0), StartReply(1)]
    _, actions = play(ReplyAudible(1), Respond(), machine=machine)
    assert [type(action) for action in actions] == [Cut, CloseTurn, StartReply]


def test_an_answer_that_was_typed_for_does_not_talk_over_the_person() -> None:
    machine, actions = play(started(), Respond(), ReplyAudible(1))
    assert actions[-1] == Duck()
    assert machine.phase is Phase.YIELDING
    _, actions = play(Deadline(), machine=machine)
    assert actions[0] == Cut(by_speech=True)


def drafting() -> Machine:
    return Machine(Patience(endpoint_s=0.3, yield_s=0.3, drafts=True))


def test_the_answer_is_drafted_in_the_pause_and_released_at_the_endpoint() -> None:
    machine, actions = play(started(), ended(), text("hello"), machine=drafting())
    assert actions == [OpenTurn("ann", 1.0), StartDraft(1, "hello")]
    assert machine.deadline is not None
    _, actions = play(Deadline(), machine=machine)
    assert actions == [CloseTurn("ann", "hello", 2.0), ReleaseDraft(1)]


def test_a_draft_is_dropped_when_the_person_goes_on() -> None:
    machine, _ = play(started(), ended(), text("hello"), machine=drafting())
    machine, actions = play(started(), machine=machine)
    assert actions == [DropDraft()]
    assert play(ReplyDone(1), machine=machine)[1] == []
    _, actions = play(ended(), text("hello there"), Deadline(), machine=machine)
    assert actions == [StartDraft(3, "hello there"), CloseTurn("ann", "hello there", 2.0), ReleaseDraft(3)]


def test_a_draft_that_fails_is_tried_again_as_a_reply() -> None:
    machine, _ = play(started(), ended(), text("hello"), machine=drafting())
    machine, actions = play(ReplyFailed(1, "gone"), machine=machine)
    assert actions == [DropDraft()]
    _, actions = play(Deadline(), machine=machine)
    assert actions == [CloseTurn("ann", "hello", 2.0), StartReply(3)]


def test_a_draft_of_other_words_is_not_released() -> None:
    machine, _ = play(started(), ended(), text("hello"), machine=drafting())
    _, actions = play(text("hello world"), Deadline(), machine=machine)
    assert actions == [CloseTurn("ann", "hello world", 2.0), DropDraft(), StartReply(3)]


def test_a_late_transcript_needs_no_draft() -> None:
    _, actions = play(started(), ended(), Deadline(), text("hello"), machine=drafting())
    assert actions[1:] == [CloseTurn("ann", "hello", 2.0), StartReply(1)]


def test_every_phase_has_a_row_for_every_event_and_the_last_one_always_holds() -> None:
    kinds = get_args(Event)
    assert set(TABLE) == {(phase, kind) for phase in Phase for kind in kinds}
    for (phase, kind), rows in TABLE.items():
        assert rows[-1].when is None, f"{phase} {kind} may find no row"
        assert all(row.when is not None for row in rows[:-1]), f"{phase} {kind} has rows that are never reached"


class AnyConversation(RuleBasedStateMachine):
    """A conversation in which anything happens at any time; the shell's part is played as it would be."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine(Patience())
        self.now = 0.0
        self.utterance = 0
        self.speaking = False
        self.owed: list[int] = []  # utterances that the listener still has to transcribe
        self.draft: int | None = None  # the draft that runs
        self.reply: int | None = None  # the reply that runs
        self.audible = False
        self.ducked = False

    def give(self, event: Event) -> None:
        self.now += 0.1
        for action in self.machine.handle(event, self.now):
            match action:
                case StartDraft(reply=number):
                    assert self.reply is None and self.draft is None, "a draft beside a reply"
                    self.draft = number
                case DropDraft():
                    assert self.draft is not None, "nothing to drop"
                    self.draft = None
                case ReleaseDraft(reply=number):
                    assert self.draft == number and self.reply is None
                    self.draft, self.reply, self.audible, self.ducked = None, number, False, False
                case StartReply(reply=number) | Apologise(reply=number):
                    assert self.reply is None and self.draft is None, "two replies at once"
                    self.reply, self.audible, self.ducked = number, False, False
                case Cut():
                    assert self.reply is not None, "nothing to cut"
                    self.reply, self.ducked = None, False
                case Duck():
                    assert self.reply is not None and not self.ducked
                    self.ducked = True
                case Unduck():
                    assert self.ducked
                    self.ducked = False
                case _:
                    pass

    @rule()
    def speech_starts(self) -> None:
        if not self.speaking:
            self.utterance += 1
            self.speaking = True
            self.give(started(self.utterance, self.now))

    @rule()
    def speech_ends(self) -> None:
        if self.speaking:
            self.speaking = False
            self.owed.append(self.utterance)
            self.give(ended(self.utterance, self.now))

    @rule(words=st.sampled_from(["", "yes", "no no no"]), fails=st.booleans())
    def transcript(self, words: str, fails: bool) -> None:
        if self.owed:
            utterance = self.owed.pop(0)
            self.give(HearingFailed("ann", utterance, "broken") if fails else text(words, utterance))

    @rule()
    def deadline(self) -> None:
        if self.machine.deadline is not None:
            self.now = max(self.now, self.machine.deadline)
            self.give(Deadline())

    @rule()
    def reply_audible(self) -> None:
        if self.reply is not None and not self.audible:
            self.audible = True
            self.give(ReplyAudible(self.reply))

    @rule(fails=st.booleans())
    def reply_ends(self, fails: bool) -> None:
        if self.reply is not None:
            number, self.reply, self.ducked = self.reply, None, False
            self.give(ReplyFailed(number, "gone") if fails else ReplyDone(number))

    @rule(fails=st.booleans())
    def draft_ends(self, fails: bool) -> None:
        if self.draft is not None:
            self.give(ReplyFailed(self.draft, "gone") if fails else ReplyDone(self.draft))

    @rule(number=st.integers(0, 5))
    def stale(self, number: int) -> None:
        if number < self.machine.reply:
            self.give(ReplyDone(number))

    @rule(event=st.sampled_from([Interrupt(), Respond()]))
    def client(self, event: Event) -> None:
        self.give(event)

    @invariant()
    def phase_and_reply_agree(self) -> None:
        replying = self.machine.phase in (Phase.THINKING, Phase.SPEAKING, Phase.YIELDING)
        assert replying == (self.reply is not None)

    @invariant()
    def drafts_live_in_pauses(self) -> None:
        assert self.draft is None or self.machine.phase is Phase.PAUSED

    @invariant()
    def ducked_only_while_yielding(self) -> None:
        assert self.ducked == (self.machine.phase is Phase.YIELDING)

    @invariant()
    def a_deadline_belongs_to_a_phase_that_waits(self) -> None:
        if self.machine.deadline is not None:
            assert self.machine.phase in (Phase.PAUSED, Phase.YIELDING)

    @invariant()
    def a_pause_always_ends(self) -> None:
        if self.machine.phase is Phase.PAUSED:
            assert self.machine.deadline is not None or self.owed or self.speaking


TestAnyConversation = AnyConversation.TestCase
TestAnyConversation.settings = settings(max_examples=400, stateful_step_count=40, deadline=None)


@given(st.lists(st.sampled_from(["hello", "", "you", "there"]), min_size=1, max_size=6))
def test_nothing_that_was_said_is_lost(words: list[str]) -> None:
    machine = Machine(Patience())
    actions: list[Action] = []
    for number, word in enumerate(words):
        for event in (started(number), ended(number), text(word, number), Deadline()):
            actions += machine.handle(event, 0.0)
        if machine.phase is Phase.THINKING:
            actions += machine.handle(ReplyAudible(machine.reply), 0.0)
            actions += machine.handle(ReplyDone(machine.reply), 0.0)
    said = " ".join(action.text for action in actions if isinstance(action, CloseTurn) and action.text)
    assert said.split() == [word for word in words if word]
