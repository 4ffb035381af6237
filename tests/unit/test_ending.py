"""How a child process ends: by itself when asked, by force when it does not listen, and once only."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

from agent.engines.ending import end, send

PATIENT = "import time; print('here', flush=True); time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + PATIENT


@pytest.mark.parametrize(
    ("program", "within_s", "number"), [(PATIENT, 10.0, signal.SIGTERM), (DEAF, 0.2, signal.SIGKILL)]
)
async def test_a_child_is_asked_and_then_killed(program: str, within_s: float, number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    await end(process, within_s)
    assert process.returncode == -number
    send(process, signal.SIGTERM)
    await end(process, within_s)  # it has ended already
