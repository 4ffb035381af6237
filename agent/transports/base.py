"""What a transport is: sound in, sound out, and text messages both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from agent.audio import I16, AudioChunk


class Connection(Protocol):
    """One participant's line to us."""

    @property
    def delay_s(self) -> float:
        """From `play` to the ear: our queue, half the round trip, the client's buffer; estimated."""
        ...

    def chunks(self) -> AsyncIterator[AudioChunk]:
        """The microphone; ends at hang-up. Bounded: a slow reader loses the oldest and sees a jump in pts."""
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
