"""How long a pause must be before it is the end of the turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.listening.endpointing import Endpointing, Judgement, clear, judge
from agent.listening.last_words import dictated, listed, unfinished

probabilities = st.none() | st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    "text", ["What is the capital of France?", "Yes.", "Hello.", "No, thank you.", "I would like to book a table."]
)
def test_a_complete_text_with_a_falling_voice_is_sure(text: str) -> None:
    assert judge(0.97, text, "en") is Judgement.SURE
    assert judge(0.97, text, "en", complete=0.4) is Judgement.SURE


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Tell me the", "en"),
        ("I don't know because...", "en"),
        ("I need eggs,", "en"),
        ("So I went to the.", "en"),
        ("And um", "en"),
        ("Ich möchte gerne einen", "de"),
        ("Je voudrais aller à la", "fr"),
        ("Quiero hablar con el", "es"),
        ("Eu queria falar com a minha", "pt"),
    ],
)
def test_a_hanging_text_is_unfinished_however_the_voice_falls(text: str, language: str) -> None:
    assert unfinished(text, language)
    assert judge(0.999, text, language) is Judgement.UNFINISHED
    assert judge(0.999, text, language, complete=0.01) is Judgement.UNFINISHED


def test_the_language_model_may_overrule_the_table_of_last_words() -> None:
    text = "Tell me what the chemical is."
    assert unfinished(text, "en")
    assert judge(0.98, text, "en", complete=0.7) is Judgement.SURE


def test_what_the_language_model_takes_for_a_fragment_is_not_sure() -> None:
    assert judge(0.9, "Author of the danger.", "en", complete=0.9) is Judgement.SURE
    assert judge(0.9, "Author of the danger.", "en", complete=0.005) not in (Judgement.SURE, Judgement.LIKELY)


def test_where_sound_and_words_leave_no_doubt_the_language_model_is_not_asked() -> None:
    assert clear(0.98, "Where do penguins live?", "en")
    assert judge(0.98, "Where do penguins live?", "en", complete=0.01) is Judgement.SURE
    for probability, text in ((None, "Where do they live?"), (0.7, "Where do they live?"), (0.99, None), (0.99, "")):
        assert not clear(probability, text, "en")
    for text in ("I need the", "However.", "My number is 555.", "Anna, Peter, my sister."):
        assert not clear(0.99, text, "en"), text


def test_a_full_stop_that_the_recogniser_was_not_sure_of_proves_nothing() -> None:
    text = "They have feathers in."
    assert clear(0.97, text, "en", stop=0.9)
    assert not clear(0.97, text, "en", stop=0.2)
    assert judge(0.97, text, "en", stop=0.2, complete=0.001) is Judgement.UNFINISHED
    assert judge(0.97, "I like it here.", "en", stop=0.2, complete=0.1) is not Judgement.SURE


def test_of_a_single_word_no_recogniser_is_sure() -> None:
    assert judge(0.95, "Hello.", "en", stop=0.3, complete=0.1) is judge(0.95, "Hello.", "en", stop=0.6, complete=0.1)


def test_a_question_may_end_in_a_preposition() -> None:
    assert not unfinished("Where does it come from?", "en")
    assert unfinished("It comes from", "en")
    assert not unfinished("Can you repeat that?", "en")
    assert unfinished("Research has shown that", "en")


def test_a_language_without_a_table_is_judged_by_its_sound() -> None:
    assert not unfinished("ne var ne yok ve", "tr")
    assert judge(0.98, "Nasılsın?", "tr") is Judgement.SURE
    assert judge(0.05, "Nasılsın?", "tr") is not Judgement.SURE


@pytest.mark.parametrize(
    "text",
    [
        *("Call me at 555.", "5, 5", "917-30", "My name is spelled M-E.", "My number is 42.", "The booking is 7k, Q2"),
        *("8", "No, no, no.", "Bye, bye, bye."),
    ],
)
def test_a_number_that_is_being_spelled_is_given_time(text: str) -> None:
    assert dictated(text, "en")
    assert judge(0.99, text, "en", complete=0.9) is Judgement.DOUBTFUL


@pytest.mark.parametrize(
    "text",
    [
        *(
            "25",
            "It was in 1945.",
            "Is it 5, 6 or 7?",
            "I have 2.",
            "the 12th",
            "in 25 to 30 years.",
            "I live in the US.",
        ),
        "In whole numbers the ratio is said to be three to 2.",
    ],
)
def test_an_ordinary_number_is_no_spelling(text: str) -> None:
    assert not dictated(text, "en")


def test_what_is_said_twice_may_be_all() -> None:
    assert not dictated("Bye, bye.", "en")
    assert not dictated("No, no, not that.", "en")


def test_a_list_ends_with_and() -> None:
    assert dictated("Please invite Anna, Peter, my sister.", "en")
    assert not dictated("Please invite Anna, Peter, and my sister.", "en")
    assert not dictated("No, thank you.", "en")


def test_what_a_story_says_of_its_speaker_is_no_item_of_a_list() -> None:
    assert listed("Not now, Tom, not yet.")
    assert not listed("Not now, Tom, apologized Anna.")
    assert not listed("Not now, Tom, Anna said.")
    assert not listed("Not now, Tom, apologized, Anna.")
    assert listed("We need onions, chopped carrots, peeled potatoes.")


def test_who_says_first_has_more_to_say() -> None:
    assert dictated("First, we go to Rome.", "en")
    assert dictated("First, we go to Rome. Then to Naples.", "en")
    assert not dictated("First, we go to Rome, and then to Naples.", "en")
    assert not dictated("The first is red.", "en")


@given(probabilities, st.none() | st.text(max_size=40), st.sampled_from(["", "en", "de", "ja"]), probabilities)
def test_whatever_is_known_there_is_an_end(
    probability: float | None, text: str | None, language: str, complete: float | None
) -> None:
    endpointing = Endpointing(sure_ms=200, endpointing_ms=700, limit_ms=1500)
    assert 0.2 <= endpointing.wait_s(probability, text, language, complete=complete) <= 1.5


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.sampled_from(["I like it.", "Tell me the", "555", "Yes"]))
def test_a_surer_sound_never_waits_longer(one: float, other: float, text: str) -> None:
    endpointing, low, high = Endpointing(), *sorted((one, other))
    assert endpointing.wait_s(high, text, "en") <= endpointing.wait_s(low, text, "en")


def test_nothing_is_sure_before_the_text_is_known() -> None:
    assert judge(1.0, None) is Judgement.LIKELY
    assert judge(0.1, None) is Judgement.DOUBTFUL
    assert judge(None, None) is Judgement.DOUBTFUL


def test_a_slow_speaker_is_given_more_time_and_a_fast_one_less() -> None:
    slow, fast = Endpointing(limit_ms=1500), Endpointing(limit_ms=1500)
    assert slow.limit_s == fast.limit_s == slow.wait_s(0.1, "Tell me the", "en") == 1.5
    for _ in range(2):
        slow.went_on(1.8)
    for _ in range(40):
        fast.went_on(0.5)
    assert 1.8 < slow.limit_s <= 2.4
    assert slow.wait_s(0.1, "Tell me the", "en") == slow.limit_s
    assert 1.0 <= fast.limit_s < 1.5


@given(st.lists(st.floats(0.0, 60.0), max_size=60), st.integers(700, 4000))
def test_the_limit_stays_near_what_was_set(pauses: list[float], limit_ms: int) -> None:
    endpointing = Endpointing(limit_ms=limit_ms)
    for pause_s in pauses:
        endpointing.went_on(pause_s)
    assert 0.79 * limit_ms <= 1000 * endpointing.limit_s <= 1.61 * limit_ms


def test_gaps_between_words_are_no_patience() -> None:
    endpointing = Endpointing()
    for _ in range(50):
        endpointing.went_on(0.2)
    assert endpointing.limit_s == 1.7


@pytest.mark.parametrize("order", [(0, 500, 1500), (600, 500, 1500), (200, 1600, 1500)])
def test_times_that_contradict_each_other_are_refused(order: tuple[int, int, int]) -> None:
    sure_ms, endpointing_ms, limit_ms = order
    with pytest.raises(ValueError, match="sure_ms <= endpointing_ms <= limit_ms"):
        Endpointing(sure_ms=sure_ms, endpointing_ms=endpointing_ms, limit_ms=limit_ms)


def test_who_has_paused_in_this_turn_is_waited_for_longer() -> None:
    rule = Endpointing(sure_ms=300, endpointing_ms=650, limit_ms=1700)

    def waits() -> tuple[float, float]:
        sure = rule.wait_s(0.98, "What is the capital of France?", "en", stop=0.95)
        return sure, rule.wait_s(0.7, "I would like to go there.", "en", stop=0.8, complete=0.2)

    sure, likely = waits()
    assert sure == 0.3
    assert likely == 0.65
    rule.went_on(0.3)
    assert 0.4 < waits()[0] < 0.65
    assert waits()[1] == likely
    rule.went_on(1.0)
    assert 1.1 < waits()[1] < 1.7
    rule.turn_over()
    assert waits() == (0.3, likely)


def test_the_less_sure_the_end_the_longer_it_is_waited_for() -> None:
    rule = Endpointing(sure_ms=300, endpointing_ms=650, limit_ms=1700)
    waits = [rule.wait_s(0.97, "I like it here.", "en", stop=stop) for stop in (0.95, 0.8, 0.7, 0.6)]
    assert waits[0] == 0.3
    assert waits == sorted(waits)
    assert 0.4 < waits[-1] < 0.65
    doubts = [rule.wait_s(sound, "I like it here.", "en", stop=0.6, complete=0.2) for sound in (0.8, 0.6, 0.4, 0.2)]
    assert doubts == sorted(doubts)
    assert doubts[0] == 0.65 < doubts[1] < doubts[2] < 1.7


def test_a_text_without_a_full_stop_or_without_words_is_not_likely_the_end() -> None:
    assert judge(0.6, "avec une autre performance.", "fr", complete=0.25) is Judgement.LIKELY
    assert judge(0.6, "avec une autre performance", "fr", complete=0.25) is Judgement.DOUBTFUL
    assert judge(0.99, "", "en") is Judgement.UNFINISHED


def test_a_sentence_that_reads_like_the_end_is_not_waited_for_to_the_limit() -> None:
    assert judge(0.03, "It is the dream that was built around it.", "en", complete=0.6) is Judgement.LIKELY
    assert judge(0.03, "It is the dream that was built around it.", "en", complete=0.2) is not Judgement.LIKELY


def test_what_can_not_be_complete_is_waited_for_however_the_voice_falls() -> None:
    assert judge(0.9, "At the varying by 12.", "en", complete=0.02) is Judgement.UNFINISHED
    assert judge(0.9, "Hello there.", "en", complete=0.02) is not Judgement.UNFINISHED
    assert judge(0.9, "At the varying by 12.", "pt", complete=0.02) is not Judgement.UNFINISHED
