"""What a transport is: sound in, sound out, and text messages both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from agent.audio import I16, AudioChunk


class Connection(Protocol):
    """One participant's line to us."""

    @property
    def plays_itself(self) -> bool:
        """The client gets the voice in messages, as fast as it is made, and plays it; `play` does nothing."""
        ...

    @property
    def connected(self) -> asyncio.Event:
        """Set once sound can flow."""
        ...

    @property
    def last_heard(self) -> float:
        """`loop.time()` at which the client was heard of last; 0 before."""
        ...

    @property
    def lost_s(self) -> float:
        """How long nobody has been there, s; 0 while somebody is."""
        ...

    @property
    def lost_for(self) -> str:
        """Why the client was lost; "" while it is there."""
        ...

    @property
    def lost_packets(self) -> int:
        """Packets of the microphone that never became sound."""
        ...

    async def up(self) -> None:
        """Wait while nobody is there."""
        ...

    async def lose(self, reason: str) -> None:
        """The client is gone; it may come back."""
        ...

    async def watch(self) -> None:
        """Do what the line needs done, until it is gone."""
        ...

    @property
    def delay_s(self) -> float:
        """From `play` to the ear: our queue, half the round trip, the client's buffer; estimated."""
        ...

    def chunks(self) -> AsyncIterator[AudioChunk]:
        """The microphone; ends at hang-up. Bounded: a slow reader loses the oldest and sees a jump in pts. One that
        sends its sound in messages has none."""
        ...

    def messages(self) -> AsyncIterator[str]:
        """The client's text messages in order; ends at hang-up."""
        ...

    async def channel_open(self) -> None:
        """Wait until messages can be sent."""
        ...

    def play(self, frame: I16) -> None:
        """Int16 (TICK_SAMPLES,), called every tick; never waits."""
        ...

    def put(self, payload: bytes | None, ticks: int = 1) -> None:
        """Instead of `play`, in a room of several: an Opus packet that was encoded for several lines, in the last of so
        many ticks that pass; None: nothing is sent. Never waits. All ticks of a line are played, or all are put."""
        ...

    @property
    def resting(self) -> bool:
        """Only silence was played for a while: `rest` may stand for `play`."""
        ...

    def rest(self, ticks: int) -> None:
        """So many ticks of silence have passed, or begin now."""
        ...

    def flush(self) -> None:
        """Throw away what was given to `play` and has not left yet."""
        ...

    def send(self, text: str) -> None:
        """A text message to the client; never waits, dropped if the client is gone."""
        ...

    async def closed(self) -> str:
        """Wait until the line is gone; why."""
        ...

    def hang_up(self, reason: str) -> None:
        """End the line; `closed` returns."""
        ...

    async def close(self, reason: str) -> None:
        """Hang up, and free everything the line held."""
        ...
