"""Who may use the recogniser next: a few decodes at a time, the urgent ones first.

One per process. A thread pool serves in the order of arrival; here a transcript that somebody waits for goes before
one that is only nice to have, whenever it was asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


class Slots:
    """So many jobs at once in worker threads.

    :param threads: with ``count`` of them.
    """

    def __init__(self, threads: Executor, count: int) -> None:
        self._threads = threads
        self._free = count
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    @property
    def idle(self) -> bool:
        """A job would start at once."""
        return self._free > 0 and not self._waiting

    async def run(self, job: Callable[[], T], urgent: Callable[[], bool]) -> T:
        """``job()`` in a worker thread, when its turn comes. Cancelled, it is not started, or its result is dropped.

        :param urgent: asked whenever a slot is free; the longest-waiting urgent job takes it, else the longest-waiting.
        """
        loop = asyncio.get_running_loop()
        if self._free == 0:
            turn: asyncio.Future[None] = loop.create_future()
            self._waiting.append((urgent, turn))
            try:
                await turn  # the slot is handed over with it
            except asyncio.CancelledError:
                self._waiting = [waiter for waiter in self._waiting if waiter[1] is not turn]
                if turn.done() and not turn.cancelled():
                    self._release()
                raise
        else:
            self._free -= 1
        running = self._threads.submit(job)
        running.add_done_callback(lambda done: self._done(loop, done))
        return await asyncio.wrap_future(running)

    def _done(self, loop: asyncio.AbstractEventLoop, _: Future[T]) -> None:
        """In the worker thread, or wherever the job was cancelled: a job that nobody waits for holds its slot too."""
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        self._waiting = [waiter for waiter in self._waiting if not waiter[1].done()]
        if not self._waiting:
            self._free += 1
            return
        chosen = next((waiter for waiter in self._waiting if waiter[0]()), self._waiting[0])
        self._waiting.remove(chosen)
        chosen[1].set_result(None)
