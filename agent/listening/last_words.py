"""What the last words of a transcript say about whether more follows. Pure, and quick: no model.

Small tables of words that hardly ever end a turn, for five languages; in any other nothing is known, and the sound
decides. A recogniser punctuates fragments as if they were sentences, so a full stop proves little; a comma, a dash or
"..." it writes only where the voice was left hanging.
"""

from __future__ import annotations

import re

HANGING = (",", "...", "…", "-", "–", "—", ":", ";", "、", "，")
"""ends of a text that goes on"""
FULL_STOPS = (".", "?", "!", "。", "？", "！")

_ALWAYS = {
    "en": "a an the my your our their its and or but because if than which whose while i'm it's um uh er hmm",
    "de": "der die das den dem des ein eine einen einem einer mein meine dein deine unser ihre und oder aber weil wenn "
    "dass ob von für zu zum zur im am bei äh ähm",
    "fr": "le la les l un une des du de et ou mais que qui parce si mon ma mes ton ta tes son sa ses au aux euh",
    "es": "el la los las un una unos unas de del al y o pero que porque si mi mis tu tus su sus en con por para eh",
    "pt": "o a os as um uma uns umas de do da dos das e ou mas que porque se meu minha seu sua em no na com por para",
}
_BUT_IN_QUESTIONS = {
    "en": "of to with from for at by as into is are was were that",
    "de": "mit auf an in ist sind war",
    "fr": "à en dans pour avec sur est sont a",
    "es": "a es son",
    "pt": "à é são",
}
"""they end questions ("Where is it from?") but no statement"""
_OPENERS = {
    "en": "first firstly",
    "de": "erstens zuerst zunächst",
    "fr": "premièrement d'abord",
    "es": "primero",
    "pt": "primeiro primeiramente",
}
"""who begins so has more to say: "First, we go to Rome." """
_AFTER_AN_OPENER = re.compile(r"\b(and|finally|last|und|schließlich|zuletzt|et|enfin|y|finalmente|e)\b", re.IGNORECASE)
_TABLES = {
    language: (
        frozenset(words.split()),
        frozenset(_BUT_IN_QUESTIONS[language].split()),
        frozenset(_OPENERS[language].split()),
    )
    for language, words in _ALWAYS.items()
}
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_PIECE = re.compile(r"(?!\d+(?:st|nd|rd|th)$)(?:\d+|[A-Z]{1,3}|[A-Za-z]\d+|\d+[A-Za-z]|(?=\w*\d)(?=\w*[A-Z])\w+)")
"""a group of digits, of capitals, or of both"""
_YEAR = re.compile(r"(19|20)\d\d")
_JOINED = re.compile(r"\b(and|or|und|oder|et|ou|y|o|e)\b", re.IGNORECASE)
_ANNOUNCED = re.compile(
    r"\b(?:number|code|pin|password|postcode|zip|account|booking|nummer|numéro|número|código)(?:\W+\w+){0,3}\W*$",
    re.IGNORECASE,
)
"""what the digits at the end are, a few words before them"""

_TOLD = re.compile(r", (?:(?:said|[a-z]+ed),? [A-Z]\w+|[A-Z]\w+ said)[.!]?$")
"""a story's words for who spoke, at its end; a recogniser hears a comma in them that nobody wrote"""
_SPELLING = re.compile(r"\bspel\w*", re.IGNORECASE)
_LIST_BEGUN = re.compile(
    r"^on (?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b(?:buy|invite|pack)\b(?:\W+\w+){1,4}\W*$", re.IGNORECASE
)


def unfinished(text: str, language: str) -> bool:
    """Whether more is bound to follow: a hanging end, or a last word like "the" or "because".

    :param language: ISO 639-1; one without a table has only its punctuation.
    """
    text = text.strip()
    if text.endswith(HANGING):
        return True
    words = _WORD.findall(text.lower())
    if not words or language not in _TABLES or not _WORD.search(text[-2:]):
        return False
    always, but_in_questions, _ = _TABLES[language]
    return words[-1] in always or (words[-1] in but_in_questions and not text.endswith("?"))


def dictated(text: str, language: str) -> bool:
    """Whether a number or a name is being spelled, or things are being listed: the next part may follow.

    True for "555-01", "4, 2", "M-E", "My number is 42", "First, we eat", "No, no, no."; not for "25", "in 1945", "It
    is 5 miles".
    """
    text = text.strip()
    if text.endswith(("?", "？")):
        return False
    if (
        _again_and_again(text)
        or _opened(text, language)
        or _SPELLING.search(text)
        or (language == "en" and _begun(text))
    ):
        return True
    run: list[str] = []
    for piece in reversed([piece for piece in re.split(r"[\s,.\-–!]+", text) if piece]):
        if not _PIECE.fullmatch(piece):
            break
        run.append(piece)
    joined = "".join(run)
    if len(run) > 1:
        return any(character.isdigit() for character in joined) or all(len(piece) < 3 for piece in run)
    if not any(character.isdigit() for character in joined) or _YEAR.fullmatch(joined):
        return False
    alone = joined == text.rstrip(".!,")
    return len(joined) > 2 or not joined.isdigit() or (alone and len(joined) == 1) or bool(_ANNOUNCED.search(text))


def _again_and_again(text: str) -> bool:
    """Whether it is one word three times or more: who says that has more to say, or counts in words that the recogniser
    took for others."""
    said = [word.strip(",.!-").lower() for word in text.split()]
    return len(said) > 2 and len(set(said)) == 1


def _opened(text: str, language: str) -> bool:
    """Whether it begins with "first" and no second has come."""
    if language not in _TABLES:
        return False
    first = text.lower().split(maxsplit=1)[0].strip(",.:") if text else ""
    return first in _TABLES[language][2] and not _AFTER_AN_OPENER.search(text)


def _begun(text: str) -> bool:
    """Whether it begins what is usually a list, and no "and" has come yet: "We have to buy paint"."""
    return bool(_LIST_BEGUN.search(text)) and not _JOINED.search(text)


def listed(text: str) -> bool:
    """Whether it ends in what may be items of a list, without the "and" that comes before the last. "Not now, Tom"
    looks like one, too; with "said Anna" behind it it does not."""
    if _TOLD.search(text):
        return False
    items = [item.strip() for item in text.rstrip(".!").split(",")]
    return len(items) > 2 and all(0 < len(item.split()) < 3 for item in items[-2:]) and not _JOINED.search(items[-1])
