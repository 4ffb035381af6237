"""What leaves toward the ear: a little speech ahead of time, and the knowledge of how much has been heard."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agent.audio import I16, TICK_SAMPLES, WIRE_RATE

AHEAD_S = 0.4
"""Speech that may wait here; a writer that has more waits. It bounds what a cut throws away."""
DUCK_GAIN = 0.25
"""-12 dB"""
FADE_SAMPLES = WIRE_RATE // 200
"""5 ms: a cut and a hold fade over these, so that they do not click."""
REWIND_S = 0.25
"""A reply that goes on after a hold begins again at the quietest place of what was last heard: a syllable's edge."""
_SLOT = WIRE_RATE // 100
"""samples between which the quietest place is looked for: 10 ms"""


class PlayoutClosed(Exception):
    """This writer's reply was cut; nothing more of it will be heard."""


@dataclass(slots=True)
class Mark:
    """A clause's place in what is played."""

    text: str
    start: int
    """samples at WIRE_RATE since the reply began"""
    end: int | None = None
    """None while the clause is still being written"""


@dataclass(frozen=True, slots=True)
class Heard:
    """What reached the ear of one reply."""

    text: str
    samples: int
    """at WIRE_RATE"""
    complete: bool


class PlayoutWriter:
    """The only way into the playout, held by one reply. `Playout.cut` closes it for good."""

    def __init__(self, playout: Playout, audible: Callable[[], None]) -> None:
        self._playout = playout
        self.audible: Callable[[], None] | None = audible
        self.marks: list[Mark] = []
        self.written = 0
        self.finished = False
        self.closed = False
        self.changed = asyncio.Event()

    def clause(self, text: str) -> None:
        """What is written from here on says ``text``.

        :raises PlayoutClosed: if the reply was cut.
        """
        self._check()
        self._end_clause()
        self.marks.append(Mark(text, self.written))

    async def write(self, pcm: I16) -> None:
        """Int16 (n,) at WIRE_RATE; waits while `AHEAD_S` of speech is waiting to be played.

        :raises PlayoutClosed: if the reply was cut.
        """
        while not self.closed and self._playout.queued >= self._playout.ahead_s * WIRE_RATE:
            self.changed.clear()
            await self.changed.wait()
        self.put(pcm)

    def put(self, pcm: I16) -> None:
        """The same without waiting, for the end of what is written.

        :raises PlayoutClosed: if the reply was cut.
        """
        self._check()
        self._playout.push(pcm)
        self.written += len(pcm)

    async def drain(self) -> None:
        """Nothing more will be written; wait until all of it was played.

        :raises PlayoutClosed: if the reply was cut.
        """
        self._check()
        self._end_clause()
        self.finished = True
        while not self.closed and self._playout.queued:
            self.changed.clear()
            await self.changed.wait()
        self._check()

    def until(self, samples: int) -> str:
        """The words of the first so many samples at WIRE_RATE."""
        return _text_until(self.marks, samples, self.written)

    def _end_clause(self) -> None:
        if self.marks and self.marks[-1].end is None:
            self.marks[-1].end = self.written

    def _check(self) -> None:
        if self.closed:
            raise PlayoutClosed


class Playout:
    """One agent voice's outgoing speech. Read by the room's tick, written by at most one reply."""

    ahead_s = AHEAD_S
    plays_on = False
    """what was written is played to its end, unless the client says otherwise"""

    def __init__(self) -> None:
        self._chunks: deque[I16] = deque()
        self.queued = 0
        """samples at WIRE_RATE that wait to be played"""
        self.position = 0
        """samples at WIRE_RATE of the current reply that have been played"""
        self.underruns = 0
        """ticks that found nothing to play in the middle of a reply"""
        self._writer: PlayoutWriter | None = None
        self._gain = 1.0
        self._target = 1.0
        self._tail: I16 = np.zeros(0, np.int16)
        self._recent: deque[I16] = deque(maxlen=round(REWIND_S * WIRE_RATE) // TICK_SAMPLES)
        self._held = False
        self.starved = 0
        """ticks in a row that found nothing to play in the middle of a reply"""
        self.wake: Callable[[], None] = lambda: None
        """called when a reply's first speech can be read, which need not wait for the next tick"""

    def open(self, audible: Callable[[], None], *, held: bool = False) -> PlayoutWriter:
        """A writer for a new reply; the one before it is closed.

        :param audible: called once, when the first sample leaves.
        :param held: nothing leaves before `release`.
        """
        if self._writer is not None:
            self.cut(0)
        self._gain = self._target = 1.0
        self.position = self.starved = 0
        self._recent.clear()
        self._held = held
        self._writer = PlayoutWriter(self, audible)
        return self._writer

    def push(self, pcm: I16) -> None:
        """Queue int16 (n,); only for `PlayoutWriter`."""
        if len(pcm):
            first = not self.queued and not self.position and not self._held
            self._chunks.append(pcm)
            self.queued += len(pcm)
            if first:
                self.wake()

    def read(self) -> I16:
        """The next tick: int16 (TICK_SAMPLES,), silence where there is no speech."""
        out = np.zeros(TICK_SAMPLES, np.int16)
        if len(self._tail):
            out[: len(self._tail)], self._tail = self._tail, self._tail[:0]
            return out
        writer = self._writer
        if writer is None or self._held:
            return out
        if not self.queued:
            if self.position and not writer.finished:
                self.underruns += 1
                self.starved += 1
            return out
        self.starved = 0
        filled = self._take(out)
        self.position += filled
        self._recent.append(out[:filled].copy())
        out = self._with_gain(out)
        if writer.audible is not None:
            audible, writer.audible = writer.audible, None
            audible()
        writer.changed.set()
        return out

    @property
    def silent(self) -> bool:
        """There is nothing to play, and nothing is late: until `wake`, a tick is like any other."""
        if len(self._tail) or (self.queued and not self._held):
            return False
        return self._held or self._writer is None or self._writer.finished or not self.position

    def call_when_audible(self, audible: Callable[[], None]) -> None:
        """Call this when the next sample of the current reply leaves."""
        if self._writer is not None:
            self._writer.audible = audible

    def duck(self) -> None:
        """Play more softly from the next tick on."""
        self._target = DUCK_GAIN

    def hold(self) -> None:
        """Be silent from the next tick on, and keep the place."""
        if not self._held and self.position:
            self._fade(rewind=True)
        self._held = True

    def release(self) -> None:
        """Play at full level, what was held too; from the edge of the syllable at which it was stopped."""
        if self._held and self.position:
            self._rewind()
            self._gain = 0.0  # a ramp over one tick
        goes_on = self._held and self.queued
        self._held = False
        self._target = 1.0
        if goes_on:
            self.wake()

    def heard(self, delay_samples: int = 0) -> Heard:
        """What has reached the ear of the current reply, if sound takes ``delay_samples`` to get there."""
        writer = self._writer
        if writer is None:
            return Heard("", 0, complete=True)
        complete = writer.finished and not self.queued
        samples = self.position if complete else max(0, self.position - delay_samples)
        return Heard(_text_until(writer.marks, samples, self.queued + self.position), samples, complete)

    def cut(self, delay_samples: int) -> Heard:
        """Stop now. From the next tick on there is silence, but for a fade of `FADE_SAMPLES`.

        Closes the writer, so that the reply's work, wherever it is, can not be heard any more.
        """
        heard = self.heard(delay_samples)
        if self.queued and self.position and not self._held:
            self._fade(rewind=False)
        self._chunks.clear()
        self.queued = 0
        if self._writer is not None:
            self._writer.closed = True
            self._writer.audible = None
            self._writer.changed.set()
            self._writer = None
        return heard

    def _fade(self, *, rewind: bool) -> None:
        """Put the next few samples, fading, where `read` finds them first.

        :param rewind: they stay to be played again.
        """
        tail = np.zeros(min(FADE_SAMPLES, self.queued), np.int16)
        self._take(tail)
        if rewind:
            self._put_back(tail)
        fade = np.linspace(self._gain, 0.0, len(tail), dtype=np.float32)
        self._tail = (tail * fade).astype(np.int16)

    def _rewind(self) -> None:
        """Back to the latest of the quietest places of what was last heard."""
        recent = np.concatenate(list(self._recent)) if self._recent else np.zeros(0, np.int16)
        slots = len(recent) // _SLOT
        self._recent.clear()
        if not slots:
            return
        levels = np.square(recent[-slots * _SLOT :].astype(np.float32).reshape(slots, _SLOT)).mean(axis=1)
        back = (slots - int(levels.argmin())) * _SLOT
        self._put_back(recent[-back:])
        self.position -= back

    def _put_back(self, pcm: I16) -> None:
        if len(pcm):
            self._chunks.appendleft(pcm.copy())
            self.queued += len(pcm)

    def _take(self, out: I16) -> int:
        """Move queued samples into ``out``; how many there were."""
        filled = 0
        while filled < len(out) and self._chunks:
            chunk = self._chunks.popleft()
            n = min(len(chunk), len(out) - filled)
            out[filled : filled + n] = chunk[:n]
            if n < len(chunk):
                self._chunks.appendleft(chunk[n:])
            filled += n
        self.queued -= filled
        return filled

    def _with_gain(self, pcm: I16) -> I16:
        """Apply the gain; a change is a ramp over one tick."""
        if self._gain == self._target == 1.0:
            return pcm
        ramp = np.linspace(self._gain, self._target, len(pcm), dtype=np.float32)
        self._gain = self._target
        return (pcm * ramp).astype(np.int16)


def _text_until(marks: list[Mark], samples: int, written: int) -> str:
    """The words that were played before ``samples``; inside a clause, words are taken as evenly spaced."""
    parts: list[str] = []
    for mark in marks:
        end = written if mark.end is None else mark.end
        if mark.end is not None and samples >= end:
            parts.append(mark.text)
            continue
        if samples > mark.start and end > mark.start:
            parts.append(_words_until(mark.text, (samples - mark.start) / (end - mark.start)))
        break
    return "".join(parts).strip()


def _words_until(text: str, fraction: float) -> str:
    """The words of ``text`` whose middle lies before ``fraction`` of it."""
    limit = fraction * len(text)
    end = 0
    start = 0
    for word in text.split():
        start = text.index(word, end)
        if start + len(word) / 2 > limit:
            return text[:end]
        end = start + len(word)
    return text
