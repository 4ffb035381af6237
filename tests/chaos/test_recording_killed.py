"""A process that records a room is killed: what is on the disk plays up to the last second."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from agent.audio import WIRE_RATE
from tests.chaos.endless_recording import AGENT_HZ, ANNA_HZ, SECONDS
from tests.recorded import ALIKE, FOLDER, pages, played, shift, transcript, voice

LOST_S = 1.5
"""at most: a page's half second, and what the machine needs to write it"""
pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("after_s", [1.7, 3.23, 4.99])
async def test_a_recording_whose_process_is_killed_plays_to_its_last_second(tmp_path: Path, after_s: float) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.endless_recording", str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    elapsed_s = 0.0
    try:
        async with asyncio.timeout(30.0):
            while elapsed_s < after_s:
                elapsed_s = float(await process.stdout.readline())
    finally:
        process.kill()
        rest, _ = await process.communicate()
    elapsed_s = float(rest.split()[-1]) if rest.split() else elapsed_s
    await asyncio.to_thread(plays, tmp_path / FOLDER, elapsed_s)


def plays(folder: Path, elapsed_s: float) -> None:
    sources = {"agent": voice(SECONDS, AGENT_HZ), "anna-3f2a91c0": voice(SECONDS, ANNA_HZ)}
    for name in ("mix", *sources):
        path = folder / f"{name}.opus"
        assert list(pages(path.read_bytes())), "nothing but whole pages"
        heard = played(path)
        assert elapsed_s - LOST_S <= len(heard) / WIRE_RATE <= elapsed_s + 0.1
        if name in sources:
            behind, alike = shift(heard, sources[name][: len(heard)])
            assert abs(behind) <= WIRE_RATE // 1000
            assert alike > ALIKE
    said = [line for line in transcript(folder) if line["type"] == "said"]
    assert said[-1]["ended_s"] >= elapsed_s - LOST_S
