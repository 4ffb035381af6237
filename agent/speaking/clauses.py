"""Text as a language model streams it, cut into what a synthesiser takes at once.

The first clause is short, because it is what the caller waits for, and the second not too long, because it has to be
ready when the first is over; later ones are sentences, because a sentence is what a synthesiser intones. Every decision
depends on the text alone, never on where the deltas were cut: a place whose meaning the next characters decide waits
for them.

How short the first may be was measured with hibari on 16 sentences without an early comma, cut, synthesised in
two, joined and recognised by Whisper: the pause at the seam is 60 ms (at most 75) after 3 to 6 words, the whole
lasts 100 ms less than in one piece, and the recogniser's word errors stay at 4 of 227 down to 6 words. From 5
words on they rise (5, with 4 words 6, with 3 words 7), and so they do if joining words do not matter (6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.speaking.spoken import spoken

FIRST_COMMA_WORDS = 3
"""words before a comma at which the first clause may end"""
FIRST_JOINER_WORDS = 3
"""words after which the first clause may end before a joining word, without any punctuation"""
FIRST_MOST_WORDS = 5
"""words after which the first clause ends between any two words"""
BOUND_WORDS = 4
"""words more that a clause may have so that it does not end between a number or a title and what belongs to it, nor
inside a link or a stage direction"""
SECOND_COMMA_WORDS, SECOND_JOINER_WORDS, SECOND_MOST_WORDS = 8, 12, 20
"""the same for the second clause, which has to be made while the first is played: three words may be 0.9 s, in which a
small model on two cores writes 30 words at most, and they are not speech yet"""
LATER_COMMA_CHARS = 150
"""characters after which a later clause may end at a comma: some 10 s of speech"""
LATER_MOST_WORDS = 45
"""words after which a later clause ends between any two words"""
MOST_CHARS = 500
"""characters after which a clause ends wherever it is; no language has such words"""

_CANDIDATE = re.compile(r"[.!?…。！？]+|[,;:—–，、；：]|\n|[^\S\n]+")
_CLOSERS = re.compile(r"[\"'”’»)\]」』）*_]*")
_BINDS = re.compile(r".*[\d$€£#].*|.+\.")
"""a word that what follows may belong to: "5 km", "$2.5 million", "Dr. Smith" """
_BOUND = re.compile(r"[^\S\n]+[(+~-]?[\d$€£#°%]")
"""a word that may belong to what it follows: "March 3rd", "number 5" """
_PERHAPS_BOUND = re.compile(r"[^\S\n]+[(+~-]?")
_CLOSED = re.compile(r"\[[^\]]*\]|\([^)]*\)|(?<![*\w])\*[^\s*][^*]*\*")
_OPEN = re.compile(r"[\[(]|(?<![*\w])\*(?=[^\s*])")
"""left when what is `_CLOSED` is taken away: a link or a stage direction goes on"""
_NEXT_WORD = re.compile(r"\s+(\w+)(?=\W)")
_INITIALS = re.compile(r"(?:\w\.)*[^\WI\d_]|(?:\w\.)+\w")
_WORD = re.compile(r"[^\s\u3040-\u30ff\u3400-\u9fff]+|[\u3040-\u30ff\u3400-\u9fff]{1,2}")
_WIDE_ENDS = frozenset("。！？")
_WIDE_COMMAS = frozenset("，、；：")
_FENCE = "```"
_ABBREVIATIONS = frozenset(
    "dr mr mrs ms prof st sr jr vs approx inc ltd co corp gen col lt sgt capt rev hon mt ave blvd dept fig vol pp "
    "ca cf al est jan feb mar apr jun jul aug sep sept oct nov dec bzw nr sra srta mme mlle dra".split()
)
_JOINERS = frozenset(
    "and but or because so which who that when where while if than with without for from in on at to as by "
    "y o pero porque que cuando si con para en et ou mais parce quand avec pour dans und oder aber weil wenn dass "
    "mit für in e ou mas quando se com para em ma perché che con per".split()
)


@dataclass(frozen=True, slots=True)
class Clause:
    """What is synthesised at once."""

    text: str
    """as the language model wrote it; all clauses joined are its text, but for white space at the end"""
    spoken: str
    """for the synthesiser, without markdown, emoji and stage directions; "" if there is nothing to say"""


class Clauses:
    """One reply's text on its way to the synthesiser; a new one for each reply.

    :param language: ISO 639-1, in which numbers and signs are read.
    """

    def __init__(self, language: str = "en") -> None:
        self._language = language
        self._pending = ""
        self._line_begins = True
        self._fenced = False
        self._said = 0  # clauses with something to say

    def feed(self, delta: str) -> Iterator[Clause]:
        """The clauses that are complete with this piece of text."""
        self._pending += delta
        yield from self._cut(last=False)

    def flush(self) -> Iterator[Clause]:
        """The text has ended: what is left of it."""
        yield from self._cut(last=True)

    def _cut(self, *, last: bool) -> Iterator[Clause]:
        while self._pending.strip():
            end = self._end(last=last)
            if end is None:
                if not last:
                    return
                end = len(self._pending)
            text, self._pending = self._pending[:end], self._pending[end:]
            yield self._clause(text)

    def _clause(self, text: str) -> Clause:
        fence = self._at_line_start(text) and text.lstrip().startswith(_FENCE)
        said = "" if fence or self._fenced else spoken(text, self._language)
        if fence:
            self._fenced = not self._fenced
        self._line_begins = False
        self._said += bool(said)
        return Clause(text, said)

    def _at_line_start(self, text: str) -> bool:
        return self._line_begins or "\n" in text[: len(text) - len(text.lstrip())]

    def _end(self, *, last: bool) -> int | None:
        """Where the first clause of what is pending ends; None if what is to come decides."""
        text = self._pending
        start = len(text) - len(text.lstrip())
        most = start + MOST_CHARS
        if self._at_line_start(text):
            if not last and len(text) - start < len(_FENCE) and _FENCE.startswith(text[start:]):
                return None
            code = self._fenced or text.startswith(_FENCE, start)
        else:
            code = self._fenced
        if code:
            newline = text.find("\n", start, most)
            return newline if newline >= 0 else (most if len(text) >= most else None)
        for match in _CANDIDATE.finditer(text, start):
            if match.start() >= most:
                break
            end = self._verdict(text, start, match, last=last)
            if end is None or end > 0:
                return end
        return most if len(text) >= most else None

    def _verdict(self, text: str, start: int, match: re.Match[str], *, last: bool) -> int | None:
        """Where the clause ends because of this match; 0 if it does not; None if what is to come decides."""
        mark = match.group()
        if mark == "\n":
            return match.start()
        if mark[0] in ".!?…。！？":
            return _sentence_end(text, start, match, last=last)
        if mark.isspace():
            return self._between_words(text, start, match.start(), last=last)
        end = match.end()
        if end == len(text) and not last:
            return None
        if mark not in _WIDE_COMMAS and mark not in "—–" and not text[end : end + 1].isspace():
            return 0
        if self._said < 2:
            least = (FIRST_COMMA_WORDS, SECOND_COMMA_WORDS)[self._said]
            return end if _words(text[start : match.start()]) >= least else 0
        return end if end - start >= LATER_COMMA_CHARS else 0

    def _between_words(self, text: str, start: int, space: int, *, last: bool) -> int | None:
        words = _words(text[start:space])
        stage = min(self._said, 2)
        most = (FIRST_MOST_WORDS, SECOND_MOST_WORDS, LATER_MOST_WORDS)[stage]
        if words < (FIRST_JOINER_WORDS, SECOND_JOINER_WORDS, most)[stage]:
            return 0
        if words < most + BOUND_WORDS:
            so_far = text[start:space]
            if (
                _BINDS.fullmatch(so_far.split()[-1])
                or _BOUND.match(text, space)
                or _OPEN.search(_CLOSED.sub("", so_far))
            ):
                return 0
            if not last and _PERHAPS_BOUND.fullmatch(text, space):
                return None
        if words >= most:
            return space
        following = _NEXT_WORD.match(text if not last else text + " ", space)
        if following is None:
            # Either the next word is not complete, or it is no word but punctuation.
            return None if not last and not re.search(r"\W", text[space:].lstrip()) else 0
        return space if following.group(1).lower() in _JOINERS else 0


def _sentence_end(text: str, start: int, match: re.Match[str], *, last: bool) -> int | None:
    """As `Clauses._verdict`, for full stops and their kin."""
    marks = match.group()
    closers = _CLOSERS.match(text, match.end())
    assert closers is not None
    end = closers.end()
    if end == len(text):
        return 0 if last else None
    if not _WIDE_ENDS.isdisjoint(marks):
        return end
    if not text[end].isspace():
        return 0
    if marks == ".":
        before = text[start : match.start()]
        word = before.split()[-1].lstrip("(\"'“‘[*_") if before.strip() else ""
        if word.lower() in _ABBREVIATIONS or _INITIALS.fullmatch(word) or before.strip().isdigit():
            return 0
    if marks in {"…", "..", "..."} or closers.group().strip("*_"):
        # "Well... perhaps" and «"Stop!" he said» go on; a capital does not.
        if end + 1 == len(text):
            return end if last else None
        return 0 if text[end + 1].islower() else end
    return end


def _words(text: str) -> int:
    """Words; where a script has no spaces, every two characters are one."""
    return len(_WORD.findall(text))
