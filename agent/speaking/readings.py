"""Written forms of any language as words: addresses, telephone numbers, dates, money, units, ranges.

What is to be read is found here; how it is called comes from Unicode's CLDR by Babel (BSD-3) and, where CLDR has no
word for it, from `agent.speaking.lexicon`. Cardinal and ordinal numbers, percents, clock times and most titles stay
in digits: every synthesiser reads those right in its own language, with the grammar that it knows and we do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal, get_currency_name
from babel.units import format_unit

from agent.speaking.english import english
from agent.speaking.lexicon import CURRENCIES, LETTER_UNITS, LEXICONS, NO_WORDS, UNITS

Substitution = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_NOTABLE = re.compile(r"[\d@/.]")
"""a text without any of these has no form that is found here"""
_EXACTLY = "0.##########"
"""CLDR number pattern that rounds nothing"""
_TOP_LEVEL = "com|org|net|edu|gov|info|io|ai|dev|app|co|uk|de|fr|es|eu|ch"
"""domains that are known for such without "www." before them"""
_SAID_AS_WORD = frozenset({"co", "me", "so", "to"})
"""two-letter top-level domains that are not spelled"""
_ISO_DATE = re.compile(r"(?<![\w./-])(\d{4})-(\d{2})-(\d{2})(?![\w/-])")
_DATE = re.compile(r"(?<![\w./-])(\d{1,2})([./])(\d{1,2})\2(\d{4})(?![\w/-])")
_EMAIL = re.compile(r"(?<![\w@.+-])([\w.+-]*\w)@((?:[\w-]+\.)+[A-Za-z]{2,})(?![\w@])")
_DOMAIN = re.compile(
    rf"(?<![\w@/.-])(?:www\.((?:[\w-]+\.)+[a-z]{{2,}})|((?:[A-Za-z0-9-]+\.)+(?:{_TOP_LEVEL})))((?:/[\w.-]*\w)*)/?"
    r"(?![\w@-])"
)
_TELEPHONE = re.compile(
    r"(?<![\w.,/-])(?:"
    r"(?P<plus>\+)\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){2,5}"
    r"|\(\d{3}\)[ .-]?\d{3}[ .-]\d{4}|(?:1[ .-])?\d{3}[.-]\d{3}[.-]\d{4}|\d{3} \d{3} \d{4}|\d{3}-\d{4}"
    r"|\(0\d{2,4}\)[ /-]?\d{3,}(?:[ -]\d{2,})*|0\d(?:[ .]\d\d){4}|0\d{2,4}[/-]\d{4,}"
    r")(?![\w/-]|[.,]\d)"
)
_DOTTED = re.compile(r"(?<![\w.,/-])(v(?:er)?\.? ?)?(\d+(?:\.\d+){2,})(?![\w/-]|[.,]\d)")
_VERSION = re.compile(r"(?<![\w./-])[vV]\.? ?(\d+)\.(\d+)(?![\w/-]|[.,]\d)")
_RANGE = re.compile(
    r"(?<![\w.,:/–-])([$€£]?)(\d+(?:[.,]\d+)?)( ?– ?|-)[$€£]?(\d+(?:[.,]\d+)?)(?=\b)(?![\d–/:-]|[.,]\d)"
)
_ABOUT = re.compile(r"(?<![\w~≈])[~≈] ?(?=[$€£]?\d)")
_NUMBER_SIGN = re.compile(r"(?<![\w&#])#(?=\d)")
_DIGITS = re.compile(r"\d+")


def read(text: str, language: str) -> str:
    """The text with its written forms in words; what is unknown stays as it is.

    :param language: ISO 639-1; a language that Babel does not know leaves the text as it is.
    """
    if _NOTABLE.search(text):
        for pattern, word in _substitutions(language):
            text = pattern.sub(word, text)
    return english(text) if language == "en" else text


@lru_cache(maxsize=64)
def _substitutions(language: str) -> tuple[Substitution, ...]:
    """In this order: a date is no range, a price no number with a unit. The first call takes some 10 ms."""
    try:
        locale = Locale.parse(language)
    except (UnknownLocaleError, ValueError, TypeError):  # each is Babel's for some malformed code
        return ()
    return _Readings(locale).substitutions


class _Readings:
    """One language's."""

    def __init__(self, locale: Locale) -> None:
        self._locale = locale
        words = self._words = LEXICONS.get(locale.language, NO_WORDS)
        self._comma = locale.number_symbols["latn"]["decimal"] == ","
        group, point = (r"[. \u00a0\u202f]", ",") if self._comma else (",", r"\.")
        number = rf"\d{{1,12}}(?:{group}\d{{3}}){{0,4}}(?:{point}\d{{1,10}})?"
        signs = _alternatives(CURRENCIES)
        scale = r"(?:\s?(thousand|million|billion|trillion|bn|Millionen|Milliarden|Mio\.|Mrd\.|[kKmMbB](?!\w)))?"
        unit = re.compile(rf"(?<![\w.,/])({number})([ \u00a0\u202f-]?)({_alternatives(UNITS)})(?![\w/²³°^])")
        before = re.compile(rf"(?<![\w$])({signs})\s?({number}){scale}(?![\w]|[.,]\d)")
        after = re.compile(rf"(?<![\w.,])({number}){scale}\s?({signs})(?!\w)")
        known: list[Substitution] = [(_ISO_DATE, self._iso_date), (_DATE, self._date)]
        if words.at:
            known += [(_EMAIL, self._email), (_DOMAIN, self._domain), (_TELEPHONE, self._telephone)]
            known += [(_DOTTED, self._dotted), (_VERSION, self._version), (_RANGE, self._range)]
            known += [(_ABOUT, lambda _: f"{words.about} "), (_NUMBER_SIGN, lambda _: f"{words.number} ")]
        if words.abbreviations:
            short = re.compile(rf"(?<![\w./-])({_alternatives(words.abbreviations)})(?![\w/])")
            known.append((short, self._abbreviation))
        known.append((before, lambda m: self._money(m, m[1], m[2], m[3])))
        known.append((after, lambda m: self._money(m, m[3], m[1], m[2])))
        known.append((unit, self._unit))
        self.substitutions = tuple(known)
        self._unit_name("1", "length-meter")  # reads CLDR's file for the language, here and not in a call

    def _value(self, written: str) -> Decimal:
        plain = re.sub(r"[. \u00a0\u202f]", "", written).replace(",", ".") if self._comma else written.replace(",", "")
        return Decimal(plain)

    def _unit_name(self, written: str, unit: str) -> str:
        value = self._value(written)
        named = format_unit(value, unit, "long", format=_EXACTLY, locale=self._locale)
        return named.replace(format_decimal(value, format=_EXACTLY, locale=self._locale), written, 1).replace(" ", " ")

    def _unit(self, match: re.Match[str]) -> str:
        written, gap, sign = match.groups()
        if not gap and sign in LETTER_UNITS:
            return match[0]
        if gap == "-":  # "a 5-km run"
            return self._unit_name("1", UNITS[sign]).replace("1", written, 1)
        return self._unit_name(written, UNITS[sign])

    def _money(self, match: re.Match[str], sign: str, written: str, scale: str | None) -> str:
        code, value = CURRENCIES[sign], self._value(written)
        if scale:
            said = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion", "mio.": "Millionen",
                    "mrd.": "Milliarden"}.get(scale.lower(), scale)  # fmt: skip
            if self._locale.language not in ("en", "de"):
                return match[0]
            return f"{written} {said} {self._currency(code, Decimal(2))}"
        point = "," if self._comma else "."
        whole, _, fraction = written.partition(point)
        if len(fraction) != 2:
            return f"{written} {self._currency(code, value)}"
        major = f"{whole} {self._currency(code, self._value(whole))}"
        if fraction == "00":
            return major
        small = self._words.small_money.get(code)
        digits = fraction.lstrip("0") if small or fraction[0] == "0" else fraction
        minor = f"{digits} {small[fraction != '01']}" if small else digits
        if small and not self._value(whole):
            return minor
        return self._words.minor.format(major=major, minor=minor)

    def _currency(self, code: str, value: Decimal) -> str:
        names = self._words.money.get(code)
        return names[value != 1] if names else get_currency_name(code, value, self._locale)

    def _iso_date(self, match: re.Match[str]) -> str:
        return self._day(match, int(match[1]), int(match[2]), int(match[3]))

    def _date(self, match: re.Match[str]) -> str:
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        day_first = first > 12 or match[2] == "." or (self._words.day_first and second <= 12)
        return self._day(match, year, *((second, first) if day_first else (first, second)))

    def _day(self, match: re.Match[str], year: int, month: int, day: int) -> str:
        try:
            return format_date(date(year, month, day), "long", self._locale)
        except ValueError:
            return match[0]

    def _email(self, match: re.Match[str]) -> str:
        return f"{self._spell(match[1])} {self._words.at} {self._host(match[2])}"

    def _domain(self, match: re.Match[str]) -> str:
        return self._host(match[1] or match[2]) + self._spell(match[3])

    def _host(self, name: str) -> str:
        labels = name.split(".")
        if len(labels[-1]) == 2 and labels[-1].lower() not in _SAID_AS_WORD:
            labels[-1] = " ".join(labels[-1].upper())
        return self._spell(".".join(labels))

    def _spell(self, part: str) -> str:
        words = self._words
        for sign, word in ((".", words.dot), ("/", words.slash), ("_", words.underscore), ("-", words.dash),
                           ("+", words.plus)):  # fmt: skip
            part = part.replace(sign, f" {word} ")
        return part.rstrip()

    def _telephone(self, match: re.Match[str]) -> str:
        groups = _DIGITS.findall(match[0])
        if not 7 <= sum(map(len, groups)) <= 15:
            return match[0]
        return (f"{self._words.plus} " if match["plus"] else "") + ", ".join(" ".join(group) for group in groups)

    def _dotted(self, match: re.Match[str]) -> str:
        parts = match[2].split(".")
        if self._comma and all(len(part) == 3 for part in parts[1:]):
            return match[0]  # 1.234.567
        said = f" {self._words.dot if len(parts) == 4 else self._words.point} ".join(parts)
        return f"{self._words.version} {said}" if match[1] else said

    def _version(self, match: re.Match[str]) -> str:
        return f"{self._words.version} {match[1]} {self._words.point} {match[2]}"

    def _range(self, match: re.Match[str]) -> str:
        sign, low, dash, high = match.groups()
        falling = Decimal(low.replace(",", ".")) > Decimal(high.replace(",", "."))
        if dash == "-" and falling and (self._locale.language != "en" or len(high) > 2):
            return match[0]  # not a score such as 3-2
        return f"{low} {self._words.to} {sign}{high}"

    def _abbreviation(self, match: re.Match[str]) -> str:
        word = self._words.abbreviations[match[0]]
        at_end = match.end() == len(match.string.rstrip()) and match[0].endswith(".")
        return word + "." if at_end else word


def _alternatives(written: dict[str, str]) -> str:
    return "|".join(re.escape(form) for form in sorted(written, key=len, reverse=True))


_substitutions("en")  # now, so that no call of an English speaker pays for it
