"""What of a written text is to be said: markdown, emoji and stage directions are for the eye, numbers and signs
for a reader who knows their names.

Markdown is removed by patterns and not by a parser: a clause is a piece of a document that may begin or end in the
middle of any construct, and what a parser does not know it escapes or drops.
"""

from __future__ import annotations

import html
import re

from agent.speaking.readings import read

_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\U000e0020-\U000e007f\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\ufe0e\ufe0f\u200d\u20e3]"
)
_DIRECTION = re.compile(r"(?:(?<=^)|(?<=[.!?…]\s)|(?<=\s))([*\[(])([a-z]+(?:s|ing)\b[^*\[\]()\n]{0,40})[*\])](?=\s|$)")
_IMAGE_OR_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*(?:\s+\"[^\"\n]*\")?\)")
_ADDRESS = re.compile(r"\bhttps?://(?:www\.)?([^\s/?#]+)[^\s]*?(?=[.,;:!?)]*(?:\s|$))")
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>\n]*)?/?>|<!--.*?-->")
_ENTITY = re.compile(r"&(?:[a-z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
_LINE_MARK = re.compile(r"^[^\S\n]*(?:#{1,6}\s+|>\s*|[-*+•]\s+(?:\[[ xX]\]\s+)?)+", re.MULTILINE)
_RULE = re.compile(r"^[^\S\n]*(?:[-*_=|:]\s*){3,}$", re.MULTILINE)
_STRONG = re.compile(r"\*\*+|__+(?=\W|$)|(?<!\w)__+|~~+|`+")
_STAR = re.compile(r"(?<![\d\s])\*|\*(?![\d\s])")
_UNDERSCORE = re.compile(r"(?<!\w)_+|_+(?!\w)")
_CELLS = re.compile(r"\s*\|\s*")
_SPACE = re.compile(r"\s+")
_SPACE_BEFORE_MARK = re.compile(r"\s+(?=[,.!?;:](?:\s|$))")


def spoken(text: str, language: str = "en") -> str:
    """The text for a synthesiser, in words; "" if nothing in it can be said. Well under 1 ms for a clause.

    :param text: a clause as a language model wrote it.
    :param language: ISO 639-1, of the text. Of one that is not known, only the marks for the eye are removed.
    """
    said = _IMAGE_OR_LINK.sub(r"\1", text)
    said = _ENTITY.sub(lambda match: html.unescape(match.group()), _TAG.sub(" ", said))
    said = _EMOJI.sub("", said)
    said = _RULE.sub("", said)
    said = _DIRECTION.sub(_unless_emphasis, said)
    said = _LINE_MARK.sub("", said)
    said = _STRONG.sub("", said)
    said = _STAR.sub("", said)
    said = _UNDERSCORE.sub("", said)
    said = _ADDRESS.sub(r"\1", read(said, language))
    said = _CELLS.sub(", ", said.strip().strip("|"))
    said = _SPACE_BEFORE_MARK.sub("", _SPACE.sub(" ", said)).strip()
    return said if any(character.isalnum() for character in said) else ""


def _unless_emphasis(match: re.Match[str]) -> str:
    """ "*smiles*" goes where a sentence could begin; in the middle of one, "*always*" is emphasis and
    stays."""
    before = match.string[: match.start()].rstrip()
    return match.group() if before and before[-1] not in ".!?…" else ""
