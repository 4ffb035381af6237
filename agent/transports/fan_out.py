"""Sound for several lines, encoded once for all who hear the same.

An Opus decoder follows its encoder: given the packets of another one it is out of step, and clicks. So listeners are
the ears of a *branch*, which has one encoder, and are moved between branches only where their decoders can not tell:

- a branch whose ears no longer hear the same divides, and the new branch gets a copy of the encoder, with all it knows;
- two branches that have heard the same for `ALIKE_TICKS` become one: both encoders, and both kinds of decoders, now
  remember the same sound.

There are never more encoders than listeners, and when one person speaks there is one for all who listen, and one for
the speaker that rests.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Protocol

from agent.audio import I16
from agent.transports.opus import OpusEncoder

ALIKE_TICKS = 5
"""100 ms of the same sound, after which two encoders are as good as one: what a decoder that changes over makes of
speech then differs by no more than coding does (from 40 ms on, measured), and nothing of it is a click."""


class Outlet(Protocol):
    """Where a listener's packets go: as much as is needed of `agent.transports.base.Connection`."""

    def put(self, payload: bytes | None, ticks: int = 1) -> None:
        """An Opus packet, in the last of so many ticks; None: nothing."""
        ...


class _Branch:
    """Listeners who hear the same, and the encoder for it."""

    def __init__(self, ears: list[str], encoder: OpusEncoder) -> None:
        self.ears = ears
        self.encoder = encoder
        self.frame: I16 | None = None
        self.heard: deque[I16] = deque(maxlen=ALIKE_TICKS)

    def divided(self, frames: Mapping[str, I16]) -> list[_Branch]:
        """Take this tick's frame; further branches for those ears that hear another one."""
        by_frame: dict[int, list[str]] = {}
        for ear in self.ears:
            by_frame.setdefault(id(frames.get(ear)), []).append(ear)
        further = []
        for ears in list(by_frame.values())[1:]:
            branch = _Branch(ears, self.encoder.copy())
            branch.heard.extend(self.heard)
            branch._take(frames.get(ears[0]))
            further.append(branch)
        self.ears = next(iter(by_frame.values()))
        self._take(frames.get(self.ears[0]))
        return further

    def _take(self, frame: I16 | None) -> None:
        self.frame = frame
        if frame is not None:
            self.heard.append(frame)

    @property
    def memory(self) -> tuple[int, ...] | None:
        """What was heard of late, by identity; None if it is too little to be compared."""
        return tuple(map(id, self.heard)) if len(self.heard) == ALIKE_TICKS else None


class FanOut:
    """The way out of one room of several lines."""

    def __init__(self) -> None:
        self._outlets: dict[str, Outlet] = {}
        self._branches: list[_Branch] = []
        self.encoded = 0
        """frames that were encoded"""

    def join(self, listener: str, outlet: Outlet) -> None:
        """A new listener, who has heard nothing yet."""
        self.leave(listener)
        self._outlets[listener] = outlet
        self._branches.append(_Branch([listener], OpusEncoder()))

    def leave(self, listener: str) -> None:
        """This one hears no more; nothing happens if it did not."""
        if self._outlets.pop(listener, None) is not None:
            for branch in self._branches:
                branch.ears = [ear for ear in branch.ears if ear != listener]
            self._branches = [branch for branch in self._branches if branch.ears]

    def play(self, frames: Mapping[str, I16]) -> None:
        """One tick for every listener: int16 (TICK_SAMPLES,), the same array for all who hear the same (`Mixer.mix`).

        For a listener that is not in it no time passes: nobody is there at present.
        """
        for branch in tuple(self._branches):
            self._branches += branch.divided(frames)
        self._unite()
        for branch in self._branches:
            if branch.frame is None:
                continue
            self.encoded += not (branch.encoder.resting and not branch.frame.any())
            self._put(branch, branch.encoder.payload(branch.frame), 1)

    @property
    def resting(self) -> bool:
        """Everybody who is there has had nothing but silence for a while: `rest` may stand for `play`."""
        return all(branch.encoder.resting for branch in self._branches if branch.frame is not None)

    def rest(self, ticks: int) -> None:
        """So many ticks of silence have passed."""
        for branch in self._branches:
            if branch.frame is not None:
                self._put(branch, branch.encoder.silence(ticks), ticks)

    def _unite(self) -> None:
        """Make one branch of those that have heard the same for long enough."""
        if len(self._branches) < 2:
            return
        alike: dict[tuple[int, ...], _Branch] = {}
        kept = []
        for branch in self._branches:
            memory = branch.memory
            one = branch if memory is None or branch.frame is None else alike.setdefault(memory, branch)
            if one is branch:
                kept.append(branch)
            else:
                one.ears += branch.ears
        self._branches = kept

    def _put(self, branch: _Branch, payload: bytes | None, ticks: int) -> None:
        for ear in branch.ears:
            self._outlets[ear].put(payload, ticks)
