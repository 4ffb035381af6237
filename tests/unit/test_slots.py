"""Who may use the recogniser next."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from agent.engines.threads import pool
from agent.listening.slots import Slots


@pytest.fixture
async def slots() -> AsyncIterator[Slots]:
    threads = pool("test", 1)
    yield Slots(threads, 1)
    threads.shutdown(wait=False)


async def test_urgent_jobs_go_first_and_a_job_may_become_urgent_while_it_waits(slots: Slots) -> None:
    gate = threading.Event()
    order: list[str] = []
    late = [False]

    def job(name: str) -> None:
        order.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(slots.run(lambda: gate.wait(5.0), lambda: False))
        await asyncio.sleep(0)
        assert not slots.idle
        group.create_task(slots.run(lambda: job("patient"), lambda: False))
        group.create_task(slots.run(lambda: job("promoted"), lambda: late[0]))
        group.create_task(slots.run(lambda: job("urgent"), lambda: True))
        await asyncio.sleep(0)
        late[0] = True
        gate.set()
    assert order == ["promoted", "urgent", "patient"]
    assert slots.idle


async def test_a_job_that_nobody_waits_for_any_more_keeps_its_slot_until_it_is_done(slots: Slots) -> None:
    gate = threading.Event()
    began = threading.Event()

    def work() -> None:
        began.set()
        gate.wait(5.0)

    working = asyncio.ensure_future(slots.run(work, lambda: False))
    while not began.is_set():  # noqa: ASYNC110 - another thread sets it
        await asyncio.sleep(0.001)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert not slots.idle
    waiting = asyncio.ensure_future(slots.run(lambda: 7, lambda: True))
    given_up = asyncio.ensure_future(slots.run(lambda: 8, lambda: True))
    await asyncio.sleep(0)
    given_up.cancel()
    gate.set()
    assert await waiting == 7
    await asyncio.sleep(0.01)
    assert slots.idle


async def test_a_failure_reaches_who_asked_and_frees_the_slot(slots: Slots) -> None:
    def broken() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await slots.run(broken, lambda: False)
    await asyncio.sleep(0.01)
    assert slots.idle
