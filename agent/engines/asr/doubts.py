"""Is a transcript to be believed? Whisper goes round in circles, and it makes up words where nobody spoke.

**Circles.** The decoder sometimes misses the end of what was said and says it again, and again, until the token
limit, above all when its encoder saw less than the 30 s that it was trained on. `repeats` and `compression` only
cast suspicion: people do say "no, no, no", so what they flag is heard a second time and never simply deleted.

**Inventions.** Given noise, Whisper writes "you", "Thank you." or "I'm going to put the oil in the pan.". Two
numbers give it away: P(no speech) of its first step, and the mean log-probability of its tokens. Over 120 clips of
silence, hum, white, pink and brown noise, clicks, dishes, keyboards, machines and babble, and 150 of speech from
"Yes." to 15 s, clean and noisy, `unspoken` drops all of the former but some babble (which is speech), and one of the
latter, a "Sure." in noise that was misheard anyway.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

_SHORTEST_WORDS = 3
"""words that, said twice in a row, are suspicious"""
_SHORTEST_CHARACTERS = 6
"""letters and digits that, said twice in a row, are suspicious; spaces and punctuation do not count"""
_MARKS = ".,!?;:…。、！？"
_STOCK = frozenset({"you", "thank you", "thank you so much", "thanks", "bye", "oh", "so", "the end", "okay"})
"""What Whisper writes for noise and people also say: believed only if the model is sure."""
_CREDITS = (
    "amara org",
    "thanks for watching",
    "thank you for watching",
    "please subscribe",
    "untertitel im auftrag",
    "untertitelung des zdf",
    "sous titrage",
    "gracias por ver el video",
    "obrigado por assistir",
    "ご視聴ありがとうございました",
    "字幕by",
)
"""Ends of films, which Whisper learnt from subtitles (openai/whisper discussion 928); nobody says them here."""


def repeats(text: str) -> bool:
    """Whether a run of words, or of characters, occurs twice in a row."""
    letters = [char for char in text.lower() if char.isalnum()]
    return _doubled(_plain(text), _SHORTEST_WORDS) or _doubled(letters, _SHORTEST_CHARACTERS)


def _plain(text: str) -> list[str]:
    return [word.strip(_MARKS) for word in text.lower().split()]


def _doubled(items: Sequence[str], shortest: int) -> bool:
    """Whether any ``shortest`` or more items are followed at once by the same items."""
    for period in range(shortest, len(items) // 2 + 1):
        alike = 0
        for here, there in zip(items, items[period:], strict=False):
            alike = alike + 1 if here == there else 0
            if alike == period:
                return True
    return False


def compression(text: str) -> float:
    """How many times smaller zlib makes the text's UTF-8; 0 for ""."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def without_tail(text: str) -> str:
    """The text with a loop at its very end reduced to one round, for when hearing it again did not help.

    "thank you thank you thank you tha" at the token limit is no one's speech; "thank you" may be. Two rounds are
    left alone. The last word does not count: the limit may have cut it in two.
    """
    words, plain = text.split(), _plain(text)[:-1]
    for period in range(1, len(plain) // 3 + 1):
        start = len(plain) - period
        while start > 0 and plain[start - 1] == plain[start - 1 + period]:
            start -= 1
        if len(plain) - start >= 3 * period:
            return " ".join(words[: start + period])
    return text


def one_round(text: str) -> str:
    """What is said again and again from the first word to the token limit, once; "" if the text is no such loop.

    The decoder heard all of it and missed the end. Two whole rounds and the beginning of a third are wanted, of at
    least three words: people do say "no, no, no".
    """
    words, plain = text.split(), _plain(text)[:-1]
    for period in range(_SHORTEST_WORDS, (len(plain) - 1) // 2 + 1):
        if all(plain[n] == plain[n - period] for n in range(period, len(plain))):
            return " ".join(words[:period])
    return ""


def unspoken(text: str, logprob: float, no_speech: float) -> bool:
    """Whether the model wrote this about a recording in which nobody spoke.

    :param logprob: mean log-probability of the tokens, at most 0.
    :param no_speech: probability of "no speech" at the first step, 0..1.
    """
    said = " ".join("".join(char if char.isalnum() else " " for char in text.lower()).split())
    if not said or any(credit in said for credit in _CREDITS):
        return True
    if logprob < -1.5 or (logprob < -1.0 and no_speech > 0.4) or (logprob < -0.55 and no_speech > 0.55):
        return True
    return said in _STOCK and logprob < -0.4 and no_speech > 0.3
