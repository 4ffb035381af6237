"""Where a room's sound goes, tick by tick: to the one line of a call, or to everybody but who makes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from agent.audio import I16, TICK_S
from agent.participant import Participant
from agent.recording import Recording
from agent.speaking.mixer import Mixer
from agent.transports.fan_out import FanOut

LATE_TICKS = 2
"""by which a tick may be late without being a gap in the recording"""
AGENT = "agent"
"""the agent's name among the voices"""
People = Callable[[], Iterable[Participant]]


class Outlets(Protocol):
    """Everybody who hears the agent."""

    @property
    def anybody(self) -> bool:
        """Somebody is there."""
        ...

    @property
    def resting(self) -> bool:
        """Nothing but silence was played for a while: `rest` may stand for `play`."""
        ...

    def play(self, frame: I16) -> None:
        """The agent's next tick, int16 (TICK_SAMPLES,)."""
        ...

    def rest(self, ticks: int) -> None:
        """So many ticks of silence have passed."""
        ...

    def flush(self) -> None:
        """Throw away what has not left yet."""
        ...


class OneLine:
    """A call of one's own: the line encodes."""

    def __init__(self, people: People) -> None:
        self._people = people

    @property
    def anybody(self) -> bool:
        """Somebody is there."""
        return any(person.here for person in self._people())

    @property
    def resting(self) -> bool:
        """It rests."""
        return all(person.line.resting for person in self._people())

    def play(self, frame: I16) -> None:
        """The agent's next tick."""
        for person in self._people():
            person.line.play(frame)

    def rest(self, ticks: int) -> None:
        """So many ticks of silence have passed."""
        for person in self._people():
            person.line.rest(ticks)

    def flush(self) -> None:
        """Throw away what has not left yet."""
        for person in self._people():
            person.line.flush()


class Everybody:
    """A room of several: each hears the agent and all others, and who hears the same is sent the same packets."""

    def __init__(self, people: People) -> None:
        self._people = people
        self.mixer = Mixer()
        self.recording: Recording | None = None
        """what takes down everybody's voice"""
        self._recorded_at = 0.0
        self._fan_out = FanOut()

    def join(self, person: Participant) -> None:
        """Somebody is there to be heard, and to hear."""
        self._fan_out.join(person.id, person.line)
        if self.recording is not None:
            self.recording.joined(person.id, person.name)

    def leave(self, person: Participant) -> None:
        """Somebody is gone."""
        self._fan_out.leave(person.id)
        if self.recording is not None:
            self.recording.left(person.id)
        self.mixer.forget(person.id)

    @property
    def anybody(self) -> bool:
        """Somebody is there."""
        return any(person.here for person in self._people())

    @property
    def resting(self) -> bool:
        """Nobody has said anything for a while."""
        return self._fan_out.resting and all(person.talker.silent for person in self._people())

    def play(self, frame: I16) -> None:
        """One tick of everybody."""
        people = tuple(self._people())
        voices = {person.id: person.talker.read() for person in people}
        self._record(frame, voices)
        self._fan_out.play(self.mixer.mix({AGENT: frame, **voices}, [person.id for person in people if person.here]))

    def rest(self, ticks: int) -> None:
        """So many ticks of silence have passed."""
        self._fan_out.rest(ticks)

    def _record(self, frame: I16, voices: Mapping[str, I16 | None]) -> None:
        """Take this tick down, at its time: ticks that were left out, in silence or on a busy machine, are silence."""
        if self.recording is None:
            return
        now = asyncio.get_running_loop().time()
        self._recorded_at = self._recorded_at or now
        behind = int((now - self._recorded_at - self.recording.elapsed_s) / TICK_S)
        if behind > LATE_TICKS:
            self.recording.rest(behind)
        self.recording.tick(frame if frame.any() else None, voices)

    def flush(self) -> None:
        """Nothing: what has not left yet, 40 ms at most, is other people's, too."""
