"""Several people and one voice: who has its ear, and what becomes of what the others say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.events import (
    Action,
    CloseTurn,
    Cut,
    Deadline,
    Duck,
    Event,
    Partial,
    ReplyAudible,
    ReplyDone,
    Respond,
    SpeechEnded,
    SpeechStarted,
    StartReply,
    Transcript,
)
from agent.floor import Floor
from agent.ledger import Patience
from agent.machine import Machine, Phase

PATIENCE = Patience(endpoint_s=0.3, drafts=False)


@dataclass
class Table:
    """A floor, and what its machines did."""

    may: set[str] = field(default_factory=lambda: {"ann", "ben", "cid"})
    answered: str = ""
    now: float = 0.0
    done: list[Action] = field(default_factory=list)
    """by the voice's machine"""
    beside: list[Action] = field(default_factory=list)
    """by the others"""

    def __post_init__(self) -> None:
        self.voice = Machine(PATIENCE)
        self.floor = Floor(self.voice, lambda speaker: speaker in self.may, lambda: self.answered)

    def take(self, *events: Event) -> None:
        for event in events:
            self.now += 0.1
            for machine in self.floor.due(self.now) if isinstance(event, Deadline) else [self.floor.takes(event)]:
                actions = machine.handle(event, self.now)
                (self.done if machine is self.voice else self.beside).extend(actions)

    def wait(self) -> None:
        """Until every deadline has passed."""
        while (deadline := self.floor.deadline) is not None:
            self.now = max(self.now, deadline)
            self.take(Deadline())


def speech(who: str, utterance: int) -> tuple[Event, ...]:
    return SpeechStarted(who, utterance, 1.0), SpeechEnded(who, utterance, 2.0)


def words(who: str, utterance: int, text: str) -> Transcript:
    return Transcript(who, utterance, text, "en")


def test_one_person_is_heard_by_the_voice_alone() -> None:
    table = Table()
    table.take(*speech("ann", 1), words("ann", 1, "Hello"))
    table.wait()
    assert StartReply(1) in table.done
    assert not table.beside


def test_who_speaks_into_somebodys_turn_gets_a_turn_of_their_own() -> None:
    table = Table()
    table.take(SpeechStarted("ann", 1, 1.0), SpeechStarted("ben", 2, 1.1), Partial("ben", 2, "Yes"))
    table.take(SpeechEnded("ben", 2, 1.5), words("ben", 2, "Yes, indeed."))
    table.take(SpeechEnded("ann", 1, 2.0), words("ann", 1, "Shall we go?"))
    table.wait()
    assert CloseTurn("ben", "Yes, indeed.", 1.5) in table.beside
    assert CloseTurn("ann", "Shall we go?", 2.0) in table.done
    assert not any(isinstance(action, StartReply) for action in table.beside)


def test_after_that_whoever_speaks_first_has_the_ear() -> None:
    table = Table()
    table.take(SpeechStarted("ann", 1, 1.0), *speech("ben", 2), words("ben", 2, "Yes."))
    table.take(SpeechEnded("ann", 1, 2.0), words("ann", 1, "Hello."))
    table.wait()
    table.take(ReplyAudible(1), ReplyDone(1))
    table.take(*speech("ben", 3), words("ben", 3, "And now me."))
    table.wait()
    assert CloseTurn("ben", "And now me.", 2.0) in table.done


def test_a_person_who_may_not_interrupt_does_not_duck_the_voice() -> None:
    table = Table(may={"ann"})
    table.take(*speech("ann", 1), words("ann", 1, "Hello"))
    table.wait()
    table.answered = "ann"
    table.take(ReplyAudible(1), SpeechStarted("ben", 2, 3.0), Partial("ben", 2, "We could also go later"))
    assert not any(isinstance(action, Duck | Cut) for action in table.done)
    table.take(SpeechStarted("ann", 3, 3.5))
    assert isinstance(table.done[-1], Duck)


def test_a_voice_that_is_not_audible_yet_is_withdrawn_only_by_whom_it_answers() -> None:
    table = Table()
    table.take(*speech("ann", 1), words("ann", 1, "Hello"))
    table.wait()
    table.answered = "ann"
    table.take(SpeechStarted("ben", 2, 3.0))
    assert table.voice.phase is Phase.THINKING
    table.take(SpeechStarted("ann", 3, 3.2))
    assert isinstance(table.done[-2], Cut)


def test_somebody_who_leaves_in_mid_sentence_is_forgotten() -> None:
    table = Table()
    table.take(SpeechStarted("ann", 1, 1.0), SpeechStarted("ben", 2, 1.1))
    table.floor.leave("ben")
    assert list(table.floor.machines) == [table.voice]


WHO = st.sampled_from(["ann", "ben", "cid"])


@given(st.lists(st.tuples(WHO, st.sampled_from("sepw"), st.sampled_from(["", "Hello there.", "Stop."])), max_size=60))
@settings(max_examples=300, deadline=None)
def test_whatever_they_say_no_word_is_in_two_turns_or_in_somebody_elses(script: list[tuple[str, str, str]]) -> None:
    table = Table()
    numbers: dict[str, int] = {}
    count, speaking = 0, set[str]()
    owner: dict[str, str] = {}
    for who, what, text in script:
        if what == "s" and who not in speaking:
            count += 1
            numbers[who] = count
            speaking.add(who)
            table.take(SpeechStarted(who, count, float(count)))
        elif what == "p" and who in speaking:
            table.take(Partial(who, numbers[who], text))
        elif what == "e" and who in speaking:
            speaking.discard(who)
            mark = f"#{numbers[who]}#"
            owner[mark] = who
            table.take(SpeechEnded(who, numbers[who], float(count)))
            table.take(words(who, numbers[who], f"{text} {mark}" if text else ""))
        else:
            table.take(Deadline())
    for who in sorted(speaking):
        table.take(SpeechEnded(who, numbers[who], 99.0), words(who, numbers[who], ""))
    table.wait()
    table.take(ReplyDone(table.voice.reply), Respond(), ReplyDone(table.voice.reply))
    closed = [action for action in (*table.done, *table.beside) if isinstance(action, CloseTurn)]
    found = [(mark, turn.speaker) for turn in closed for mark in re.findall(r"#\d+#", turn.text)]
    assert all(owner[mark] == speaker for mark, speaker in found)
    assert len({mark for mark, _ in found}) == len(found), "said twice"
