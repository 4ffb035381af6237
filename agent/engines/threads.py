"""Blocking engines on an event loop: a call, or a plain generator, in worker threads.

A generator is advanced one step at a time, each step a job of the pool, so that a generator whose listener is
slow waits without a thread, and generators of several callers take turns even on a single one. Two rules
follow for who writes one: consecutive steps may run on different threads, and no lock may be held across a
``yield``.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, Generic, ParamSpec, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")


class _End:
    """What the step after the last gives."""


_END: Final = _End()


def pool(seam: str, threads: int) -> ThreadPoolExecutor:
    """Worker threads for one seam ("asr", "tts"); who makes it shuts it down."""
    return ThreadPoolExecutor(threads, thread_name_prefix=seam)


async def call(executor: Executor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``function(...)`` in a worker thread. Cancelled, it is not started, or its result is dropped."""
    return await asyncio.get_running_loop().run_in_executor(executor, lambda: function(*args, **kwargs))


async def iterate(executor: Executor, make: Callable[[], Iterator[T]]) -> AsyncGenerator[T, None]:
    """The items of ``make()``, computed in worker threads, one ahead of the consumer.

    Closing or cancelling this returns at once, whatever the engine does: the step in progress runs to its
    ``yield``, its item is dropped, and the generator's ``finally`` runs in a worker thread.

    :raises Exception: whatever the generator raises.
    """
    loop = asyncio.get_running_loop()
    steps = _Steps(make)
    ahead = loop.run_in_executor(executor, steps.next)
    try:
        while not isinstance(item := await ahead, _End):
            ahead = loop.run_in_executor(executor, steps.next)
            yield item
    finally:
        ahead.cancel()
        with suppress(RuntimeError):  # the pool was shut down: collecting the generator closes it
            executor.submit(steps.close).add_done_callback(_log_failure)


class _Steps(Generic[T]):
    """A generator that one thread at a time may advance."""

    def __init__(self, make: Callable[[], Iterator[T]]) -> None:
        self._make = make
        self._iterator: Iterator[T] | None = None
        self._closed = False
        self._turn = threading.Lock()

    def next(self) -> T | _End:
        """The next item."""
        with self._turn:
            if self._closed:
                return _END
            if self._iterator is None:
                self._iterator = self._make()
            # A future can not carry StopIteration.
            return next(self._iterator, _END)

    def close(self) -> None:
        """Close the generator; what is left of it runs now, in this thread."""
        with self._turn:
            self._closed = True
            close = getattr(self._iterator, "close", None)
            self._iterator = None
            if close is not None:
                close()


def _log_failure(closing: Future[None]) -> None:
    if not closing.cancelled() and (error := closing.exception()) is not None:
        log.warning("engine failed while it was being stopped", exc_info=error)
