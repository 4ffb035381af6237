"""The servers that the clients talk to: `antiphon serve`, and a language model that calls a function."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.scripted_llm import Answer, ScriptedLLM, scripted_llm

ROOT = Path(__file__).resolve().parents[2]
KEY = "a-key-of-the-tests-only"
READY_S = 60.0
CITY = "Oslo"


@contextmanager
def serving(log: Path, *options: str, **settings: str) -> Iterator[str]:
    """`antiphon serve` in a process of its own, with a key; its address."""
    environment = {
        **os.environ,
        "ANTIPHON__SERVER__KEYS": json.dumps([KEY]),
        "ANTIPHON__LLM__MODEL": "smollm2",
        "ANTIPHON__ICE__ADDRESSES": '["127.0.0.1"]',
        **settings,
    }
    with log.open("wb") as output:
        command = [sys.executable, "-m", "agent.cli", "serve", "--port", "0", *options]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + READY_S
        while not (address := _ready(log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield address.replace("localhost", "127.0.0.1")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _ready(log: str) -> str:
    """The address of a server that says that it is ready; "" before."""
    found = re.search(r"https?://\S+?:\d+", log)
    return found.group() if found and "Ready" in log else ""


def _mind(messages: list[dict[str, Any]]) -> Answer | str:
    """Looks the weather up, and says what it was told."""
    last = messages[-1]
    if last["role"] == "tool":
        return f"In {CITY} there are {last['content']}."
    return Answer(calls=[("get_weather", json.dumps({"city": CITY}))]) if "weather" in last["content"] else "Hello."


@contextmanager
def calling() -> Iterator[ScriptedLLM]:
    """A language model that calls `get_weather` when it is asked for the weather; on a thread of its own."""
    loop, up, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[ScriptedLLM] = []

    async def run() -> None:
        async with scripted_llm(_mind) as llm:
            found.append(llm)
            up.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert up.wait(READY_S)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(READY_S)
        loop.close()
