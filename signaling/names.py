"""Names of rooms and of people, as they come from outside and are fit to be shown, spoken and stored. Pure.

A person's name stays text: what looks like markup is kept, and whoever shows it shows it as text. What no eye can see
is taken out, because others must be able to tell two names apart, and a language model reads what they can not see. A
joiner stays where it makes one picture of two, or shapes a letter.
"""

from __future__ import annotations

import re
from itertools import pairwise
from unicodedata import category, combining, normalize

from agent.errors import SignalingError

ROOM_RULE = "the name of a room is 1 to 64 of the letters A to Z and a to z, digits, - _ and ., and not of dots alone"
GUEST = "Guest"
"""who gives no name"""
MOST_CHARS = 40
"""of a person's name"""
LOOKED_AT = 1000
"""characters of what is sent as a name; the rest is not read"""
MOST_MARKS = 3
"""accents and the like on one letter: as many as scripts need, and no more than the line's height bears"""
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})
"""categories of Unicode without a picture: controls, joiners, marks of direction, halves of characters, private use"""
JOINER = "\u200d"
VARIANTS = frozenset("\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
"""in colour, and of which skin: they follow a picture and belong to it"""
VIRAMA = 9
"""the combining class of the signs behind which a joiner shapes a letter (RFC 5892, appendix A.2)"""
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""called letters and symbols by Unicode, and empty"""


def is_room(text: str) -> bool:
    """Whether this can be a room's name: it stands in addresses and file names as it is."""
    return bool(re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text)) and bool(text.strip("."))


def room_name(given: str) -> str:
    """The name, if it can be one.

    :raises SignalingError: 400, and what it may be made of.
    """
    if not is_room(given):
        raise SignalingError(400, f"{given[:64]!r} can not be a room: {ROOM_RULE}.", code="invalid_room", param="room")
    return given


def person_name(given: str) -> str:
    """A name that can be shown, of at most `MOST_CHARS`; `GUEST` if nothing is left of it."""
    kept: list[str] = []
    marks = 0  # that may still follow; none where there is no letter to bear them
    text = normalize("NFC", given[:LOOKED_AT])
    for char, after in pairwise(f"{text} "):
        kind = category(char)
        if char.isspace() or char in BLANK:
            marks = 0
            kept.append(" ")
        elif kind.startswith("M"):
            if marks:
                marks -= 1
                kept.append(char)
        elif char == JOINER and _joins(kept, after):
            kept.append(char)
        elif kind not in UNSEEN:
            marks = MOST_MARKS
            kept.append(char)
    # Once more, for what was taken out may have stood between a letter and its accent.
    name = normalize("NFC", " ".join("".join(kept).split()))
    return name[:MOST_CHARS].rstrip(f" {JOINER}") or GUEST


def _joins(before: list[str], after: str) -> bool:
    """Whether a joiner between these does something that can be seen."""
    if before and combining(before[-1]) == VIRAMA:
        return category(after) == "Lo"
    picture = next((char for char in reversed(before) if char not in VARIANTS), " ")
    return category(picture) == category(after) == "So"
