"""The judge of one participant's pauses: asks the turn detector as a pause grows, and says how long it must be."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from agent.audio import EAR_RATE, F32
from agent.engines.protocols import TurnDetector
from agent.engines.threads import call
from agent.errors import EngineError, discreet
from agent.listening.endpointing import ASK_AS_AT_MS, ASK_MS, Endpointing, clear

log = logging.getLogger(__name__)


STIR_S = 0.1
"""from a first window of what may be speech until that is noticed: a second window, and the way here"""


@dataclass(frozen=True, slots=True)
class Detection:
    """The turn detector, and where it runs."""

    detector: TurnDetector
    threads: Executor


class Pauses:
    """One participant's pauses.

    :param detection: None if pauses are only timed.
    :param judged: called with the silence, s since the last sound, after which the turn is over, whenever that changes.
    """

    def __init__(
        self, detection: Detection | None, endpointing: Endpointing, window: int, judged: Callable[[float], None]
    ) -> None:
        self._detection = detection
        self._endpointing = endpointing
        self._judged = judged
        seconds = detection.detector.seconds if detection else 0.0
        self._sound: deque[F32] = deque(maxlen=round(seconds * EAR_RATE / window) + 1)
        self._until: int | None = None  # where the present pause began
        self._asked: int | None = None  # where the silence began about which the detector was asked last
        self._asking: asyncio.Task[None] | None = None
        self._probability: float | None = None  # what it said
        self._text: str | None = None
        self._stop: float | None = None
        self._complete: float | None = None
        self._language = ""
        self._wait_s: float | None = None

    def hear(self, window: F32) -> None:
        """The next window of an open turn."""
        self._sound.append(window)

    def forget(self) -> None:
        """The turn is over; what follows is another."""
        self._endpointing.turn_over()
        self._sound.clear()
        self._end()

    def went_on(self, after_s: float | None) -> None:
        """The person went on, after a pause of so many s; None if it was none of this turn's."""
        if self._until is not None and after_s is not None:
            self._endpointing.went_on(after_s)
        self._end()

    def began(self, until: int) -> None:
        """A pause was noticed; the last sound ended at this position."""
        self._until, self._text, self._stop, self._complete, self._wait_s = until, None, None, None, None
        self._judge()

    def stir(self, silence_s: float) -> None:
        """After so much silence there is a sound, which may be the person going on: wait until that is known."""
        wait_s = silence_s + STIR_S
        if self._until is not None and self._wait_s is not None and wait_s > self._wait_s:
            self._wait_s = wait_s
            self._judged(wait_s)

    @property
    def undecided(self) -> bool:
        """Sound and words leave it open whether this is the end."""
        return self._detection is not None and not clear(self._known(), self._text, self._language, stop=self._stop)

    def read(self, text: str, language: str, stop: float | None = None) -> None:
        """All that was said in the turn, now that it is known, and how likely a sentence ends there, 0..1."""
        self._text, self._language, self._stop = text, language, stop
        self._judge()

    def completed(self, probability: float) -> None:
        """The language model's view of that text: the probability that it is a complete message."""
        self._complete = probability
        self._judge()

    def grow(self, until: int, position: int, group: asyncio.TaskGroup) -> None:
        """It is this position, and it has been silent since that one; a pause or not yet."""
        if self._detection is None or until == self._asked or (position - until) * 1000 < ASK_MS * EAR_RATE:
            return
        if self._asking is not None:
            self._asking.cancel()
        self._asked, self._probability = until, None
        wave = np.concatenate(list(self._sound)) if self._sound else np.zeros(0, np.float32)
        again = max(0, ASK_AS_AT_MS * EAR_RATE // 1000 - (position - until))
        wave = np.concatenate([wave, wave[len(wave) - again :]])  # the silence, if it goes on
        self._asking = group.create_task(self._ask(self._detection, until, wave), name="turn detector")

    async def _ask(self, detection: Detection, until: int, wave: F32) -> None:
        try:
            probability = await call(detection.threads, lambda: detection.detector.finished(wave))
        except Exception as error:  # without a judgement the pause is timed
            unforeseen = None if isinstance(error, EngineError) else error
            log.error("the turn detector failed; pauses are timed: %s", discreet(error), exc_info=unforeseen)
            return
        if until == self._asked:
            self._probability = probability
            self._judge()

    def _known(self) -> float | None:
        """What the detector said about this pause, if it has."""
        return self._probability if self._asked == self._until else None

    def _judge(self) -> None:
        if self._until is None or self._detection is None:
            return
        known = self._known(), self._text, self._language
        wait_s = self._endpointing.wait_s(*known, stop=self._stop, complete=self._complete)
        if wait_s != self._wait_s:
            self._wait_s = wait_s
            self._judged(wait_s)

    def _end(self) -> None:
        self._until = self._text = self._stop = self._complete = self._wait_s = None
        self._asked = self._probability = None
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
