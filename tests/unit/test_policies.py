"""Rooms' policies: whom the agent answers, who may interrupt it, and how its name is heard."""

from __future__ import annotations

import pytest

from agent.company import Company
from agent.errors import ConfigError
from agent.policies import JUST_S, POLICIES, Addressed, Moderated, OneToOne, Policy, Said, Scene, Scribe, named, policy

NAMES = ("Antiphon",)
TWO = Scene(NAMES, people=2)
HEARD = (
    "Antiphon, what time is it?",
    "Hey Anti phone, can you hear us?",
    "What do you think, Antifon?",
    "Auntie phone, stop.",
    "ANTIPHON!",
)
OTHERS = (
    "Can anybody hear me?",
    "Anything else?",
    "The telephone rang.",
    "An antique phone booth stood there.",
    "Nobody answered.",
    "",
)


@pytest.mark.parametrize("text", HEARD)
def test_a_name_is_heard_however_a_recogniser_writes_it(text: str) -> None:
    assert named(text, NAMES)


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_no_name_is_none(text: str) -> None:
    assert not named(text, NAMES)


def test_a_short_name_must_be_spelled_right() -> None:
    assert named("Max, are you there?", ("Max",))
    assert not named("The mat is here.", ("Max",))


@pytest.mark.parametrize(
    ("rule", "nobody", "by_name", "button", "just_spoken_to"),
    [
        (OneToOne(), True, True, True, True),
        (Addressed(), False, True, True, True),
        (Moderated(), False, False, True, False),
        (Scribe(), False, False, False, False),
    ],
)
def test_each_policy_answers_whom_it_says(
    rule: Policy, nobody: bool, by_name: bool, button: bool, just_spoken_to: bool
) -> None:
    assert rule.answers(Said("a", "Shall we go?"), TWO) is nobody
    assert rule.answers(Said("a", "Antiphon, shall we go?"), TWO) is by_name
    assert rule.answers(Said("a", "Shall we go?", asked=True), TWO) is button
    assert rule.answers(Said("a", "And tomorrow?"), Scene(NAMES, 2, answered="a", since_s=2.0)) is just_spoken_to


def test_who_is_alone_with_the_agent_need_not_name_it() -> None:
    assert Addressed().answers(Said("a", "Shall we go?"), Scene(NAMES, people=1))
    assert not Moderated().answers(Said("a", "Shall we go?"), Scene(NAMES, people=1))


def test_an_old_answer_is_no_conversation() -> None:
    assert not Addressed().answers(Said("a", "And tomorrow?"), Scene(NAMES, 2, answered="a", since_s=JUST_S))


def test_only_whom_it_speaks_to_interrupts_the_agent_by_voice_alone() -> None:
    scene = Scene(NAMES, 3, answered="a")
    for rule in (Addressed(), Moderated()):
        assert rule.may_interrupt("a", scene)
        assert not rule.may_interrupt("b", scene)
    assert OneToOne().may_interrupt("b", scene)


def test_somebody_else_who_speaks_ends_the_conversation_with_the_agent() -> None:
    now = [100.0]
    company = Company(Addressed(), NAMES, lambda: now[0])
    company.join("a", "Ann")
    company.join("b", "Ben")
    assert not company.addressed("a", "Shall we go?")
    company.answers("a")
    company.done()
    assert company.addressed("a", "And tomorrow?")
    company.spoke("b")
    assert not company.addressed("a", "And tomorrow?")


def test_a_button_counts_until_the_turn_is_over_and_as_long_as_it_is_held() -> None:
    company = Company(Moderated(), NAMES)
    company.join("a", "Ann")
    company.hold("a", on=True)
    assert company.addressed("a", "What time is it?")
    assert company.may_interrupt("a")
    company.spoke("a")
    assert company.addressed("a", "And where?"), "it is still held"
    company.hold("a", on=False)
    assert company.addressed("a", "And where?"), "what was said while it was held"
    company.spoke("a")
    assert not company.addressed("a", "And where?")


def test_a_line_that_names_the_agent_is_for_it() -> None:
    company = Company(Moderated(), NAMES)
    assert company.wrote("a", "Antiphon: what time is it?")
    assert not company.wrote("a", "Shall we go?")


def test_settings_name_a_policy() -> None:
    assert all(isinstance(policy(name), kind) for name, kind in POLICIES.items())
    with pytest.raises(ConfigError, match="one_to_one, addressed"):
        policy("both")


def test_a_name_is_for_telling_people_apart() -> None:
    """Alone with the agent nobody has one: a prompt that begins with "Guest:" is none of a call."""
    alone, among = Company(names=NAMES), Company(Addressed(), NAMES, several=True)
    for company in (alone, among):
        company.join("1", "Ann")
    assert (alone.name("1"), alone.everybody) == ("", [])
    assert (among.name("1"), among.everybody) == ("Ann", ["Ann", *NAMES])


@pytest.mark.parametrize(
    ("text", "called"),
    [("Antiphon.", True), ("Anti phone,", True), ("Antiphon, stop.", False), ("Hello.", False), ("", False)],
)
def test_a_name_alone_is_a_call_and_not_a_wish(text: str, called: bool) -> None:
    assert Company(names=["Antiphon"]).called(text) is called
