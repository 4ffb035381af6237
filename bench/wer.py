"""How wrong a transcript is: word, character and digit error rates.

The rate is the least number of substituted, deleted and inserted tokens that turns the reference into the
hypothesis, over the number of tokens of the reference. A token is a word; in languages that are written
without spaces, a character; in digit strings, a digit. Rates of several clips are pooled (errors over tokens),
never averaged, so that a long clip counts as what it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""ISO 639 codes of languages written without spaces between words; scored by character."""

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u0060\u00b4", "'"))
_DIGITS = {
    word: str(digit)
    for digit, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
} | {"oh": "0", "o": "0"}


@dataclass(frozen=True, slots=True)
class Errors:
    """Counts of one clip, or, added up, of many."""

    wrong: int = 0
    """substitutions + deletions + insertions, tokens"""
    total: int = 0
    """tokens in the reference"""

    @property
    def rate(self) -> float:
        """Errors per reference token, 0 for perfect; may exceed 1. An empty reference counts as one token."""
        return self.wrong / max(self.total, 1)

    def __add__(self, other: Errors) -> Errors:
        return Errors(self.wrong + other.wrong, self.total + other.total)


def words(text: str) -> list[str]:
    """Words in lower case without punctuation; apostrophes inside a word stay, numbers stay as they come.

    "Ask not -- what YOUR country’s 3rd..." is ``ask not what your country's 3rd``.
    """
    text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).lower()
    kept = "".join(
        char if unicodedata.category(char)[0] in "LMN" or char == "'" else " " for char in text if char != "\u00ad"
    )
    return [word for word in (part.strip("'") for part in kept.split()) if word]


def tokens(text: str, language: str) -> list[str]:
    """What is counted: words, or the characters of them where the language writes no spaces."""
    return list("".join(words(text))) if language in UNSPACED else words(text)


def digits(text: str) -> list[str]:
    """The digits of a spoken or written English number string: "5 5, five oh" is ``5 5 5 0``.

    Words that are no digit stay whole, and so count as one error each.
    """
    found: list[str] = []
    for word in words(text):
        found.extend(word if word.isdecimal() else [_DIGITS.get(word, word)])
    return found


def distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Levenshtein's distance in tokens (Wagner and Fischer 1974, one row at a time)."""
    row = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, start=1):
        diagonal, row[0] = row[0], i
        for j, heard in enumerate(hypothesis, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (expected != heard))
    return row[-1]


def word_errors(reference: str, hypothesis: str, language: str = "en") -> Errors:
    """Word errors of one clip; character errors where `UNSPACED`."""
    expected = tokens(reference, language)
    return Errors(distance(expected, tokens(hypothesis, language)), len(expected))


def digit_errors(reference: str, hypothesis: str) -> Errors:
    """Digit errors of one spoken number."""
    expected = digits(reference)
    return Errors(distance(expected, digits(hypothesis)), len(expected))
