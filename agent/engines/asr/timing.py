"""When each word was said: Whisper's attention says it roughly, the sound itself says it well.

The decoder looks, while it writes a token, at the sound that the token is of (`ctranslate2.models.Whisper.align`). Its
steps are 20 ms, but a pause belongs to no token, and is counted to the words around it. `settled` takes the silence off
again. First and last words of 47 spoken sentences with pauses of 0 to 1.2 s between them were off by (median / 90th
percentile): base 190 / 590 ms before, 4 / 12 ms after; tiny.en 90 / 280 and 7 / 38 ms. `sentences` makes of words what
a line of subtitles is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.audio import EAR_RATE, F32
from agent.engines.protocols import Segment, TimedWord

STEP_S = 0.02
"""between two positions of the encoder's output"""
TICK = EAR_RATE // 100
"""samples whose level is looked at: 10 ms"""
QUIET_DB = 30.0
"""below the loud parts, from which on a tick is silent"""
STOP_S = 0.12
"""the longest silence that can be inside a word: a stop consonant's"""
PAUSE_S = 1.0
"""between two words, after which a new line begins whatever the punctuation"""
LONGEST_S = 15.0
"""of a line, if it has a comma to be parted at"""
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]»]*$")
_CLAUSE_END = re.compile(r"[,;:、，；][\"'”’)\]»]*$")
_TITLES = frozenset({"mr.", "mrs.", "ms.", "dr.", "st."})
_OPENING = "\"'“¿¡([{-«"


@dataclass(frozen=True, slots=True)
class Placed:
    """A word where the decoder saw it."""

    raw: str
    """with the space before it, if its language has spaces"""
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """of each token"""
    start_s: float
    end_s: float


def placed(
    words: Sequence[str],
    tokens: Sequence[Sequence[int]],
    alignments: Sequence[tuple[int, int]],
    probabilities: Sequence[float],
) -> list[Placed]:
    """The words of a text, in s from the beginning of what was encoded.

    :param words: as the tokenizer parts them; punctuation may stand alone.
    :param tokens: of each word.
    :param alignments: pairs of a token's index and an encoder's position, rising, the end mark's token last.
    :param probabilities: of each token.
    """
    first: dict[int, int] = {}
    for token, position in alignments:
        first.setdefault(token, position)
    last = alignments[-1][1] if alignments else 0
    found: list[Placed] = []
    begin, opening = 0, ""
    for word, ids in zip(words, tokens, strict=True):
        end = begin + len(ids)
        logprobs = tuple(float(np.log(max(one, 1e-10))) for one in probabilities[begin:end])
        start_s, end_s = first.get(begin, last) * STEP_S, first.get(end, last) * STEP_S
        begin = end
        if any(character.isalnum() for character in word) or not found:
            found.append(Placed(opening + word, tuple(ids), logprobs, start_s, end_s))
            opening = ""
        elif word.strip() and word.strip() in _OPENING and word.startswith(" "):
            opening = word
        else:
            before = found[-1]
            found[-1] = replace(
                before,
                raw=before.raw + word,
                tokens=before.tokens + tuple(ids),
                logprobs=before.logprobs + logprobs,
            )
    return found


def settled(words: Sequence[Placed], wave: F32) -> list[Placed]:
    """The same words without the silence around them, in order, inside the sound; float32 (n,) at EAR_RATE.

    A word may be longer than the decoder thought, if it is loud on: up to the next, where only punctuation is between.
    """
    loud = _loud(wave)
    seconds = len(wave) / EAR_RATE
    limits = [*(word.start_s for word in words[1:]), seconds]
    found: list[Placed] = []
    for word, limit_s in zip(words, limits, strict=True):
        start_s, end_s, limit_s = (min(one, seconds) for one in (word.start_s, word.end_s, limit_s))
        first, last = int(start_s * 100), int(np.ceil(end_s * 100))
        runs = list(_runs(loud, first, max(last, int(limit_s * 100))))
        if runs:
            begin, end = max(runs, key=lambda run: min(run[1], last) - run[0])
            if begin < last:
                start_s, end_s = max(start_s, begin / 100), min(max(limit_s, end_s), end / 100)
        floor_s = found[-1].end_s if found else 0.0
        start_s = max(start_s, floor_s)
        found.append(replace(word, start_s=start_s, end_s=max(end_s, start_s)))
    return found


def sentences(words: Sequence[Placed], *, begin_s: float, no_speech: float) -> list[Segment]:
    """Words as lines: a sentence each, or what stands between two long pauses.

    :param begin_s: of the sound that the words were placed in.
    """
    lines: list[list[Placed]] = []
    for word in words:
        if not lines or _ends(lines[-1], word):
            lines.append([])
        lines[-1].append(word)
    return [_segment(line, begin_s, no_speech) for line in lines]


def _ends(line: Sequence[Placed], coming: Placed) -> bool:
    """Whether a line is complete before the word that comes."""
    last = line[-1].raw.strip()
    if coming.start_s - line[-1].end_s > PAUSE_S:
        return True
    if _CLAUSE_END.search(last):
        return line[-1].end_s - line[0].start_s > LONGEST_S
    return bool(_SENTENCE_END.search(last)) and last.lower() not in _TITLES


def _segment(line: Sequence[Placed], begin_s: float, no_speech: float) -> Segment:
    logprobs = [one for word in line for one in word.logprobs]
    words = tuple(
        TimedWord(word.raw.strip(), round(begin_s + word.start_s, 2), round(begin_s + word.end_s, 2)) for word in line
    )
    return Segment(
        "".join(word.raw for word in line).strip(),
        words[0].start_s,
        words[-1].end_s,
        words,
        tuple(token for word in line for token in word.tokens),
        sum(logprobs) / len(logprobs) if logprobs else 0.0,
        no_speech,
    )


def _loud(wave: F32) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which ticks of 10 ms are not silent."""
    ticks = wave[: len(wave) // TICK * TICK].reshape(-1, TICK)
    power = np.square(ticks).mean(axis=1)
    if not len(power):
        return np.zeros(0, np.bool_)
    loud: np.ndarray[tuple[int], np.dtype[np.bool_]] = power > np.percentile(power, 95) * 10 ** (-QUIET_DB / 10)
    return loud


def _runs(loud: np.ndarray[tuple[int], np.dtype[np.bool_]], begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The loud parts between two ticks, first and last tick of each; what is silent for less than `STOP_S` is loud."""
    ticks = np.flatnonzero(loud[begin:end]) + begin
    if not len(ticks):
        return
    for run in np.split(ticks, np.flatnonzero(np.diff(ticks) > STOP_S * 100) + 1):
        yield int(run[0]), int(run[-1]) + 1
