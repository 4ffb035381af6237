"""What one reply has the server's tools do: from the call to its result, or to the end of the reply."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from agent.asked import Asked
from agent.engines.protocols import Call
from agent.metrics import Timeline
from agent.speaking.pipeline import Part
from agent.tools.toolbox import Result, Toolbox

CANCELLED = Result("No result: the answer was interrupted. It may have taken effect all the same.", "cancelled")
AHEAD = 64
"""parts of a reply that are made before it may be heard"""


class Work:
    """The calls of one reply.

    :param done: told the result of each call, once.
    """

    def __init__(self, toolbox: Toolbox, done: Callable[[Call, Result], None]) -> None:
        self._toolbox = toolbox
        self._done = done
        self._open: list[Call] = []
        self.wanted = False
        """there was a call"""

    def add(self, call: Call) -> None:
        """One more is to be made."""
        self.wanted = True
        self._open.append(call)

    async def run(self) -> None:
        """Make them all, side by side."""
        async with asyncio.TaskGroup() as group:
            for call in self._open:
                group.create_task(self._run(call), name=f"tool {call.name}")

    def abandon(self) -> None:
        """The reply is over: what has no result gets none any more."""
        for call in tuple(self._open):
            self._settle(call, CANCELLED)

    async def _run(self, call: Call) -> None:
        self._settle(call, await self._toolbox.call(call))

    def _settle(self, call: Call, result: Result) -> None:
        if call in self._open:
            self._open.remove(call)
            self._done(call, result)


class _End:
    """Behind the last part."""


_END: Final = _End()


class Ahead:
    """The rest of a reply, made while what came before is still heard.

    :param asked: how it is wanted.
    :param number: how many rounds of calls came before it.
    :param timeline: which ``parts`` fill.
    :param group: it is made here.
    """

    def __init__(
        self,
        asked: Asked,
        number: int,
        timeline: Timeline,
        parts: AsyncGenerator[Part, None],
        group: asyncio.TaskGroup,
    ) -> None:
        self.asked = asked
        self.round = number
        self.timeline = timeline
        self._made: asyncio.Queue[Part | Exception | _End] = asyncio.Queue(AHEAD)
        self._task = group.create_task(self._make(parts), name="ahead")

    def cancel(self) -> None:
        """Nobody will hear it."""
        self._task.cancel()

    async def parts(self) -> AsyncGenerator[Part, None]:
        """What was made, and what still is.

        :raises Exception: whatever the making raises.
        """
        try:
            while not isinstance(part := await self._made.get(), _End):
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            self.cancel()

    async def _make(self, parts: AsyncGenerator[Part, None]) -> None:
        end: Exception | _End = _END
        try:
            async with aclosing(parts):
                async for part in parts:
                    await self._made.put(part)
        except Exception as error:  # whoever hears it is told: the reply's supervisor
            end = error
        await self._made.put(end)
