"""Turn-taking: every row by example, and what must hold for any sequence of events."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

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
from agent.ledger import Patience
from agent.machine import TABLE, Machine, Phase


def play(*events: Event, machine: Machine | None = None) -> tuple[Machine, list[Action]]:
    """Hand in events 0.1 s apart; all actions."""
    machine = machine or Machine(Patience(endpoint_s=0.3, drafts=False))
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
    _, actions = play(text("hello"), Deadline(), machine=machine)
    assert actions == [CloseTurn("ann", "hello", 2.0), StartReply(1)]


def test_a_late_transcript_is_judged_before_it_is_answered() -> None:
    machine, _ = play(started(), ended(), EndOfTurn("ann", 1, 0.05), Deadline())
    assert machine.deadline is None
    machine.handle(EndOfTurn("ann", 1, 1.4), 0.8)
    assert machine.handle(text("My number is 555"), 0.8) == []
    assert machine.deadline == pytest.approx(0.1 + 1.4)


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


def test_an_answer_in_preparation_can_be_held_back_until_it_is_clear_what_a_sound_was() -> None:
    machine, _ = play(*TURN, machine=Machine(Patience(thinking_s=0.3, drafts=False)))
    machine, actions = play(started(2), ended(2), text("", 2), machine=machine)
    assert actions == [Hold(), Resume()]
    assert machine.phase is Phase.THINKING
    machine, actions = play(started(3), Deadline(), machine=machine)
    assert actions == [Hold(), Cut(by_speech=True), OpenTurn("ann", 1.0)]


def speaking(**patience: float) -> Machine:
    machine, _ = play(*TURN, ReplyAudible(1), machine=Machine(Patience(drafts=False, **patience)))  # type: ignore[arg-type]
    assert machine.phase is Phase.SPEAKING
    return machine


def held_at(began: float) -> Machine:
    """A reply that somebody has begun to speak over then, and that is silent now."""
    machine = speaking()
    assert machine.handle(started(2), began) == [Duck()]
    assert machine.handle(Deadline(), began + machine.patience.yield_s) == [Hold()]
    return machine


def test_speech_over_the_agent_ducks_it_then_silences_it_then_cuts_it() -> None:
    machine, actions = play(started(2, at=5.0), machine=speaking())
    assert actions == [Duck()]
    machine, actions = play(Deadline(), machine=machine)
    assert actions == [Hold()]
    machine, actions = play(Deadline(), machine=machine)
    assert actions == [Cut(by_speech=True), OpenTurn("ann", 5.0)]
    assert machine.phase is Phase.HEARING


def test_stop_cuts_at_once_and_other_words_when_there_was_time_to_say_them() -> None:
    for said in ("Stop", "Wait, I"):
        machine, actions = play(started(2, at=5.0), Partial("ann", 2, said), machine=speaking())
        assert actions == [Duck(), Cut(by_speech=True), OpenTurn("ann", 5.0)], said
        assert machine.phase is Phase.HEARING
    machine, _ = play(started(2, at=5.0), machine=speaking())
    assert machine.handle(Partial("ann", 2, "Is how"), 0.3) == []
    assert machine.handle(Partial("ann", 2, "What about tomorrow"), 0.5) == [Cut(by_speech=True), OpenTurn("ann", 5.0)]


def test_one_word_may_be_the_beginning_of_anything() -> None:
    for said in ("", "I", "Right", "Yeah, okay"):
        _, actions = play(started(2), Partial("ann", 2, said), machine=speaking())
        assert actions == [Duck()], said


def test_a_short_sound_only_ducks() -> None:
    machine, actions = play(started(2), ended(2), machine=speaking())
    assert actions == [Duck(), Resume()]
    assert machine.phase is Phase.SPEAKING
    assert machine.deadline is None


def test_a_short_word_still_cuts_when_it_is_understood() -> None:
    machine, actions = play(started(2, 5.0), ended(2, 5.3), text("No.", 2), machine=speaking())
    assert actions == [Duck(), Resume(), Cut(by_speech=True), OpenTurn("ann", 5.0)]
    assert machine.phase is Phase.PAUSED
    _, actions = play(Deadline(), machine=machine)
    assert actions == [CloseTurn("ann", "No.", 5.3), StartReply(3)]


def test_signs_of_listening_do_not_cut_and_are_not_answered() -> None:
    for said in ("Mhm.", "Right.", "I see.", "Uh-huh", "", "Okay, yeah"):
        machine, actions = play(started(2), Deadline(), ended(2), text(said, 2), machine=speaking())
        assert actions == [Duck(), Hold(), Resume()], said
        assert machine.phase is Phase.SPEAKING
        machine, _ = play(ReplyDone(1), machine=machine)
        _, actions = play(started(3), ended(3), text("and then", 3), Deadline(), machine=machine)
        assert CloseTurn("ann", "and then", 2.0) in actions


def test_music_does_not_silence_the_agent_for_long_and_words_in_it_still_cut() -> None:
    machine = held_at(1.0)
    assert machine.handle(Partial("ann", 2, ""), 2.0) == []
    assert machine.handle(Deadline(), 2.1) == [Resume()]
    assert machine.phase is Phase.SPEAKING
    assert machine.handle(Partial("ann", 2, "please be so kind"), 3.0)[0] == Cut(by_speech=True)


def test_a_look_at_the_first_breath_alone_is_no_proof_of_music() -> None:
    machine = held_at(1.0)
    assert machine.handle(Partial("ann", 2, ""), 1.8) == []
    assert machine.handle(Deadline(), 2.1) == []
    assert machine.phase is Phase.YIELDING
    assert machine.handle(Partial("ann", 2, "please be so kind"), 2.3)[0] == Cut(by_speech=True)


def test_a_second_look_is_not_waited_for_forever() -> None:
    machine = held_at(1.0)
    assert machine.handle(Partial("ann", 2, ""), 1.5) == []
    assert machine.handle(Deadline(), 2.1) == []
    assert machine.deadline is not None
    assert machine.handle(Deadline(), machine.deadline) == [Resume()]


def test_a_verdict_that_never_comes_is_no_interruption() -> None:
    machine, actions = play(started(2), Deadline(), ended(2), Deadline(), machine=speaking())
    assert actions == [Duck(), Hold(), Resume()]
    assert machine.phase is Phase.SPEAKING


def test_a_gap_in_an_interruption_does_not_begin_it_again() -> None:
    machine = speaking(yield_s=0.2)
    machine.handle(started(2), 10.0)
    assert machine.deadline == 10.2
    machine.handle(ended(2), 10.15)
    machine.handle(started(2), 10.3)
    assert machine.deadline == 10.3


def test_who_has_only_called_the_agent_by_its_name_is_waited_for() -> None:
    """The pause is judged to be the end; what is wanted comes after it. The limit holds."""
    for words, deadline in (("Robin.", 0.1 + 1.2), ("Robin, stop.", 0.1 + 0.3)):
        machine = Machine(Patience(drafts=False))
        machine.called = lambda said: said == "Robin."
        play(started(), ended(), EndOfTurn("ann", 1, 0.3), text(words), machine=machine)
        assert machine.deadline == pytest.approx(deadline)


def test_stop_means_silence_and_not_another_answer() -> None:
    machine, _ = play(started(2), Deadline(), ended(2), text("Stop!", 2), machine=speaking())
    machine, actions = play(Deadline(), machine=machine)
    assert actions == [CloseTurn("ann", "Stop!", 2.0)]
    assert machine.phase is Phase.IDLE


def test_words_at_the_very_end_of_a_reply_are_answered() -> None:
    machine, _ = play(started(2), ended(2), ReplyDone(1), machine=speaking())
    assert machine.phase is Phase.IDLE
    machine, actions = play(text("And tomorrow?", 2), machine=machine)
    assert actions == [OpenTurn("ann", 1.0)]
    _, actions = play(Deadline(), machine=machine)
    assert actions == [CloseTurn("ann", "And tomorrow?", 2.0), StartReply(2)]


def during(policy: Interruption) -> Machine:
    machine = Machine(Patience(drafts=False), interruption=policy)
    machine, _ = play(*TURN, ReplyAudible(1), machine=machine)
    machine, actions = play(started(2), Partial("ann", 2, "and what about"), ended(2), machine=machine)
    assert actions == []
    play(text("and what about tomorrow", 2), machine=machine)
    return machine


def test_a_reply_can_be_made_to_be_answered_after() -> None:
    machine, actions = play(ReplyDone(1), machine=during(Interruption.AFTER))
    assert machine.phase is Phase.PAUSED
    _, actions = play(Deadline(), machine=machine)
    assert actions == [CloseTurn("ann", "and what about tomorrow", 2.0), StartReply(2)]


def test_a_reply_can_be_made_to_keep_what_was_said_meanwhile() -> None:
    machine, actions = play(ReplyDone(1), machine=during(Interruption.KEEP))
    assert (machine.phase, actions) == (Phase.IDLE, [])
    _, actions = play(started(3), ended(3), text("please", 3), Deadline(), machine=machine)
    assert CloseTurn("ann", "and what about tomorrow please", 2.0) in actions


def test_a_button_stops_any_reply() -> None:
    for policy in (Interruption.KEEP, Interruption.AFTER):
        _, actions = play(Interrupt(), machine=during(policy))
        assert actions == [Cut(by_speech=False)]


def test_a_pause_ends_the_turn_when_it_was_judged_to() -> None:
    machine = Machine(Patience(endpoint_s=1.2, drafts=False))
    machine.handle(started(), 10.0)
    machine.handle(SpeechEnded("ann", 1, 2.0, age_s=0.1), 11.0)
    assert machine.deadline == 10.9 + 1.2
    machine.handle(EndOfTurn("ann", 1, 0.2), 11.05)
    assert machine.deadline == 11.1
    machine.handle(EndOfTurn("ann", 1, 0.1), 11.08)
    assert machine.deadline == 11.08
    machine.handle(EndOfTurn("ann", 7, 9.0), 11.08)  # of another utterance
    assert machine.deadline == 11.08


def test_somebody_who_never_pauses_is_cut_in_on() -> None:
    machine = Machine(Patience(most_turn_s=20.0))
    machine, _ = play(started(), Partial("ann", 1, "and so on"), machine=machine)
    assert machine.deadline == 20.0
    machine, actions = play(Deadline(), machine=machine)
    assert actions == [CloseTurn("ann", "and so on", 0.0), StartReply(1, cut_in=True)]
    machine, actions = play(ReplyAudible(1), Partial("ann", 2, "and on and on"), machine=machine)
    assert (machine.phase, actions) == (Phase.SPEAKING, [])
    machine, actions = play(ReplyDone(1), machine=machine)
    assert machine.phase is Phase.HEARING


def test_a_dead_line_is_asked_twice() -> None:
    machine, _ = play(*TURN, ReplyAudible(1), machine=Machine(Patience(reprompt_s=5.0, drafts=False)))
    for number in (2, 3):
        machine.handle(ReplyDone(machine.reply), 50.0)
        assert machine.deadline == 55.0
        assert machine.handle(Deadline(), 55.0) == [SayPhrase(number, Phrase.REPROMPT)]
    machine.handle(ReplyDone(machine.reply), 60.0)
    assert machine.handle(Deadline(), 65.0) == []
    assert machine.deadline is None


def test_the_greeting_can_be_interrupted_or_not() -> None:
    for policy, first in ((Interruption.CUT, [Duck()]), (Interruption.AFTER, [])):
        machine, actions = play(Greet(), machine=Machine(Patience(drafts=False), greeting=policy))
        assert actions == [SayPhrase(1, Phrase.GREETING)]
        _, actions = play(ReplyAudible(1), started(), machine=machine)
        assert actions == first


def test_push_to_talk_ends_a_turn_when_it_is_asked_to_and_not_before() -> None:
    machine, actions = play(started(), ended(), text("hello"), machine=Machine(Patience(manual=True, drafts=False)))
    assert machine.deadline is None
    _, actions = play(Respond(), machine=machine)
    assert actions == [CloseTurn("ann", "hello", 2.0), StartReply(1)]
    _, actions = play(ReplyAudible(1), started(2), Partial("ann", 2, "stop it"), machine=machine)
    assert actions == []


def test_push_to_talk_waits_for_the_transcript() -> None:
    machine, actions = play(started(), ended(), Respond(), machine=Machine(Patience(manual=True)))
    assert actions == [OpenTurn("ann", 1.0)]
    _, actions = play(text("hello"), machine=machine)
    assert actions == [CloseTurn("ann", "hello", 2.0), StartReply(1)]


def test_a_commit_ends_the_turn_and_answers_only_where_nobody_has_to_ask() -> None:
    machine, actions = play(started(), ended(), Commit(), text("hello"), machine=Machine(Patience(manual=True)))
    assert actions == [OpenTurn("ann", 1.0), CloseTurn("ann", "hello", 2.0)]
    assert machine.phase is Phase.IDLE
    machine, actions = play(Respond(), machine=machine)
    assert actions[-1] == StartReply(1)
    asked = (started(), ended(), Commit(), Respond(), text("hello"))
    machine, actions = play(*asked, machine=Machine(Patience(manual=True)))
    assert actions[-1] == StartReply(1)
    machine, actions = play(started(), ended(), Commit(), text("hello"))
    assert actions[-1] == StartReply(1)


def test_a_commit_of_nothing_is_a_turn_without_words() -> None:
    _, actions = play(Commit(), machine=Machine(Patience(manual=True)))
    assert [type(action) for action in actions] == [OpenTurn, CloseTurn]


def test_what_is_taken_back_is_never_answered() -> None:
    machine, actions = play(started(), ended(), text("hello"), Discard(), machine=Machine(Patience()))
    assert actions[-2:] == [DropDraft(), ForgetTurn()]
    assert machine.phase is Phase.IDLE
    assert machine.text == ""


def test_nobody_is_answered_who_does_not_ask() -> None:
    machine, actions = play(started(), ended(), text("hello"), Deadline(), machine=Machine(Patience(answers=False)))
    assert actions == [OpenTurn("ann", 1.0), CloseTurn("ann", "hello", 2.0)]
    assert machine.phase is Phase.IDLE


def test_an_answer_that_is_wanted_otherwise_is_no_draft() -> None:
    _, actions = play(started(), ended(), text("hello"), Respond(fresh=True), machine=Machine(Patience()))
    assert [type(action) for action in actions[-3:]] == [CloseTurn, DropDraft, StartReply]


def test_a_reply_that_has_run_dry_is_thinking_again() -> None:
    machine, actions = play(ReplyStarved(1), machine=speaking())
    assert (machine.phase, actions) == (Phase.THINKING, [])
    machine, actions = play(ReplyAudible(1), machine=machine)
    assert (machine.phase, actions) == (Phase.SPEAKING, [])


def test_a_failed_reply_apologises_once() -> None:
    machine, _ = play(*TURN)
    machine, actions = play(ReplyFailed(1, "gone"), machine=machine)
    assert actions == [SayPhrase(2, Phrase.APOLOGY)]
    machine, actions = play(ReplyFailed(2, "gone too"), machine=machine)
    assert actions == []
    assert machine.phase is Phase.IDLE


def test_a_failed_recogniser_apologises() -> None:
    _, actions = play(started(), ended(), HearingFailed("ann", 1, "broken"))
    assert actions[-1] == SayPhrase(1, Phrase.APOLOGY)


def test_who_only_listens_is_told_of_a_failed_recogniser_and_says_nothing() -> None:
    listening = Patience(answers=False, drafts=False)
    machine, actions = play(started(), ended(), HearingFailed("ann", 1, "broken"), machine=Machine(listening))
    assert actions == [OpenTurn("ann", 1.0), CloseTurn("ann", "", 2.0)]
    assert machine.phase is Phase.IDLE


def test_in_push_to_talk_a_failed_recogniser_ends_only_what_was_committed() -> None:
    machine, actions = play(started(), ended(), HearingFailed("ann", 1, "gone"), machine=Machine(Patience(manual=True)))
    assert actions == [OpenTurn("ann", 1.0)]
    machine, actions = play(started(2), ended(2), Commit(), HearingFailed("ann", 2, "gone"), machine=machine)
    assert actions == [CloseTurn("ann", "", 2.0)]
    assert machine.phase is Phase.IDLE


def test_silence_after_an_answer_times_out_until_it_was_asked_about_often_enough() -> None:
    machine, _ = play(*TURN, ReplyAudible(1), ReplyDone(1), machine=Machine(Patience(timeout_s=2.0, drafts=False)))
    assert machine.deadline == pytest.approx(0.5 + 2.0)
    for reply in (2, 3):
        assert machine.handle(Deadline(), 9.0) == [TimeOut(), SayPhrase(reply, Phrase.REPROMPT)]
        machine.handle(ReplyDone(reply), 9.5)
    assert machine.handle(Deadline(), 12.0) == []
    assert machine.deadline is None


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
    _, actions = play(Deadline(), Deadline(), machine=machine)
    assert actions[:2] == [Hold(), Cut(by_speech=True)]


def drafting() -> Machine:
    return Machine(Patience(endpoint_s=0.3, drafts=True))


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


def test_a_late_transcript_is_answered_by_its_draft() -> None:
    machine, actions = play(started(), ended(), Deadline(), text("hello"), machine=drafting())
    assert machine.deadline is not None
    _, more = play(Deadline(), machine=machine)
    assert [*actions[1:], *more] == [StartDraft(1, "hello"), CloseTurn("ann", "hello", 2.0), ReleaseDraft(1)]


def test_a_tool_at_work_is_not_stopped_by_a_cough_and_its_answer_is_the_rest_of_the_reply() -> None:
    machine, _ = play(*TURN, ReplyWorks(1))
    _, actions = play(started(2), ended(2), text("", 2), machine=machine)
    assert actions == [Duck(), Resume()]
    assert machine.handle(ReplyGoesOn(1), 1.0) == [GoOn(2)]
    assert machine.phase is Phase.THINKING
    assert machine.handle(ReplyGoesOn(1), 1.0) == [], "it went on already"


def test_words_stop_a_tool_at_work_and_a_stop_is_not_answered() -> None:
    machine, _ = play(*TURN, ReplyWorks(1))
    _, actions = play(started(2), ended(2), text("stop", 2), Deadline(), machine=machine)
    assert actions == [Duck(), Resume(), Cut(by_speech=True), OpenTurn("ann", 1.0), CloseTurn("ann", "stop", 2.0)]
    assert machine.phase is Phase.IDLE


def test_the_rest_of_a_reply_that_is_spoken_into_is_held_back_and_given_again_if_it_was_nothing() -> None:
    machine, _ = play(*TURN, ReplyWorks(1), started(2))
    assert machine.handle(ReplyGoesOn(1), 1.0) == [GoOn(2), Hold()]
    assert machine.handle(Deadline(), 1.0)[0] == Cut(by_speech=True)
    _, actions = play(ended(2), text("", 2), Deadline(), machine=machine)
    assert actions[-1] == StartReply(4)


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
        self.soft = False  # ducked or held

    @initialize(
        thinking_s=st.sampled_from([0.0, 0.3]),
        most_turn_s=st.sampled_from([0.0, 2.0]),
        reprompt_s=st.sampled_from([0.0, 3.0]),
        timeout_s=st.sampled_from([0.0, 1.0]),
        manual=st.booleans(),
        answers=st.booleans(),
        policy=st.sampled_from(Interruption),
    )
    def begin(
        self,
        thinking_s: float,
        most_turn_s: float,
        reprompt_s: float,
        timeout_s: float,
        manual: bool,
        answers: bool,
        policy: Interruption,
    ) -> None:
        patience = Patience(
            thinking_s=thinking_s,
            most_turn_s=most_turn_s,
            reprompt_s=reprompt_s,
            timeout_s=timeout_s,
            manual=manual,
            answers=answers,
        )
        self.machine = Machine(patience, interruption=policy)

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
                    self.draft, self.reply, self.audible, self.soft = None, number, False, False
                case StartReply(reply=number) | SayPhrase(reply=number):
                    assert self.reply is None and self.draft is None, "two replies at once"
                    self.reply, self.audible, self.soft = number, False, False
                case GoOn(reply=number):
                    assert self.reply is not None and number == self.reply + 1
                    self.reply, self.audible, self.soft = number, False, False
                case Cut():
                    assert self.reply is not None, "nothing to cut"
                    self.reply, self.soft = None, False
                case Duck():
                    assert self.reply is not None and self.audible and not self.soft
                    self.soft = True
                case Hold():
                    assert self.reply is not None and (self.soft or not self.audible)
                    self.soft = True
                case Resume():
                    assert self.soft
                    self.soft = False
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

    @rule(words=st.sampled_from(["", "mhm", "no no no", "stop"]))
    def partial(self, words: str) -> None:
        if self.speaking:
            self.give(Partial("ann", self.utterance, words))

    @rule(words=st.sampled_from(["", "yes", "no no no", "stop"]), fails=st.booleans())
    def transcript(self, words: str, fails: bool) -> None:
        if self.owed:
            utterance = self.owed.pop(0)
            self.give(HearingFailed("ann", utterance, "broken") if fails else text(words, utterance))

    @rule()
    def client_commits(self) -> None:
        if self.speaking:  # its listener ends the utterance first
            self.speaking = False
            self.owed.append(self.utterance)
            self.give(ended(self.utterance, self.now))
        self.give(Commit())

    @rule()
    def client_takes_it_back(self) -> None:
        self.give(Discard())

    @rule(wait_s=st.sampled_from([0.0, 0.2, 1.5]))
    def judged(self, wait_s: float) -> None:
        self.give(EndOfTurn("ann", self.utterance, wait_s))

    @rule()
    def deadline(self) -> None:
        if self.machine.deadline is not None:
            self.now = max(self.now, self.machine.deadline)
            self.give(Deadline())

    @rule()
    def reply_audible(self) -> None:
        if self.reply is not None and not self.audible and not self.soft:
            self.audible = True
            self.give(ReplyAudible(self.reply))

    @rule()
    def reply_works(self) -> None:
        if self.reply is not None:
            self.audible = True
            self.give(ReplyWorks(self.reply))

    @rule()
    def reply_goes_on(self) -> None:
        if self.reply is not None:
            self.give(ReplyGoesOn(self.reply))

    @rule()
    def reply_starves(self) -> None:
        if self.reply is not None and self.audible and not self.soft:
            self.give(ReplyStarved(self.reply))
            self.give(ReplyAudible(self.reply))

    @rule(fails=st.booleans())
    def reply_ends(self, fails: bool) -> None:
        if self.reply is not None:
            number, self.reply, self.soft = self.reply, None, False
            self.give(ReplyFailed(number, "gone") if fails else ReplyDone(number))

    @rule(fails=st.booleans())
    def draft_ends(self, fails: bool) -> None:
        if self.draft is not None:
            self.give(ReplyFailed(self.draft, "gone") if fails else ReplyDone(self.draft))

    @rule(number=st.integers(0, 5))
    def stale(self, number: int) -> None:
        if number < self.machine.reply:
            self.give(ReplyDone(number))

    @rule(event=st.sampled_from([Interrupt(), Respond(), Greet()]))
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
    def soft_only_while_yielding(self) -> None:
        assert self.soft == (self.machine.phase is Phase.YIELDING)

    @invariant()
    def speaking_is_audible(self) -> None:
        assert self.machine.phase is not Phase.SPEAKING or self.audible

    @invariant()
    def yielding_always_ends(self) -> None:
        assert self.machine.phase is not Phase.YIELDING or self.machine.deadline is not None

    @invariant()
    def a_deadline_belongs_to_a_phase_that_waits(self) -> None:
        if self.machine.deadline is not None:
            assert self.machine.phase not in (Phase.THINKING, Phase.SPEAKING)

    @invariant()
    def a_pause_always_ends(self) -> None:
        if self.machine.phase is Phase.PAUSED and not self.machine.patience.manual:
            assert self.machine.deadline is not None or self.owed or self.speaking


TestAnyConversation = AnyConversation.TestCase
TestAnyConversation.settings = settings(max_examples=600, stateful_step_count=40, deadline=None)


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
