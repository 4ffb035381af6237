"""What is said over the agent's voice, weighed by its words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.overlap import Overlap, is_echo, starts_with_stop, weigh


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("", Overlap.NOTHING),
        (" ... ", Overlap.NOTHING),
        ("Mhm.", Overlap.BACKCHANNEL),
        ("M.M.", Overlap.BACKCHANNEL),
        ("Hmmmm", Overlap.BACKCHANNEL),
        ("Mm-hmm", Overlap.BACKCHANNEL),
        ("Uh-huh.", Overlap.BACKCHANNEL),
        ("Yeah, okay.", Overlap.BACKCHANNEL),
        ("Right, right.", Overlap.BACKCHANNEL),
        ("I see.", Overlap.BACKCHANNEL),
        ("Genau", Overlap.BACKCHANNEL),
        ("D’accord, oui", Overlap.WORDS),
        ("No.", Overlap.WORDS),
        ("Why?", Overlap.WORDS),
        ("Seven", Overlap.BACKCHANNEL),
        ("7", Overlap.WORDS),
        ("Rate.", Overlap.BACKCHANNEL),
        ("A-C", Overlap.BACKCHANNEL),
        ("日曜日", Overlap.WORDS),
        ("Right, but what about Monday?", Overlap.WORDS),
        ("Stop.", Overlap.STOP),
        ("Stop, stop!", Overlap.STOP),
        ("No no, stop.", Overlap.STOP),
        ("Wait a minute", Overlap.STOP),
        ("Please stop", Overlap.STOP),
        ("Stop the car", Overlap.WORDS),
        ("待って", Overlap.STOP),
    ],
)
def test_weights(text: str, weight: Overlap) -> None:
    assert weigh(text) is weight


def test_a_sentence_may_begin_with_stop() -> None:
    assert starts_with_stop("Wait, I meant Tuesday")
    assert starts_with_stop("Hold on a second, please")
    assert not starts_with_stop("What is the stop called")
    assert not starts_with_stop("")


def test_our_own_words_are_an_echo_and_a_person_who_quotes_one_of_them_is_not() -> None:
    played = "The capital of France is Paris, and it lies on the Seine."
    assert is_echo("Paris and it lies on the", played)
    assert is_echo("lies on the sane", played)
    assert not is_echo("Paris?", played)
    assert not is_echo("what about the capital of Spain", played)
    assert not is_echo("", played)


@given(st.text(), st.text())
def test_any_text_can_be_weighed(text: str, played: str) -> None:
    assert weigh(text) in Overlap
    assert not is_echo(text, "")
    is_echo(text, played)
    starts_with_stop(text)
