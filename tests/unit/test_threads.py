"""Generators in worker threads: order, errors, closing and cancelling at any point, nothing left behind."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing, suppress

import pytest

from agent.engines import threads
from agent.errors import EngineError


@pytest.fixture
def workers() -> Iterator[threads.Pool]:
    with threads.pool("test", 2) as executor:
        yield executor


@pytest.fixture
def worker() -> Iterator[threads.Pool]:
    with threads.pool("test", 1) as executor:
        yield executor


class Source:
    """A generator's life, seen from outside."""

    def __init__(self, items: int, step_s: float = 0.0, fails_at: int | None = None) -> None:
        self.items, self.step_s, self.fails_at = items, step_s, fails_at
        self.made = 0
        self.running = 0
        self.ended = threading.Event()

    def __call__(self) -> Iterator[int]:
        try:
            for item in range(self.items):
                self.running += 1
                assert self.running == 1, "two threads in one generator"
                time.sleep(self.step_s)
                self.running -= 1
                if item == self.fails_at:
                    raise ValueError(f"item {item}")
                self.made += 1
                yield item
        finally:
            self.ended.set()


async def until(event: threading.Event) -> bool:
    """Whether a thread sets this before the test's time is up."""
    while not event.is_set():  # noqa: ASYNC110  # threads can not set asyncio's events
        await asyncio.sleep(0.001)
    return True


async def test_items_arrive_in_order(workers: threads.Pool) -> None:
    assert [item async for item in threads.iterate(workers, Source(200))] == list(range(200))


async def test_an_empty_generator_gives_nothing(workers: threads.Pool) -> None:
    source = Source(0)
    assert [item async for item in threads.iterate(workers, source)] == []
    assert await until(source.ended)


async def test_a_plain_iterator_will_do(workers: threads.Pool) -> None:
    assert [item async for item in threads.iterate(workers, lambda: iter("abc"))] == ["a", "b", "c"]


async def test_an_error_comes_after_what_was_before_it(workers: threads.Pool) -> None:
    items = threads.iterate(workers, Source(9, fails_at=3))
    assert [await anext(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="item 3"):
        await anext(items)


async def test_an_error_of_making_it_comes_through(workers: threads.Pool) -> None:
    def broken() -> Iterator[int]:
        raise RuntimeError("no model")

    with pytest.raises(RuntimeError, match="no model"):
        async for _ in threads.iterate(workers, broken):
            pass


async def test_a_slow_consumer_is_waited_for(workers: threads.Pool) -> None:
    source = Source(100)
    async with aclosing(threads.iterate(workers, source)) as items:
        await anext(items)
        await asyncio.sleep(0.05)
        assert source.made <= 2, "it computes one item ahead, not more"


async def test_closing_stops_it_and_runs_its_finally(workers: threads.Pool) -> None:
    source = Source(1000, step_s=0.001)
    async with aclosing(threads.iterate(workers, source)) as items:
        for _ in range(3):
            await anext(items)
    assert await until(source.ended)
    assert source.made <= 5


async def test_closing_before_the_first_item(workers: threads.Pool) -> None:
    source = Source(10)
    items = threads.iterate(workers, source)
    await items.aclose()
    assert source.made == 0


async def test_closing_does_not_wait_for_a_stuck_engine(worker: threads.Pool) -> None:
    release = threading.Event()
    ended = threading.Event()

    def stuck() -> Iterator[int]:
        try:
            yield 1
            release.wait()
            yield 2
        finally:
            ended.set()

    async with aclosing(threads.iterate(worker, stuck)) as items:
        assert await anext(items) == 1
    assert not ended.is_set()
    release.set()
    assert await until(ended)


async def test_generators_take_turns_on_one_thread(worker: threads.Pool) -> None:
    first, second = threads.iterate(worker, Source(3)), threads.iterate(worker, Source(3))
    seen = [await anext(items) for _ in range(3) for items in (first, second)]
    await first.aclose()
    await second.aclose()
    assert seen == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("seed", range(40))
async def test_cancelling_at_any_point_leaves_nothing(workers: threads.Pool, seed: int) -> None:
    choice = random.Random(seed)
    source = Source(20, step_s=choice.choice([0.0, 0.0005]))
    began = asyncio.Event()

    async def consume() -> None:
        began.set()
        async with aclosing(threads.iterate(workers, source)) as items:
            async for _ in items:
                await asyncio.sleep(choice.choice([0.0, 0.0005]))

    async with asyncio.TaskGroup() as group:
        task = group.create_task(consume())
        await began.wait()
        await asyncio.sleep(choice.random() * 0.01)
        task.cancel()
    if source.made:
        assert await until(source.ended)
    made = source.made
    await asyncio.sleep(0.005)
    assert source.made <= made + 1


async def test_a_failure_while_stopping_is_logged(workers: threads.Pool, caplog: pytest.LogCaptureFixture) -> None:
    def clumsy() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            raise RuntimeError("can not stop")

    async with aclosing(threads.iterate(workers, clumsy)) as items:
        await anext(items)
    while "while it was being stopped" not in caplog.text:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def test_a_pool_that_is_gone_does_not_break_closing(worker: threads.Pool) -> None:
    async with aclosing(threads.iterate(worker, Source(3))) as items:
        await anext(items)
        worker.shutdown(wait=False)


async def test_call_gives_the_result_and_the_error(workers: threads.Pool) -> None:
    assert await threads.call(workers, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.call(workers, divmod, 7, 0)


async def test_a_cancelled_call_that_waits_its_turn_is_not_started(worker: threads.Pool) -> None:
    release = threading.Event()
    started = threading.Event()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(threads.call(worker, release.wait))
        await asyncio.sleep(0)
        second = group.create_task(threads.call(worker, started.set))
        await asyncio.sleep(0)
        second.cancel()
        with suppress(asyncio.CancelledError):
            await second
        release.set()
        await first
    assert not started.is_set()


async def test_a_job_that_hangs_fails_and_the_next_one_has_a_thread(worker: threads.Pool) -> None:
    worker.stuck_s = 0.05
    release = threading.Event()
    hung = [asyncio.ensure_future(threads.call(worker, release.wait)) for _ in range(2)]  # the second one only waits
    for each in hung:
        with pytest.raises(EngineError, match=r"no answer within 0\.05 s"):
            await each
    assert await threads.call(worker, divmod, 7, 2) == (3, 1)
    release.set()


async def test_a_generator_that_hangs_fails_and_is_closed_when_it_ever_goes_on(worker: threads.Pool) -> None:
    release, ended = threading.Event(), threading.Event()

    def stuck() -> Iterator[int]:
        try:
            yield 1
            release.wait()
            yield 2
        finally:
            ended.set()

    worker.stuck_s = 0.05
    items = threads.iterate(worker, stuck)
    assert await anext(items) == 1
    with pytest.raises(EngineError):
        await anext(items)
    assert [item async for item in threads.iterate(worker, lambda: iter("abc"))] == ["a", "b", "c"]
    release.set()
    assert await until(ended)


async def test_an_engine_that_goes_on_hanging_is_not_given_threads_for_ever(
    worker: threads.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "MOST_HUNG", 2)
    worker.stuck_s = 0.05
    release = threading.Event()
    for _ in range(2):
        with pytest.raises(EngineError, match="no answer"):
            await threads.call(worker, release.wait)
    with pytest.raises(EngineError, match="restart the server"):
        await threads.call(worker, divmod, 7, 2)
    release.set()
    async with asyncio.timeout(2.0):
        while True:
            with suppress(EngineError):
                assert await threads.call(worker, divmod, 7, 2) == (3, 1), "those that hung are back"
                break
            await asyncio.sleep(0.01)


async def test_a_job_that_nobody_wants_any_more_does_not_hang(worker: threads.Pool) -> None:
    worker.stuck_s = 0.05
    release, started = threading.Event(), threading.Event()
    first = asyncio.ensure_future(threads.call(worker, release.wait))
    second = asyncio.ensure_future(threads.call(worker, started.set))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(EngineError):
        await first
    release.set()
    assert await threads.call(worker, divmod, 7, 2) == (3, 1)
    assert not started.is_set()


def test_a_process_with_a_thread_that_hangs_ends() -> None:
    code = (
        "import threading; from agent.engines.threads import leave_hung_threads;"
        "threading.Thread(target=threading.Event().wait, name='asr_0').start(); leave_hung_threads(7)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=False)
    assert done.returncode == 7
    assert "asr_0" in done.stderr
