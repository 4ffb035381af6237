"""Where speech starts and stops: a voice activity detector's probabilities turned into transitions.

Pure: no clock but the sample positions it is given, no I/O. Two thresholds (hysteresis) keep a wavering
probability from toggling; a few windows above the upper one are wanted before speech counts, so that a click does
not; and a pause must last before it ends. Both transitions are dated back to where they happened, not to when they
were noticed: a Started comes about 64 ms after its ``at_s``, an Ended `pause_ms` after it.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.audio import EAR_RATE

START = 0.5
"""probability from which a window may begin speech; Silero's own default"""
END = 0.35
"""probability below which a window is silence; Silero's own hysteresis is 0.15 below `START`"""
SPEECH_MS = 64
"""milliseconds of speech before it counts: two windows, so that a reply can be ducked within 100 ms"""
PAUSE_MS = 200
"""milliseconds of silence before speech counts as ended"""
PREFIX_MS = 300
"""milliseconds before a Started that belong to the utterance: soft consonants are below the threshold. The caller
keeps that much sound and cuts at ``at_s - PREFIX_MS / 1000``."""
WINDOW = 512
"""samples at EAR_RATE in a window"""


@dataclass(frozen=True, slots=True)
class Started:
    """Speech has begun."""

    at_s: float
    """media seconds of the beginning of the first window of speech"""


@dataclass(frozen=True, slots=True)
class Ended:
    """Speech has ended."""

    at_s: float
    """media seconds of the end of the last window of speech"""


Transition = Started | Ended


class Segmenter:
    """One participant's speech and silence.

    :param start: probability from which a window may begin speech.
    :param end: probability below which a window is silence; at most ``start``.
    :param speech_ms: how long speech must be before it counts.
    :param pause_ms: how long silence must be before it ends speech.
    :param window: samples at EAR_RATE in a window.
    :raises ValueError: if the thresholds are not 0 < end <= start <= 1.
    """

    def __init__(
        self,
        *,
        start: float = START,
        end: float = END,
        speech_ms: int = SPEECH_MS,
        pause_ms: int = PAUSE_MS,
        window: int = WINDOW,
    ) -> None:
        if not 0.0 < end <= start <= 1.0:
            raise ValueError(f"thresholds must be 0 < end <= start <= 1, not end {end}, start {start}")
        self._start = start
        self._end = end
        self._speech = speech_ms * EAR_RATE // 1000
        self._pause = pause_ms * EAR_RATE // 1000
        self._window = window
        self._spoken = 0
        self._next: int | None = None
        self._first = 0
        self._last = 0
        self._speaking = False

    @property
    def speaking(self) -> bool:
        """Whether the last transition was a Started."""
        return self._speaking

    @property
    def until(self) -> int:
        """Position of the end of the last window of speech, in samples at EAR_RATE."""
        return self._last

    def __call__(self, position: int, probability: float) -> Transition | None:
        """One window.

        :param position: samples at EAR_RATE since the track began, of the window's first sample; rising. A jump is
            lost audio, which counts as silence.
        :param probability: of speech in the window, 0..1.
        :raises ValueError: if the window lies before the end of the one before.
        """
        if self._next is not None and position < self._next:
            raise ValueError(f"window at {position} after one that ended at {self._next}; positions only rise")
        lost = self._next is not None and position > self._next
        self._next = position + self._window
        if self._speaking:
            return self._while_speaking(position, probability)
        if lost or probability < self._end:
            self._spoken = 0
        if probability >= self._start:
            if not self._spoken:
                self._first = position
            self._spoken += self._window
            self._last = self._next
            if self._spoken >= self._speech:
                self._speaking, self._spoken = True, 0
                return Started(self._first / EAR_RATE)
        return None

    def _while_speaking(self, position: int, probability: float) -> Transition | None:
        # Audio that was lost for longer than a pause ends the speech before it, whatever comes after.
        silent_until = position if probability >= self._end else position + self._window
        if silent_until - self._last >= self._pause:
            ended = self.finish()
            if probability >= self._start:
                self._first, self._spoken, self._last = position, self._window, position + self._window
            return ended
        if probability >= self._end:
            self._last = position + self._window
        return None

    def finish(self) -> Ended | None:
        """The track is over, or muted: ends the speech that has not ended."""
        self._spoken = 0
        if not self._speaking:
            return None
        self._speaking = False
        return Ended(self._last / EAR_RATE)
