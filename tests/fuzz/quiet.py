"""What must hold whatever comes: nothing is logged as an error, and no task, descriptor or thread is left."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psutil

T = TypeVar("T")


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


@contextmanager
def no_errors() -> Iterator[None]:
    """Nothing is logged as an error; asyncio logs exceptions that nobody asked for."""
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(errors)
    assert not errors.found, "\n".join(errors.found)


def quietly(main: Coroutine[Any, Any, T]) -> T:
    """Run it in a loop of its own, and look at what it leaves."""
    before = psutil.Process().num_fds()

    async def whole() -> T:
        result = await main
        for _ in range(50):  # what was cancelled ends in the next turns of the loop
            left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            if not left:
                return result
            await asyncio.sleep(0.002)
        raise AssertionError(f"tasks left behind: {left}")

    with no_errors():
        try:
            return asyncio.run(whole())
        finally:
            if psutil.Process().num_fds() > before:
                gc.collect()
            assert psutil.Process().num_fds() <= before, "descriptors left behind"
