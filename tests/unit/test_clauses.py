"""Clauses: nothing lost, no dependence on where the deltas were cut, and the traps of written language."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.speaking.clauses import FIRST_JOINER_WORDS, FIRST_MOST_WORDS, MOST_CHARS, Clause, Clauses
from agent.speaking.spoken import spoken

PIECES = st.sampled_from(
    ["Hello", " ", "world", ".", ",", "!", "?", "...", "…", "\n", "\n\n", "```", "`", "**", "*", "3", ".5", " 7", "$",
     "Dr.", "e.g.", "U.S.", "10:30", "https://a.b/c.d?e", "😀", "*smiles*", "。", "，", "好", "\"", ")", "(", "[x](http://y.z)",
     "- ", "1. ", "|", "—", ";", "and", "because", "Then", "x" * 60, "_", "#", "\t", "\u200b"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=60).map("".join) | st.text(max_size=200)


def clauses(*deltas: str) -> list[Clause]:
    """The clauses of a reply that came in these pieces."""
    cutter = Clauses()
    found = [clause for delta in deltas for clause in cutter.feed(delta)]
    return [*found, *cutter.flush()]


def said(text: str) -> list[str]:
    return [clause.spoken for clause in clauses(text) if clause.spoken]


@given(TEXTS)
@example("a " * 400)
@example("x" * 2000)
@example("```\n" + "y. z\n" * 300)
def test_nothing_is_lost(text: str) -> None:
    found = clauses(text)
    joined = "".join(clause.text for clause in found)
    assert text.startswith(joined)
    assert not text[len(joined) :].strip()
    assert all(clause.text.strip() for clause in found)
    assert all(len(clause.text.strip()) <= MOST_CHARS for clause in found)


@given(TEXTS, st.data())
def test_where_the_deltas_were_cut_does_not_matter(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    deltas = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = clauses(text)
    assert clauses(*deltas) == whole
    assert clauses(*text) == whole


@given(TEXTS)
def test_what_is_spoken_can_be_said(text: str) -> None:
    for clause in clauses(text):
        assert clause.spoken == clause.spoken.strip()
        assert not clause.spoken or any(character.isalnum() for character in clause.spoken)
        assert "😀" not in clause.spoken
        assert "**" not in clause.spoken


@pytest.mark.parametrize(
    "text",
    [
        "It costs 3.5 euros.",
        "Dr. Smith met Mrs. Jones.",
        "Fruit, e.g. apples.",
        "The U.S. and the U.K. agree.",
        "At 10:30 a.m. we leave.",
        "It is 3,500 metres high.",
        "Wait... there is more.",
        "Hm… perhaps.",
        'He said "Stop!" twice.',
        "J. K. Rowling wrote it.",
        "1. First of all",
        "Approx. five of them.",
    ],
)
def test_is_one_clause(text: str) -> None:
    assert [clause.text for clause in clauses(*text)] == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello! How are you?", ["Hello!", "How are you?"]),
        ("No. I can not.", ["No.", "I can not."]),
        ("That is all... I think.", ["That is all...", "I think."]),
        ('"Yes." Then he went.', ['"Yes."', "Then he went."]),
        ("你好，世界。今天很好！是吗？", ["你好，世界。", "今天很好！", "是吗？"]),
        ("Yes, of course, my friend.", ["Yes, of course,", "my friend."]),
        ("One two three, four. Five six seven, eight.", ["One two three,", "four.", "Five six seven, eight."]),
        ("First line\nsecond line", ["First line", "second line"]),
        (
            "I would like to tell you about the moon and its many craters.",
            ["I would like", "to tell you about the moon and its many craters."],
        ),
        ("You should probably talk less tonight, friend.", ["You should probably talk less", "tonight, friend."]),
        ("There are several good reasons why people read.", ["There are several good reasons", "why people read."]),
        ("That whole walk took nearly 5 km today.", ["That whole walk took nearly 5 kilometers", "today."]),
        ("My old friend there was Dr. Smith today.", ["My old friend there was", "Dr. Smith today."]),
        ("My old friend was Dr. Smith today.", ["My old friend was Dr. Smith", "today."]),
        ("He owes our bank about $2.5 million now.", ["He owes our bank about 2.5 million dollars", "now."]),
        ("*takes a breath and smiles* Hello.", ["Hello."]),
        ("See [the very long page on it](https://x.org/a) today.", ["See the very long page on it", "today."]),
        ("1 2 3 4 5 6 7 8 9 10 11 12", ["1 2 3 4 5 6 7 8 9", "10 11 12"]),
    ],
)
def test_is_cut_where_a_speaker_would(text: str, expected: list[str]) -> None:
    assert said(text) == expected


def test_the_first_clause_is_out_before_the_sentence_is() -> None:
    cutter = Clauses()
    words = "on the other hand one could also say that all of this does not matter much".split()
    heard = 0
    for heard, word in enumerate(words, 1):  # noqa: B007
        if found := list(cutter.feed(word + " ")):
            assert found[0].text == " ".join(words[: len(found[0].text.split())])
            break
    assert heard <= FIRST_MOST_WORDS + 1


@given(st.lists(st.sampled_from(["word", "and", "to", "longer", "sea"]), min_size=12, max_size=30))
def test_the_first_clause_is_three_to_five_words(words: list[str]) -> None:
    first, *_ = clauses(" ".join(words))
    assert FIRST_JOINER_WORDS <= len(first.text.split()) <= FIRST_MOST_WORDS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**Sure**, this is *the* `list`.", "Sure, this is the list."),
        ("*smiles* Hello!", "Hello!"),
        ("Hello! *clears throat* Well.", "Hello! Well."),
        ("This *always* works.", "This always works."),
        ("# Title", "Title"),
        ("- an item", "an item"),
        ("> quoted", "quoted"),
        ("See [the page](https://x.org/a_b).", "See the page."),
        ("Visit https://www.example.com/a.b?c=1.", "Visit example.com."),
        ("Great 😀👍🏽!", "Great!"),
        ("2 * 3 is 6 and 2*3 too", "2 * 3 is 6 and 2*3 too"),
        ("snake_case and _this_", "snake_case and this"),
        ("---", ""),
        ("😀", ""),
        ("...", ""),
        ("| a | b |", "a, b"),
        ("~~no~~ yes", "no yes"),
    ],
)
def test_marks_for_the_eye_are_not_said(text: str, expected: str) -> None:
    assert spoken(text) == expected


def test_the_second_clause_does_not_wait_for_a_long_sentence() -> None:
    """It has to be made while the first is played; later ones may be longer."""
    run_on = " ".join(["people walk over old bridges"] * 10) + "."
    counts = [len(clause.split()) for clause in said(f"Yes they do. {run_on}")]
    assert counts[0] == 3
    assert counts[1] <= 20
    assert sum(counts) == 53


def test_code_is_shown_and_not_said() -> None:
    text = "Like this:\n```python\nprint('Hi. There.')\n```\nThat is it."
    assert said(text) == ["Like this:", "That is it."]
    assert "".join(clause.text for clause in clauses(*text)) == text
