"""Cut the silence that a synthesiser puts around a sentence, and cut a text into what is synthesised at once.

Every engine pads: hibari by 245-295 ms before and 330-430 ms after. Before, it is pure latency (latency.md
calls it the gap between first byte and first audio); after, it is a pause that nobody meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from agent.audio import I16

LOUD_DBFS = -60.0
"""RMS of a window that is speech. 50 dB below a voice's peaks: hibari's "f", "h" and "s" start there, 20 to
45 ms before they pass -50, and what it puts before them is below -130."""
WINDOW_MS = 5
LEAD_MS = 5
"""kept before the first loud window"""
SENTENCE_TAIL_MS = 120
"""kept, or put, after the last loud window of a sentence"""
CLAUSE_TAIL_MS = 40
"""the same after a clause, which the next one follows without a breath"""
RAMP_MS = 5
"""of fading at both edges, so that they do not click"""
LONGEST = 160
"""characters synthesised at once: some 10 s of speech, 100 ms of a fast engine's work"""

_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]]*$")
_SENTENCES = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])|\n+")
_SOFT_BREAK = re.compile(r".*[,;:—–、，；](?=\s|\w)|.*\s", re.DOTALL)


def tail_ms(text: str) -> int:
    """How much silence belongs after this text."""
    return SENTENCE_TAIL_MS if _SENTENCE_END.search(text.rstrip()) else CLAUSE_TAIL_MS


def trim(pcm: I16, rate: int, after_ms: int) -> I16:
    """Int16 (n,) without its outer silence but `LEAD_MS` before and exactly ``after_ms`` after; (0,) if all
    is."""
    window = rate * WINDOW_MS // 1000
    whole = len(pcm) // window
    levels = np.sqrt(np.mean(np.square(pcm[: whole * window].reshape(whole, window).astype(np.float32)), axis=1))
    loud = np.flatnonzero(levels > 32768.0 * 10.0 ** (LOUD_DBFS / 20.0))
    if not len(loud):
        return np.zeros(0, np.int16)
    first = max(0, int(loud[0]) * window - rate * LEAD_MS // 1000)
    last = (int(loud[-1]) + 1) * window + rate * after_ms // 1000
    kept = pcm[first:last].copy()
    kept = np.concatenate([kept, np.zeros(max(0, last - len(pcm)), np.int16)])
    ramp = np.linspace(0.0, 1.0, min(rate * RAMP_MS // 1000, len(kept)), dtype=np.float32)
    kept[: len(ramp)] = (kept[: len(ramp)] * ramp).astype(np.int16)
    kept[len(kept) - len(ramp) :] = (kept[len(kept) - len(ramp) :] * ramp[::-1]).astype(np.int16)
    return kept


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, roughly; each non-empty, stripped and at most `LONGEST` characters."""
    start = 0
    for match in _SENTENCES.finditer(text):
        yield from short(text[start : match.end()])
        start = match.end()
    yield from short(text[start:])


def short(text: str) -> Iterator[str]:
    """A text in pieces of at most `LONGEST` characters, cut at a comma, else between words, else anywhere."""
    text = text.strip()
    while len(text) > LONGEST:
        match = _SOFT_BREAK.match(text[:LONGEST])
        cut = match.end() if match and match.group().strip() else LONGEST
        yield text[:cut].strip()
        text = text[cut:].strip()
    if text:
        yield text
