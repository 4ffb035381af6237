"""Records until somebody kills it; says how long it is, tick by tick.

python -m tests.chaos.endless_recording FOLDER
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from agent.audio import TICK_S
from agent.recording import Recording
from tests.recorded import AT, ticks, voice

ANNA = "person_3f2a91c0d4e5"
AGENT_HZ, ANNA_HZ = 110.0, 190.0
SECONDS = 20.0


async def record(folder: Path) -> None:
    """The agent's voice and a person's, as a room has them."""
    loop = asyncio.get_running_loop()
    recording = Recording(folder, "kitchen", AT)
    recording.joined(ANNA, "Anna")
    due = loop.time()
    for agent, anna in zip(ticks(voice(SECONDS, AGENT_HZ)), ticks(voice(SECONDS, ANNA_HZ)), strict=True):
        recording.tick(agent, {ANNA: anna})
        recording.said(ANNA, "Anna", "And another thing.", recording.elapsed_s - TICK_S, recording.elapsed_s)
        sys.stdout.write(f"{recording.elapsed_s}\n")
        sys.stdout.flush()
        due += TICK_S
        await asyncio.sleep(due - loop.time())


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))
