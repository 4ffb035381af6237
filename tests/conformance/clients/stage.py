"""What every driver in Python shares: its orders, the microphone, and the lines that it prints."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import wave
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RATE = 24_000
PACKET_S = 0.1
PATIENCE_S = 25.0
STORY = "Please tell me a long story about a ship that sails around the world."
TYPED = "How many days are there in a week?"
ASKED = "What is the weather like in Oslo?"
WEATHER = "7 degrees and rain"
"""what `get_weather` gives"""
MOMENT_S = 1.2
"""of a story that are heard before it is interrupted"""


@dataclass(frozen=True)
class Orders:
    """What the test wants: one argument, in JSON."""

    url: str
    """ends in ``/v1``"""
    tools_url: str
    """the same, of a server whose language model calls `get_weather` when it is `ASKED`"""
    key: str
    question: bytes
    """what is said first: PCM16 at RATE"""
    interruption: bytes
    """what is said into the story"""
    voice: Path
    """where the first answer's sound is to be written: PCM16 at RATE"""


def socket(url: str) -> str:
    """The address of a server's WebSocket."""
    return url.replace("http", "ws", 1) + "/realtime"


def orders() -> Orders:
    """Those of the command line."""
    given = json.loads(sys.argv[1])
    question, interruption = sound(given["question"]), sound(given["interruption"])
    return Orders(given["url"], given["tools_url"], given["key"], question, interruption, Path(given["voice"]))


def sound(path: str) -> bytes:
    """The samples of a WAV file."""
    with wave.open(path, "rb") as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (RATE, 2, 1)
        return file.readframes(file.getnframes())


def tell(what: str, **fields: Any) -> None:
    """Say what happened, on a line of its own."""
    sys.stdout.write(json.dumps({"what": what, **fields}) + "\n")
    sys.stdout.flush()


class Complaints(logging.Handler):
    """Warnings and worse of any library."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it."""
        trouble = f" ({record.exc_info[1]!r})" if record.exc_info else ""
        tell("wrong", text=f"{record.name}: {record.getMessage()}{trouble}"[:500])


def listen_for_complaints() -> None:
    """What libraries log at WARNING or above is told."""
    logging.getLogger().addHandler(Complaints(logging.WARNING))


async def until(true: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
    """Wait until something is so.

    :raises TimeoutError: if it does not come.
    """
    deadline = asyncio.get_running_loop().time() + within_s
    while not true():
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(what)
        await asyncio.sleep(0.02)


class Microphone:
    """Sends sound in real time: what is to be said, else silence."""

    def __init__(self) -> None:
        self._left = b""

    def say(self, pcm: bytes) -> None:
        """Say it now."""
        self._left = pcm

    async def packet(self) -> bytes:
        """The next one, without waiting."""
        size = round(PACKET_S * RATE) * 2
        packet, self._left = self._left[:size], self._left[size:]
        return packet.ljust(size, b"\0")

    async def run(self, send: Callable[[bytes], Awaitable[object]]) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await send(await self.packet())
            due += PACKET_S
            await asyncio.sleep(max(0.0, due - loop.time()))
