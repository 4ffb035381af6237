"""Written forms that only English needs in words: its years, decades, kings, sums and fractions.

Found by listening: hibari reads "10–20" as "ten twenty", eSpeak "1990s" as "nineteen hundred ninety z" and
"World War II" as "World War roman two".
"""

from __future__ import annotations

import re
from collections.abc import Callable

_TENS = ("tens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")
_FRACTIONS = {"1/2": "one half", "1/3": "one third", "2/3": "two thirds", "1/4": "one quarter", "3/4": "three quarters"}
_MIXED = {"1/2": "a half", "1/3": "a third", "2/3": "two thirds", "1/4": "a quarter", "3/4": "three quarters"}
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50}
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_KINGS = (
    "Henry|Louis|Elizabeth|George|Charles|William|James|Edward|Richard|Philip|Napoleon|Ramesses|Catherine|"
    r"Benedict|Paul|Pius|Nicholas|Frederick|Wilhelm|(?:King|Queen|Pope|Emperor|Tsar) [A-Z]\w+"
)
_COUNTED = "World War|Chapter|Part|Act|Scene|Volume|Book|Phase|Type|Class|Section|Level|Title|Super Bowl"


def _roman(numeral: str) -> int:
    values = [_ROMAN[letter] for letter in numeral]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


def _ordinal(number: int | str) -> str:
    number = int(number)
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _year(match: re.Match[str]) -> str:
    century, year = match[1], match[2]
    return (
        f"{century} hundred" if year == "00" else f"{century} oh {year[1]}" if year[0] == "0" else f"{century} {year}"
    )


def _decade(match: re.Match[str]) -> str:
    century, tens = match[1], int(match[2])
    if tens:
        return f"{century} {_TENS[tens - 1]}" if century else _TENS[tens - 1]
    return {"20": "two thousands", None: match[0]}.get(century, f"{century} hundreds")


def _fraction(match: re.Match[str]) -> str:
    return f"{match[1]} and {_MIXED[match[2]]}" if match[1] else _FRACTIONS[match[2]]


_READINGS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(rf"\b({_MONTHS}) (\d{{1,2}})(?=,? |[.,!?;]|$)(?!:)"), lambda m: f"{m[1]} {_ordinal(m[2])}"),
    (re.compile(r"(?<![\w.,/$'’])['’]?(1[1-9]|20)?(\d)0['’]?s\b"), _decade),
    (
        re.compile(
            r"(?:(?<=\b[Ii]n )|(?<=[Ss]ince )|(?<=[Bb]y )|(?<=[Ff]rom )|(?<=[Uu]ntil )|(?<=\bto )|(?<=\bof )|(?<=fore )"
            r"|(?<=fter )|(?<=year )|(?<=late )|(?<=early )|(?<=\d(?:st|nd|rd|th), )|(?<=[a-z] \d, )|(?<=\())"
            r"(1[1-9])(\d\d)(?![\w°%$€£]|[.,:/-]\d| (?:million|billion|percent))"
        ),
        _year,
    ),
    (re.compile(r"(?<![\w.,/-])(1[1-9])(\d\d)(?= to 1[1-9] ?\d\d(?!\d))"), _year),
    (re.compile(rf"\b({_COUNTED}) ([IVXL]+)\b(?!['’]\w)"), lambda m: f"{m[1]} {_roman(m[2])}"),
    (re.compile(rf"\b({_KINGS}) ([IVX]+)\b(?!['’]\w|\.\w)"), lambda m: f"{m[1]} the {_ordinal(_roman(m[2]))}"),
    (re.compile(r"(?<![\w./])(?:(\d+) )?(1/[234]|2/3|3/4)(?![\w/]|\.\d)"), _fraction),
    (re.compile(r"(?<![\w:])([01]?\d):00(?! ?[AaPp]\.?[Mm])(?![\d:])"), r"\1 o'clock"),
    (re.compile(r"(?<![\w:])(1?\d):00(?= ?[AaPp]\.?[Mm])"), r"\1"),
    (re.compile(r"(?<![\w.,])(\d)['’′](\d{1,2})(?:[\"”″]|['’′]{2})"), r"\1 feet \2 inches"),
    (re.compile(r"\bfeet (\d{1,2}) in\b"), r"feet \1 inches"),
    (re.compile(r"(?<![\w.,])(\d+(?:\.\d+)?)k(?!\w)"), r"\1 thousand"),
    (re.compile(r"(?<=\d) ?[x×] ?(?=\d)"), " times "),
    (re.compile(r"(?<=\d) ?x(?= (?:as|faster|slower|more|less|larger|bigger|better)\b)"), " times"),
    (re.compile(r"(?<=\d) [-−] (?=\d)"), " minus "),
    (re.compile(r"(?<=\w)²"), " squared"),
    (re.compile(r"(?<=\w)³"), " cubed"),
    (re.compile(r"(?<=\w) ?\^ ?(?=[\w-])"), " to the power of "),
    (re.compile(r" ?≥ ?"), " greater than or equal to "),
    (re.compile(r" ?≤ ?"), " less than or equal to "),
    (re.compile(r" ?≠ ?"), " not equal to "),
    (re.compile(r"\bNo\. ?(?=\d)"), "number "),
    (re.compile(r"(?<!\w)([CF])#"), r"\1 sharp"),
    (re.compile(r"\bCO[2₂](?!\w)"), "C O 2"),
    (re.compile(r"\bH[2₂]O(?!\w)"), "H 2 O"),
)  # fmt: skip


def english(text: str) -> str:
    """The text with these forms in words."""
    for pattern, words in _READINGS:
        text = pattern.sub(words, text)
    return text
