"""Blocking engines on an event loop: a call, or a plain generator, in worker threads.

A generator is advanced one step at a time, each step a job of the pool, so that a generator whose listener is
slow waits without a thread, and generators of several callers take turns even on a single one. Two rules
follow for who writes one: consecutive steps may run on different threads, and no lock may be held across a
``yield``.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor, Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, Generic, ParamSpec, TypeVar

from agent.errors import EngineError

log = logging.getLogger(__name__)

MOST_HUNG = 16
"""jobs of one pool that hang at a time, at which its engine is taken for broken, and further ones fail at once"""
END_S = 1.0
"""How long the end of the process waits for threads that are about to end."""

T = TypeVar("T")
P = ParamSpec("P")


class _End:
    """What the step after the last gives."""


_END: Final = _End()


class Pool(ThreadPoolExecutor):
    """Worker threads for one seam. A job that hangs fails, and costs its thread, which nobody can end.

    :param seam: "asr", "tts"; threads are named after it.
    :param threads: jobs at a time.
    """

    def __init__(self, seam: str, threads: int) -> None:
        super().__init__(threads, thread_name_prefix=seam)
        self._seam, self._count = seam, threads
        self.stuck_s = math.inf
        """a job submitted from now on that is not done after so long fails with `EngineError`, and further ones get
        another thread; with a limit, jobs are submitted on a loop"""
        self._successor: ThreadPoolExecutor | None = None
        """has the threads in place of those that a job hangs in"""
        self._hung: set[Future[Any]] = set()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn(…)`` when a thread is free."""
        if self.stuck_s == math.inf:
            return self._submit(fn, *args, **kwargs)
        told: Future[T] = Future()
        if len(self._hung) >= MOST_HUNG:
            told.set_exception(EngineError(self._seam, "work", f"{MOST_HUNG} of its threads hang; restart the server"))
            return told
        threads = self._successor
        work = self._submit(_run, told, lambda: fn(*args, **kwargs))
        work.add_done_callback(lambda work: told.cancel() if work.cancelled() else None)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self.stuck_s, self._give_up, told, work, threads, self.stuck_s)

        def settled(_: Future[T]) -> None:
            with suppress(RuntimeError):  # the loop is over
                loop.call_soon_threadsafe(timer.cancel)  # else it holds the job's sound until then

        told.add_done_callback(settled)
        return told

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more jobs."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        if self._successor is not None:
            self._successor.shutdown(wait, cancel_futures=cancel_futures)

    def _submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self._successor is None:
            return super().submit(fn, *args, **kwargs)
        return self._successor.submit(fn, *args, **kwargs)

    def _give_up(
        self, told: Future[Any], work: Future[None], threads: ThreadPoolExecutor | None, stuck_s: float
    ) -> None:
        """Time is up for a job that these threads, None for our own, were given."""
        if told.done():
            return
        with suppress(InvalidStateError):
            told.set_exception(EngineError(self._seam, "work", f"no answer within {stuck_s:g} s"))
        if work.cancel():
            return  # it had no thread yet
        self._hung.add(told)
        work.add_done_callback(lambda _: self._hung.discard(told))
        if threads is self._successor:
            self._successor = ThreadPoolExecutor(self._count, thread_name_prefix=self._seam)
            if threads is None:
                super().shutdown(wait=False)
            else:
                threads.shutdown(wait=False)


def _run(told: Future[T], function: Callable[[], T]) -> None:
    """In a worker thread: do a job, unless nobody wants it any more."""
    if told.done() or not told.set_running_or_notify_cancel():
        return
    with suppress(InvalidStateError):  # it was given up meanwhile
        try:
            result = function()
        except BaseException as error:
            told.set_exception(error)
        else:
            told.set_result(result)


def pool(seam: str, threads: int) -> Pool:
    """Worker threads for one seam ("asr", "tts"); who makes it shuts it down."""
    return Pool(seam, threads)


def leave_hung_threads(status: int) -> None:
    """At the very end of a process: end it now, with this status, if engines hang. Python would wait for them."""
    wait_s, hung = END_S, []
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(wait_s)
            if thread.is_alive():
                wait_s = 0.0
                hung.append(thread.name)
    if hung:
        log.warning("engines hang, and their threads are left behind threads=%s", ",".join(hung))
        os._exit(status)


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
            executor.submit(steps.close)


class _Steps(Generic[T]):
    """A generator that one thread at a time may advance."""

    def __init__(self, make: Callable[[], Iterator[T]]) -> None:
        self._make = make
        self._iterator: Iterator[T] | None = None
        self._advancing = self._closed = False
        self._lock = threading.Lock()

    def next(self) -> T | _End:
        """The next item."""
        with self._lock:
            if self._closed:
                return _END
            self._advancing = True
        try:
            if self._iterator is None:
                self._iterator = self._make()
            # A future can not carry StopIteration.
            return next(self._iterator, _END)
        finally:
            if self._rests():
                self._end()

    def _rests(self) -> bool:
        """A step is over; whether the generator was closed meanwhile."""
        with self._lock:
            self._advancing = False
            return self._closed

    def close(self) -> None:
        """Close the generator; what is left of it runs now, in this thread, or after the step in progress, in its."""
        with self._lock:
            self._closed = True
            if self._advancing:
                return
        self._end()

    def _end(self) -> None:
        close = getattr(self._iterator, "close", None)
        self._iterator = None
        if close is not None:
            try:
                close()
            except Exception:
                log.warning("engine failed while it was being stopped", exc_info=True)
