"""The server's loop, or all of it, stands still in mid-answer: the answer goes on, and the next one is as quick."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from agent.caller import Caller
from agent.engines.protocols import Recognizer
from bench.server import Server
from tests.chaos.breakable import STALL_S, breakable
from tests.chaos.hearing import COUNT, NUMBERS, answered, heard, numbers
from tests.people import models_missing

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(90),
]

SLOWER_S = 0.6
"""that the next answer may be than the one before, on a machine that has other work, too"""
STOOD = re.compile(r"the loop stood still for (\d+) ms at (.+)")


async def goes_on(caller: Caller, ears: Recognizer, end: float) -> float:
    """All of the count is heard, then the next answer; s that this took to come."""
    assert numbers(await heard(caller, ears, end)) == list(range(1, len(NUMBERS) + 1))
    return await answered(caller, ears)


async def test_a_loop_that_stands_still_in_mid_answer(
    tmp_path: Path, environment: dict[str, str], ears: Recognizer
) -> None:
    async with breakable(tmp_path, environment) as broken, Caller(broken.url) as caller:
        before_s = await answered(caller, ears)
        counted = await broken.server.counter("antiphon_loop_stalls_total")
        end = await caller.say(COUNT)
        await caller.hears(end, within_s=10.0)
        await asyncio.sleep(1.0)
        await broken.order("vad stall")
        after_s = await goes_on(caller, ears, end)
        assert after_s < before_s + SLOWER_S
        assert await broken.server.counter("antiphon_loop_stalls_total") >= counted + 1
        stood = STOOD.findall(await asyncio.to_thread(broken.server.log))
        named = [int(ms) for ms, where in stood if "breakable.py" in where and "time.sleep" in where]
        assert len(named) == 1, stood
        assert named[0] >= 1000 * STALL_S - 110


async def test_a_server_that_is_stopped_in_mid_answer_and_goes_on(
    environment: dict[str, str], ears: Recognizer
) -> None:
    """For a second, and then for five, as by a machine that swaps, or sleeps."""
    async with Server(environment) as server, Caller(server.url) as caller:
        before_s = await answered(caller, ears)
        end = await caller.say(COUNT)
        await caller.hears(end, within_s=10.0)
        for seconds in (1.0, 5.0):
            await asyncio.sleep(1.0)
            os.kill(server.pid, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            os.kill(server.pid, signal.SIGCONT)
            await caller.hears(asyncio.get_running_loop().time(), within_s=2.0)
        assert await goes_on(caller, ears, end) < before_s + SLOWER_S
        stood = STOOD.findall(await asyncio.to_thread(server.log))
        for seconds in (1.0, 5.0):
            (named,) = (where for ms, where in stood if 0 <= int(ms) - 1000 * seconds + 210 <= 1000)
            assert "the whole process was stopped" in named
