"""Words that were told stay told: what two recognitions agree on, and the rest at the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.realtime.transcript import Transcript


def test_what_two_recognitions_agree_on_is_told_but_for_the_last_word() -> None:
    transcript = Transcript()
    assert transcript.grow("What is") == ""
    assert transcript.grow("What is the cap") == "What is"
    assert transcript.grow("What is the capital of") == " the"
    assert transcript.end("What is the capital of France?") == " capital of France?"


def test_what_was_settled_otherwise_stays_so() -> None:
    transcript = Transcript()
    transcript.grow("I scream you")
    assert transcript.grow("I scream you scream") == "I scream you"
    assert transcript.end("Ice cream, you scream, we all scream") == " scream, we all scream"


@given(st.lists(st.lists(st.sampled_from("a b c".split()), max_size=5), max_size=6))
def test_nothing_is_told_twice(heard: list[list[str]]) -> None:
    transcript = Transcript()
    pieces = [transcript.grow(" ".join(words)) for words in heard]
    last = heard[-1] if heard else []
    pieces.append(transcript.end(" ".join(last)))
    told = "".join(pieces).split()
    assert len(told) == max(len(last), len("".join(pieces[:-1]).split()))
