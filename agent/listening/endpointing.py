"""Is this pause the end of the turn? How much silence it takes, by what is known so far.

Pure: no clock, no model, no I/O. Four witnesses are heard: the sound (`agent.engines.protocols.TurnDetector`), the
words (`agent.listening.last_words`), the recogniser, which was more or less sure of the full stop that it wrote, and
the language model, which knows how likely a message ends where this one stands. None is enough by itself:
`python -m bench.endpointing` prints what each is worth. Sound, full stop and language model are added as log odds, as
independent witnesses are; what the sum says is the silence to wait for:

===========  ==================  =========================================================================
judgement    silence             for example
===========  ==================  =========================================================================
sure         ``sure_ms`` on      "What is the capital of France?"; up to ``endpointing_ms``, the less sure the longer,
                                 and longer if the person has paused in this turn before
likely       from                the text is complete and the voice hangs, or the other way round; longer if it is
             ``endpointing_ms``  less likely than not, and longer than the longest pause in this turn so far
doubtful     most of the limit   "My number is 555", "Please invite Anna"
unfinished   ``limit_ms``        "Tell me the", "I need eggs,"; it adapts to the speaker's own pauses
===========  ==================  =========================================================================
"""

from __future__ import annotations

import math
from collections import deque
from enum import Enum

from agent.listening.last_words import FULL_STOPS, dictated, listed, unfinished

ASK_MS, ASK_AS_AT_MS = 64, 128
"""silence by level at which to ask the turn detector, and that it hears: the rest is what there is once more. It then
works while the recogniser does, and not when the language model begins to read. What it hears is some 64 ms of silence
by the voice activity detector. Once is enough, and later it is no wiser: the longer the silence, the more it takes any
pause for the end (area under its curve 0.82 at 64 and 128 ms, 0.81 at 200, 0.76 at 500)"""
SOUND, STOP, WORDS, BIAS = 0.34, 0.24, 0.39, 0.17
"""weights of the log odds, by logistic regression over the pauses and ends of `bench.turn_cases`"""
SOUND_ALONE, STOP_ALONE, BIAS_ALONE = 0.36, 0.38, -0.55
"""the same as long as the language model has not been asked: the recogniser's full stop is worth as much as its view
(area under the curve 0.81 and 0.80), and is there with the text"""
SURE, LIKELY, DOUBTFUL = 0.6, -0.6, -1.2
"""least log odds of each judgement; below is unfinished"""
EVEN = 0.0
"""log odds from which a likely end waits for ``endpointing_ms`` and no longer: it is one more often than not. Growing
from ``SURE`` on, the wait of an end at 0.3 was 0.2 s longer, and of the 84 turns of `bench.turns` as many were answered
early"""
CLEAR = 1.0
"""log odds, without the language model, from which it is not asked: its view costs 50 ms"""
CERTAIN, CERTAIN_ALONE = 1.9, 1.7
"""log odds, with and without the language model, from which nothing is waited for but ``sure_ms``: of the pauses that
read and sound like an end most are short, and the least sure of them are the rhythm of speech"""
NO_LIST = 0.6
"""log odds from which what looks like a list is none"""
SHORT_WORDS = 2
"""of a text so short a full stop says nothing"""
SHORT_STOP, WORD_STOP = 0.6, 0.8
"""what its full stop counts for at least, and that of a single word: of "Hello." no recogniser is sure"""
WHOLE, WHOLE_DOUBT = 0.4, 0.75
"""the language model's probability from which a sentence may be the end however the voice hangs; and how much it is
doubted then, from 0, as what is as likely as not, to 1, as what is doubtful"""
FINISHED = 0.35
"""the language model's probability from which its word counts for more than a table of last words"""
HOPELESS = 0.03
"""the language model's probability below which an English text is not complete, however the voice falls; the small
model knows no other language well enough"""
CONCEIVABLE = 0.02
"""the language model's probability above which a single word may be a whole message"""
STOPPED, OPEN = 0.75, 0.15
"""what stands in for a recogniser's probability that does not tell it: of a text with a full stop, and without one"""
COMPLETE = 0.4
"""the language model's probability of a word that may be a whole message, at least"""
CAREFUL = 0.6
"""of the way from ``sure_ms`` to ``endpointing_ms`` that a sure end waits if the person has paused and gone on in this
turn: who tells something longer pauses between sentences, and each of them sounds and reads like an end"""
PAUSED_S = 0.15
"""a shorter pause is none; a comma's are half as long"""
DOUBT = 0.7
"""of the way from ``endpointing_ms`` to ``limit_ms`` that a doubtful end waits: who dictates pauses for a second"""
PAUSES = 32
"""of the speaker's, that are remembered"""
SHORTEST_PAUSE_S = 0.4
"""a shorter one is the rhythm of speech, not patience"""
QUANTILE, MARGIN_S = 0.9, 0.2
"""the limit is this quantile of the speaker's pauses, and so much more"""
LEAST, MOST = 0.8, 1.6
"""the adapted limit, relative to ``limit_ms``"""


class Judgement(Enum):
    """How sure it is that the turn is over."""

    SURE = "sure"
    LIKELY = "likely"
    DOUBTFUL = "doubtful"
    UNFINISHED = "unfinished"


class Endpointing:
    """One person's: keeps nothing but how long this person's pauses are, and whether there was one in this turn.

    :param sure_ms: silence when all that is known says that the turn is over.
    :param endpointing_ms: silence when it is likely.
    :param limit_ms: silence when the person has not finished: nobody waits longer, but for a slow speaker.
    :raises ValueError: if they are not in this order.
    """

    def __init__(self, *, sure_ms: int = 250, endpointing_ms: int = 650, limit_ms: int = 1700) -> None:
        self._longest_s = 0.0  # pause in this turn
        self._pauses: deque[float] = deque(maxlen=PAUSES)
        self._sure_s = self._likely_s = self._default_s = self._limit_s = 0.0
        self.set(sure_ms=sure_ms, endpointing_ms=endpointing_ms, limit_ms=limit_ms)

    def set(self, *, sure_ms: int, endpointing_ms: int, limit_ms: int) -> None:
        """Wait otherwise from now on; the parameters, and what they raise, are the constructor's."""
        if not 0 < sure_ms <= endpointing_ms <= limit_ms:
            raise ValueError(
                f"need 0 < sure_ms <= endpointing_ms <= limit_ms, not {sure_ms}, {endpointing_ms}, {limit_ms}"
            )
        now = sure_ms / 1000, endpointing_ms / 1000, limit_ms / 1000
        if self._pauses and now == (self._sure_s, self._likely_s, self._default_s):
            return
        self._sure_s, self._likely_s, self._default_s = now
        # Until enough of this person's pauses are known, some that make the limit what was set.
        self._pauses.clear()
        self._pauses.extend([self._default_s - MARGIN_S] * (PAUSES // 4))
        self._limit_s = self._default_s

    @property
    def _doubtful_s(self) -> float:
        return self._likely_s + DOUBT * (self._limit_s - self._likely_s)

    @property
    def limit_s(self) -> float:
        """Silence, in s, that ends any turn; adapted to the speaker."""
        return self._limit_s

    def wait_s(
        self,
        probability: float | None,
        text: str | None,
        language: str = "",
        *,
        stop: float | None = None,
        complete: float | None = None,
    ) -> float:
        """Silence, in s from the last sound, that makes this pause the end of the turn, by what is known now.

        Ask again when more becomes known; the newest answer counts.

        :param probability: the turn detector's; None while not known, or without one.
        :param text: of the turn so far; None while not known, "" if nothing was understood.
        :param language: ISO 639-1 of the text; "" if unknown.
        :param stop: the recogniser's probability that a sentence ends here; None if it does not say.
        :param complete: the language model's probability that a message ends here; None if not known.
        """
        judgement, doubt = _judged(probability, text, language, stop, complete)
        match judgement:
            case Judgement.SURE:
                paused = self._longest_s >= PAUSED_S
                least_s = self._sure_s + CAREFUL * (self._likely_s - self._sure_s) if paused else self._sure_s
                return least_s + doubt * (self._likely_s - least_s)
            case Judgement.LIKELY:
                least_s = self._likely_s + doubt * (self._doubtful_s - self._likely_s)
                return min(max(least_s, self._longest_s + MARGIN_S), self._doubtful_s)
            case Judgement.DOUBTFUL:
                return self._doubtful_s
            case Judgement.UNFINISHED:
                return self._limit_s

    def went_on(self, pause_s: float) -> None:
        """The person went on in the same turn after so much silence."""
        self._longest_s = max(self._longest_s, pause_s)
        if pause_s < SHORTEST_PAUSE_S:
            return
        self._pauses.append(pause_s)
        high = sorted(self._pauses)[math.ceil(QUANTILE * len(self._pauses)) - 1]
        self._limit_s = min(max(high + MARGIN_S, LEAST * self._default_s), MOST * self._default_s)
        self._limit_s = max(self._limit_s, self._likely_s)

    def turn_over(self) -> None:
        """What is said from now on is another turn."""
        self._longest_s = 0.0


def judge(
    probability: float | None,
    text: str | None,
    language: str = "",
    *,
    stop: float | None = None,
    complete: float | None = None,
) -> Judgement:
    """What `Endpointing.wait_s` goes by; its parameters."""
    return _judged(probability, text, language, stop, complete)[0]


def _judged(
    probability: float | None, text: str | None, language: str, stop: float | None, complete: float | None
) -> tuple[Judgement, float]:
    """The judgement; and how much it is doubted, 0..1."""
    if clear(probability, text, language, stop=stop):
        return Judgement.SURE, _short_of(CERTAIN_ALONE, _odds(probability, text or "", stop, None), SURE)
    if text is None:
        # No answer can be made without the text, so nothing is lost by not being sure of what will come.
        return Judgement.LIKELY if probability is not None and probability > 0.5 else Judgement.DOUBTFUL, 0.0
    if not text:
        return Judgement.UNFINISHED, 0.0  # there is nothing to answer
    if unfinished(text, language) and (complete is None or complete < FINISHED):
        return Judgement.UNFINISHED, 0.0
    if (
        language in ("", "en")
        and len(text.split()) > SHORT_WORDS
        and (1.0 if complete is None else complete) < HOPELESS
    ):
        return Judgement.UNFINISHED, 0.0
    odds = _odds(probability, text, stop, complete)
    doubted = Judgement.DOUBTFUL if odds >= DOUBTFUL else Judgement.UNFINISHED
    # A recogniser that leaves out the full stop heard a voice that goes on; of a word or two it always does.
    stopped = text.endswith(FULL_STOPS) or len(text.split()) <= SHORT_WORDS
    if dictated(text, language) or (listed(text) and odds < NO_LIST):
        return doubted, 0.0
    if odds >= SURE:
        return Judgement.SURE, _short_of(CERTAIN_ALONE if complete is None else CERTAIN, odds, SURE)
    complete, doubt = complete or 0.0, _short_of(EVEN, odds, LIKELY)
    if odds >= LIKELY:
        return Judgement.LIKELY if stopped or complete >= FINISHED else Judgement.DOUBTFUL, doubt
    return Judgement.LIKELY if stopped and complete >= WHOLE else doubted, WHOLE_DOUBT


def _short_of(full: float, odds: float, none: float) -> float:
    """How far these log odds are from where there is no doubt, to where there is nothing else: 0..1."""
    return min(max((full - odds) / (full - none), 0.0), 1.0)


def clear(probability: float | None, text: str | None, language: str = "", *, stop: float | None = None) -> bool:
    """Whether sound and words leave no doubt that the turn is over."""
    if probability is None or not text:
        return False
    if unfinished(text, language) or dictated(text, language) or listed(text):
        return False
    # One word alone is what the language model is best at: "However" never is a message.
    return len(text.split()) > 1 and _odds(probability, text, stop, None) >= CLEAR


def _odds(probability: float | None, text: str, stop: float | None, complete: float | None) -> float:
    """Log odds that the turn is over."""
    if stop is None:
        stop = STOPPED if text.strip().endswith(FULL_STOPS) else OPEN
    if len(text.split()) <= SHORT_WORDS:
        stop = max(stop, WORD_STOP if len(text.split()) == 1 else SHORT_STOP)
    sound = _log_odds(0.5 if probability is None else probability)
    if complete is None:
        return SOUND_ALONE * sound + STOP_ALONE * _log_odds(stop) + BIAS_ALONE
    if len(text.split()) == 1 and complete > CONCEIVABLE:
        # "Yes." and "Hello." are answers, but more often in print the beginning of one. "However" never is one.
        complete = max(complete, COMPLETE)
    return SOUND * sound + STOP * _log_odds(stop) + WORDS * _log_odds(complete) + BIAS


def _log_odds(probability: float) -> float:
    """Natural; kept within what 0.3 % and 99.7 % give, so that no witness decides alone."""
    probability = min(max(probability, 0.003), 0.997)
    return math.log(probability / (1.0 - probability))
