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
from agent.listening.endpointing import ASK_MS, Endpointing

log = logging.getLogger(__name__)


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
        self._asked = 0
        self._asking: asyncio.Task[None] | None = None
        self._probability: float | None = None
        self._text: str | None = None
        self._complete: float | None = None
        self._language = ""
        self._wait_s: float | None = None

    def hear(self, window: F32) -> None:
        """The next window of an open turn."""
        self._sound.append(window)

    def forget(self) -> None:
        """The turn is over; what follows is another."""
        self._sound.clear()
        self._end()

    def went_on(self, position: int) -> None:
        """The person went on, at this position in samples at EAR_RATE."""
        if self._until is not None:
            self._endpointing.went_on((position - self._until) / EAR_RATE)
        self._end()

    def began(self, until: int) -> None:
        """A pause was noticed; the last sound ended at this position."""
        self._end()
        self._until = until

    def read(self, text: str, language: str) -> None:
        """All that was said in the turn, now that it is known."""
        self._text, self._language = text, language
        self._judge()

    def completed(self, probability: float) -> None:
        """The language model's view of that text: the probability that it is a complete message."""
        self._complete = probability
        self._judge()

    def grow(self, position: int, group: asyncio.TaskGroup) -> None:
        """It is this position, and still silent."""
        if self._until is None or self._detection is None or self._asked >= len(ASK_MS):
            return
        if (position - self._until) * 1000 < ASK_MS[self._asked] * EAR_RATE:
            return
        if self._asking is not None and not self._asking.done():
            return
        self._asked += 1
        wave = np.concatenate(list(self._sound)) if self._sound else np.zeros(0, np.float32)
        self._asking = group.create_task(self._ask(self._detection, self._until, wave), name="turn detector")

    async def _ask(self, detection: Detection, until: int, wave: F32) -> None:
        try:
            probability = await call(detection.threads, lambda: detection.detector.finished(wave))
        except Exception:  # without a judgement the pause is timed
            log.exception("the turn detector failed; pauses are timed")
            return
        if until == self._until:
            self._probability = probability
            self._judge()

    def _judge(self) -> None:
        if self._until is None or self._detection is None:
            return
        known = self._probability, self._text, self._language
        wait_s = self._endpointing.wait_s(*known, complete=self._complete)
        if wait_s != self._wait_s:
            self._wait_s = wait_s
            self._judged(wait_s)

    def _end(self) -> None:
        self._until = self._probability = self._text = self._complete = self._wait_s = None
        self._asked = 0
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
