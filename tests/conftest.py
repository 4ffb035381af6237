"""What every test is held to: no blocked loop, no task or thread left behind, loopback only."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings

from agent.transports.aiortc_private import gather_only

SETTLE_S = 3.0
"""How long threads that were told to end may take."""

settings.register_profile("antiphon", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("antiphon")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Coroutine tests are also checked for tasks; the loop they run on is there to be asked."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
            item.fixturenames.insert(0, "no_task_left")


@pytest.fixture(autouse=True)
def loop_never_blocks(request: pytest.FixtureRequest) -> Iterator[BlockBuster | None]:
    """A blocking call on the loop's thread raises."""
    if request.node.get_closest_marker("asyncio") is None:
        yield None
        return
    with blockbuster_ctx() as blocker:
        for name in ("io.TextIOWrapper.read", "io.TextIOWrapper.write", "io.BufferedWriter.write"):
            if name in blocker.functions:  # the tests' own files and output are not the product's
                blocker.functions[name].deactivate()
        if "threading.Lock.acquire" in blocker.functions:
            # aiortc joins its decoder's thread at hang-up; the thread waits on an empty queue and ends at once
            blocker.functions["threading.Lock.acquire"].can_block_in("aiortc/rtcrtpreceiver.py", {"__stop_decoder"})
        yield blocker


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Threads that the test started have ended."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + SETTLE_S
    while left := [t for t in threading.enumerate() if t not in before and not _expected(t)]:
        if time.monotonic() > deadline:
            pytest.fail(f"threads left behind: {[thread.name for thread in left]}")
        time.sleep(0.01)


def _expected(thread: threading.Thread) -> bool:
    """The loop's own pool ends with the loop, after the fixtures."""
    return thread.daemon or thread.name.startswith("asyncio_")


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Tasks that the test started have ended."""
    yield
    for _ in range(50):
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and not task.done()]
        if not left:
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail(f"tasks left behind: {[task.get_name() + ' ' + repr(task.get_coro()) for task in left]}")
    gc.collect()


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> None:
    """Media flows on 127.0.0.1 and nowhere else."""
    gather_only(["127.0.0.1"])
