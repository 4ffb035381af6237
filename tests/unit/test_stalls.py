"""A loop that stands still is noticed, and the line is named."""

from __future__ import annotations

import asyncio
import logging

import pytest

from agent import stalls
from agent.stalls import StallDetector


def busy(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Keep the loop from everything else."""
    until = loop.time() + seconds
    while loop.time() < until:
        pass  # this is where it stands


async def test_the_line_at_which_the_loop_stands_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stalls, "INSIDE", stalls.INSIDE / "tests")
    lengths: list[float] = []
    task = asyncio.create_task(StallDetector(lengths.append).run())
    await asyncio.sleep(0.25)
    with caplog.at_level(logging.WARNING):
        busy(asyncio.get_running_loop(), 0.5)
        await asyncio.sleep(0.25)
        assert len(lengths) == 1
        assert 0.3 < lengths[0] < 2.0
        assert "test_stalls.py" in caplog.text
        assert "busy" in caplog.text or "while loop.time()" in caplog.text or "pass" in caplog.text
    await asyncio.sleep(0.3)
    assert len(lengths) == 1, "a loop that runs is left alone"
    task.cancel()
    await asyncio.wait({task})


def test_a_loop_that_waits_stands_nowhere() -> None:
    assert stalls.where(None) == ""
