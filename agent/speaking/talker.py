"""What one person says, on its way to the others: from packets, as they come, to ticks, when they are due.

A packet waits here for about a tick, so that one that is a little late is not missed. What lies between the sentences
is where time is made up: there a tick is left out if too much waits, or played twice if too little does, and after a
second of nothing but the room's noise there is silence, so that ten quiet microphones add up to none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import cache

import numpy as np

from agent.audio import EAR_RATE, F32, I16, TICK_SAMPLES, WIRE_RATE, AudioChunk, Resampler
from agent.speaking.noise_floor import NoiseFloor

LEAD = WIRE_RATE // 200
"""5 ms that are kept back while somebody is heard: if nothing follows, they fade."""
LEAST_RESERVE, MOST_RESERVE = 1, 4
"""ticks that wait behind the one that is played"""
CALM_TICKS = 250
"""5 s. Packets that are too late twice within them make the reserve larger by a tick, and every 5 s without one make it
smaller; one stall alone says nothing of the next packets."""
WINDOW_TICKS = 50
"""1 s, over which the reserve is looked at: the least that was left of it says whether it is too large"""
MOST = WIRE_RATE // 5
"""samples, 200 ms, that may wait: of more, the oldest goes"""
HURRY = 2 * TICK_SAMPLES
"""So much above the reserve is not waited with: the next noise is left out."""


class Talker:
    """One person's voice for the others. `write` is called by the network, `read` by the room's tick.

    :param wake: called when there is something to read again.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self.wake = wake
        self.underruns = 0
        """words that were cut by a late packet"""
        self.overflow = 0
        """times that speech was left out because too much waited"""
        self._noise = NoiseFloor()
        self._pcm: I16 = np.zeros(0, np.int16)
        self._audible = 0  # samples of it up to the end of what is to be heard
        self._next_pts: int | None = None
        self._playing = False
        self._reserve = LEAST_RESERVE
        self._waited = 0  # ticks for the reserve
        self._least = MOST  # samples that were left in this window
        self._ticks = 0  # of this window
        self._calm = CALM_TICKS  # ticks since a word was cut
        self._surplus = 0  # ticks to be left out; to be played twice if negative

    async def through(self, chunks: AsyncIterator[AudioChunk]) -> AsyncIterator[AudioChunk]:
        """Take chunks at WIRE_RATE as they come; give them on at EAR_RATE, for this person's listener."""
        copy = EarCopy()
        async for chunk in chunks:
            self.write(chunk)
            yield copy(chunk)

    @property
    def silent(self) -> bool:
        """There is nothing to be heard, until `wake` is called."""
        return not self._audible

    # -- the network ---------------------------------------------------------------------------------------------

    def write(self, chunk: AudioChunk) -> None:
        """Sound at WIRE_RATE, in order; a jump in ``pts`` is silence."""
        if not len(chunk.pcm):
            return
        pcm = chunk.pcm
        if self._next_pts is not None and chunk.pts > self._next_pts:
            self._hole(chunk.pts - self._next_pts)
            pcm = _rising(pcm)
        self._next_pts = chunk.pts + len(pcm)
        begins = self.silent
        audible = self._noise.audible(pcm)
        self._pcm = np.concatenate([self._pcm, pcm])
        if audible:
            self._audible = len(self._pcm)
        if len(self._pcm) > MOST:
            over = len(self._pcm) - self._wanted
            self.overflow += not self._noise.is_noise(self._pcm[:over])
            self._leave_out(over)
        if begins and audible:
            self.wake()

    def _hole(self, samples: int) -> None:
        """What comes next was not said at once: silence between, but only as much as the reserve is short of."""
        self._noise.pass_by(samples)
        fading = min(LEAD, len(self._pcm))
        if fading:
            self._pcm = np.concatenate([self._pcm[:-fading], _falling(self._pcm[-fading:])])
        if self._playing:
            missing = max(0, self._wanted - len(self._pcm))
            self._pcm = np.concatenate([self._pcm, np.zeros(min(samples, missing), np.int16)])

    # -- the tick ------------------------------------------------------------------------------------------------

    def read(self) -> I16 | None:
        """The next tick, int16 (TICK_SAMPLES,); None if there is nothing to be heard."""
        self._calm += 1
        if self._calm % CALM_TICKS == 0:
            self._reserve = max(LEAST_RESERVE, self._reserve - 1)
        if self.silent:
            self._drop(max(0, len(self._pcm) - self._reserve * TICK_SAMPLES))
            self._playing = False
            return None
        if not self._playing and not self._begin():
            return None
        self._make_up()
        waiting = len(self._pcm)
        starved = waiting < TICK_SAMPLES + LEAD
        if starved or (self._audible <= TICK_SAMPLES and self._audible < waiting):
            return self._end(min(waiting if starved else self._audible, TICK_SAMPLES), starved=starved)
        frame = self._pcm[:TICK_SAMPLES]
        self._drop(TICK_SAMPLES)
        self._look()
        return frame

    @property
    def _wanted(self) -> int:
        """Samples that should be there when a tick is read."""
        return (self._reserve + 1) * TICK_SAMPLES + LEAD * self._playing

    def _begin(self) -> bool:
        """Begin to play, once there is a reserve; or when nothing more seems to come."""
        while len(self._pcm) >= self._wanted + TICK_SAMPLES and self._noise.is_noise(self._pcm[:TICK_SAMPLES]):
            self._drop(TICK_SAMPLES)
        self._waited += 1
        if len(self._pcm) < self._wanted and self._waited <= self._reserve + 1:
            return False
        self._pcm = np.concatenate([np.zeros(LEAD, np.int16), _rising(self._pcm)])
        self._audible += LEAD
        self._playing, self._waited = True, 0
        self._least, self._ticks, self._surplus = MOST, 0, 0
        return True

    def _end(self, samples: int, *, starved: bool) -> I16:
        """The last samples before silence, fading."""
        frame = np.zeros(TICK_SAMPLES, np.int16)
        fading = min(LEAD, samples)
        frame[:samples] = self._pcm[:samples]
        frame[samples - fading : samples] = _falling(frame[samples - fading : samples])
        self._drop(len(self._pcm) if starved else samples)
        self._playing = False
        if starved and self._noise.spoken:
            self.underruns += 1
            if self._calm < CALM_TICKS:
                self._reserve = min(MOST_RESERVE, self._reserve + 1)
            self._calm = 0
        return frame

    # -- time ----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """How much of the reserve was never needed."""
        self._least = min(self._least, len(self._pcm) - LEAD)
        self._ticks += 1
        if self._ticks < WINDOW_TICKS:
            return
        if self._least < TICK_SAMPLES // 4:
            self._surplus = -1
        else:
            self._surplus = max(0, self._least // TICK_SAMPLES - self._reserve)
        self._least, self._ticks = MOST, 0

    def _make_up(self) -> None:
        """Where there is only noise, leave a tick out, or play it twice."""
        while len(self._pcm) >= self._wanted + HURRY and self._noise.is_noise(self._pcm[:TICK_SAMPLES]):
            self._leave_out(TICK_SAMPLES)
        if not self._surplus or len(self._pcm) < TICK_SAMPLES + LEAD:
            return
        if not self._noise.is_noise(self._pcm[:TICK_SAMPLES]):
            return
        if self._surplus < 0:
            again = _joined(self._pcm[TICK_SAMPLES : TICK_SAMPLES + LEAD], self._pcm)
            self._pcm = np.concatenate([self._pcm[:TICK_SAMPLES], again])
            self._audible += TICK_SAMPLES
            self._surplus = 0
        elif len(self._pcm) >= self._wanted:
            self._leave_out(TICK_SAMPLES)
            self._surplus -= 1

    def _leave_out(self, samples: int) -> None:
        """Forget the next samples; what was heard before goes over into what comes after."""
        before = self._pcm[:LEAD]
        self._drop(samples)
        if self._playing:
            self._pcm = _joined(before, self._pcm)

    def _drop(self, samples: int) -> None:
        self._pcm = self._pcm[samples:]
        self._audible = max(0, self._audible - samples)


class EarCopy:
    """One person's sound for the listener, from WIRE_RATE to EAR_RATE; one per person, for life."""

    def __init__(self) -> None:
        self._resampler = Resampler(WIRE_RATE, EAR_RATE)
        self._next_pts = 0
        self._holes = 0  # samples at WIRE_RATE
        self._made = 0  # samples at EAR_RATE

    def __call__(self, chunk: AudioChunk) -> AudioChunk:
        """The chunk at EAR_RATE; its ``pts`` jump where those at WIRE_RATE do, by as much time."""
        self._holes += max(0, chunk.pts - self._next_pts)
        self._next_pts = chunk.pts + len(chunk.pcm)
        pcm = self._resampler(chunk.pcm)
        pts = self._made + self._holes * EAR_RATE // WIRE_RATE
        self._made += len(pcm)
        return AudioChunk(pcm, pts)


def _rising(pcm: I16) -> I16:
    """The same, faded in."""
    return _joined(np.zeros(LEAD, np.int16), pcm)


def _falling(pcm: I16) -> I16:
    """The same, faded out."""
    faded: I16 = np.rint(pcm * _rise(len(pcm))[::-1]).astype(np.int16)
    return faded


def _joined(before: I16, after: I16) -> I16:
    """``after``, but it begins as ``before`` goes on."""
    n = min(len(before), len(after), LEAD)
    rise = _rise(n)
    out = after.copy()
    out[:n] = np.rint(before[:n] * rise[::-1] + after[:n] * rise).astype(np.int16)
    return out


@cache
def _rise(samples: int) -> F32:
    """From 0 to 1 without a corner: a straight line would be heard at its ends."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * (np.arange(samples) + 0.5) / samples), np.float32)
