"""The error rates of the bench, and what the recogniser thinks of its own text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audio import EAR_RATE
from agent.engines.asr.doubts import compression, one_round, repeats, unspoken, without_tail
from agent.engines.asr.whisper import WINDOW_S
from agent.engines.pieces import pieces
from bench.wer import Errors, digit_errors, digits, distance, tokens, word_errors, words

TEXT = st.lists(st.sampled_from(["a", "b", "c"]), max_size=12)


def test_words_are_lower_case_without_punctuation() -> None:
    assert words("Ask not -- what YOUR country’s 3rd...") == ["ask", "not", "what", "your", "country's", "3rd"]
    assert words("« Qu’on dix-sept » 'tis") == ["qu'on", "dix", "sept", "tis"]
    assert words("") == []


def test_unspaced_languages_count_characters() -> None:
    assert tokens("于 2011 年，完工。", "zh") == list("于2011年完工")


def test_digits_come_as_words_or_figures() -> None:
    assert digits("5 5, five oh") == ["5", "5", "5", "0"]
    assert digits("555-0142") == list("5550142")
    assert digit_errors("5 5 5", "five fife five") == Errors(1, 3)


@pytest.mark.parametrize(
    ("reference", "heard", "wrong"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a c", 1),
        ("a b c", "a x c", 1),
        ("a b c", "a b b c", 1),
        ("a b", "", 2),
        ("", "a", 1),
    ],
)
def test_errors_are_substitutions_deletions_and_insertions(reference: str, heard: str, wrong: int) -> None:
    assert word_errors(reference, heard).wrong == wrong


def test_rates_are_pooled() -> None:
    assert (Errors(1, 2) + Errors(0, 8)).rate == pytest.approx(0.1)
    assert Errors().rate == 0.0


@given(TEXT, TEXT, TEXT)
def test_distance_is_a_metric(one: list[str], two: list[str], three: list[str]) -> None:
    assert (distance(one, two) == 0) == (one == two)
    assert distance(one, two) == distance(two, one)
    assert distance(one, three) <= distance(one, two) + distance(two, three)
    assert abs(len(one) - len(two)) <= distance(one, two) <= max(len(one), len(two))


@pytest.mark.parametrize(
    "text",
    [
        "Concorde returned to its place. Concorde returned to its place.",
        "8-0-3-9-7-6-1 8-0-3-9-7-6-1",
        "急いで国人に主向く姿が急いで国人に主向く姿が",
        "five five five five five five",
    ],
)
def test_circles_are_seen(text: str) -> None:
    assert repeats(text)


@pytest.mark.parametrize("text", ["", "No, no.", "Ask not what your country can do for you", "555-1234", "bye bye"])
def test_straight_text_is_left_alone(text: str) -> None:
    assert not repeats(text)
    assert compression(text) < 2.0


def test_a_loop_at_the_end_is_cut_to_one_round() -> None:
    assert without_tail("well thank you thank you thank you tha") == "well thank you"
    assert without_tail("7 7 7 7 7") == "7"
    assert without_tail("no no no wait a minute") == "no no no wait a minute"
    assert without_tail("") == ""


@given(st.lists(st.sampled_from(["a", "b"]), max_size=20))
def test_a_cut_text_is_how_the_text_began(spoken: list[str]) -> None:
    cut = without_tail(" ".join(spoken)).split()
    assert cut == spoken[: len(cut)]
    assert bool(cut) == bool(spoken)


@pytest.mark.parametrize(
    ("text", "logprob", "no_speech", "expected"),
    [
        ("Thank you.", -0.1, 0.04, False),  # said
        ("Thank you.", -0.8, 0.45, True),  # made of babble
        ("I'm going to put the oil in the pan.", -1.6, 0.7, True),  # made of a machine's noise
        ("Thanks for watching!", -0.1, 0.0, True),
        (". . .", -0.1, 0.0, True),
        ("eight zero three", -0.4, 0.5, False),
    ],
)
def test_text_out_of_noise_is_told_from_speech(text: str, logprob: float, no_speech: float, expected: bool) -> None:
    assert unspoken(text, logprob, no_speech) is expected


def test_long_sound_is_cut_where_it_is_quiet() -> None:
    random = np.random.default_rng(1)
    wave = (random.standard_normal(int(70 * EAR_RATE)) * 0.1).astype(np.float32)
    for quiet in (20.0, 45.0):
        wave[int((quiet - 0.15) * EAR_RATE) : int((quiet + 0.15) * EAR_RATE)] = 0.0
    parts = pieces(wave, WINDOW_S)
    assert np.array_equal(np.concatenate(parts), wave)
    assert all(len(part) <= WINDOW_S * EAR_RATE for part in parts)
    assert len(parts[0]) / EAR_RATE == pytest.approx(20.0, abs=0.1)
    assert (len(parts[0]) + len(parts[1])) / EAR_RATE == pytest.approx(45.0, abs=0.1)
    assert len(pieces(wave[: 10 * EAR_RATE], WINDOW_S)) == 1


def test_an_utterance_that_was_written_again_and_again_is_taken_once() -> None:
    loop = "The boat came in. The boat came in. The boat came in. The bo"
    assert one_round(loop) == "The boat came in."
    assert one_round("The boat came in. The boat came in.") == "", "it may have been said twice"
    assert one_round("Well, the boat came in. The boat came in. The boat came in.") == ""
    assert one_round("") == ""
