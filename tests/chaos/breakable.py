"""Engines that break when a test says so, in a real server: found as any package's are, by entry points.

What is to break stands in a file that the environment names: "asr hang", "tts raise", "tts quote", "vad stall".
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from agent.audio import F32, I16
from agent.engines.asr.whisper import Whisper
from agent.engines.protocols import Hypothesis, VadStream
from agent.engines.tts.hibari import Hibari
from agent.engines.vad.silero import Silero
from bench.server import Server

ROOT = Path(__file__).resolve().parents[2]
ORDERS = "TEST_ORDERS"
"""environment: the file"""
STALL_S = 0.3
NAME = "breakable"


def obey(seam: str, said: str = "") -> None:
    """Break, if that is the order for this seam. ``said`` is what a careless engine quotes."""
    orders = Path(os.environ[ORDERS])
    match orders.read_text().split():
        case [about, "raise"] if about == seam:
            raise RuntimeError("broken by order")
        case [about, "quote"] if about == seam:
            raise ValueError(f"can not say {said!r}")
        case [about, "hang"] if about == seam:
            threading.Event().wait()
        case [about, "stall"] if about == seam:
            orders.write_text("")
            time.sleep(STALL_S)


class BreakableAsr:
    """Whisper, until told otherwise."""

    def __init__(self) -> None:
        self._asr = Whisper(model="whisper-tiny.en", workers=2)

    def knows(self, language: str) -> bool:
        return self._asr.knows(language)

    def transcribe(self, wave: F32, *, language: str | None, prompt: str) -> Hypothesis:
        obey("asr", prompt)
        return self._asr.transcribe(wave, language=language, prompt=prompt)


class BreakableTts:
    """Hibari, until told otherwise."""

    def __init__(self) -> None:
        self._tts = Hibari()
        self.rate, self.languages, self.voices = self._tts.rate, self._tts.languages, self._tts.voices

    def speak(self, text: str, *, voice: str, language: str, speed: float = 1.0) -> Iterator[I16]:
        obey("tts", text)
        yield from self._tts.speak(text, voice=voice, language=language, speed=speed)


class BreakableVad:
    """Silero, until told otherwise; it works on the loop."""

    def __init__(self) -> None:
        self._vad = Silero()
        self.window = self._vad.window

    def stream(self) -> VadStream:
        heard = self._vad.stream()

        def hear(window: F32) -> float:
            obey("vad")
            return heard(window)

        return hear


class Breakable:
    """A server with such engines."""

    def __init__(self, server: Server, orders: Path) -> None:
        self.server = server
        self.url = server.url
        self._orders = orders

    async def order(self, what: str) -> None:
        """From now on this breaks; "" mends it."""
        await asyncio.to_thread(self._orders.write_text, what)


@asynccontextmanager
async def breakable(folder: Path, settings: Mapping[str, str]) -> AsyncIterator[Breakable]:
    """One, with its orders and its package in ``folder``."""
    orders = folder / "orders"
    await asyncio.to_thread(_package, folder, orders)
    paths = [str(folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    chosen = {f"ANTIPHON__{seam}__ENGINE": NAME for seam in ("ASR", "TTS", "VAD")}
    async with Server({**chosen, ORDERS: str(orders), "PYTHONPATH": os.pathsep.join(paths), **settings}) as server:
        yield Breakable(server, orders)


def _package(folder: Path, orders: Path) -> None:
    """What an installed package leaves behind, as far as entry points go."""
    orders.write_text("")
    info = folder / f"{NAME}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1\n")
    made = {"asr": "BreakableAsr", "tts": "BreakableTts", "vad": "BreakableVad"}
    (info / "entry_points.txt").write_text(
        "\n".join(f"[antiphon.{seam}]\n{NAME} = {__name__}:{kind}" for seam, kind in made.items())
    )
