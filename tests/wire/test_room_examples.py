"""The examples of rooms do what they say: minutes of who said what, and an agent that answers to its name."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from agent.caller import Caller, trimmed
from bench.server import Server
from bench.speech import spoken
from examples.called_by_name import settings
from tests.people import models_missing

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

ROOT = Path(__file__).resolve().parents[2]
GO = trimmed(spoken("We could go to the park tomorrow.").pcm)
YES = trimmed(spoken("I would like that very much.").pcm)
ASK = trimmed(spoken("Robin, what is the capital of France?").pcm)


async def written(minutes: Path, *words: str) -> list[str]:
    """The lines, once all of these are in them."""
    async with asyncio.timeout(30.0):
        while True:
            text = await asyncio.to_thread(lambda: minutes.read_text() if minutes.exists() else "")
            if all(word in text for word in words):
                return text.splitlines()
            await asyncio.sleep(0.1)


async def test_a_scribe_writes_the_minutes(tmp_path: Path) -> None:
    minutes = tmp_path / "minutes.txt"
    async with Server({"ANTIPHON__ROOM__POLICY": "scribe"}) as server:
        command = [sys.executable, str(ROOT / "examples" / "scribe.py"), "kitchen", str(minutes), server.url]
        scribe = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        try:
            async with Caller(server.url, room="kitchen", name="Ann") as ann:
                while not any(event["person"]["name"] == "Scribe" for event in ann.of("antiphon.room.joined")):
                    if any(p["name"] == "Scribe" for e in ann.of("antiphon.room.state") for p in e["people"]):
                        break
                    await asyncio.sleep(0.05)
                async with Caller(server.url, room="kitchen", name="Ben") as ben:
                    await ann.say(GO)
                    await written(minutes, "Ann: ")
                    await ben.say(YES)
                    await written(minutes, "Ann: ", "Ben: ")
                    ann.send({"type": "antiphon.room.say", "text": "At nine."})
                    lines = await written(minutes, "Ann (in writing): At nine.")
        finally:
            scribe.terminate()
            await scribe.wait()
    assert "park" in lines[0]
    assert "like that" in lines[1]


async def test_an_agent_answers_when_it_is_called_by_its_name() -> None:
    async with (
        Server(settings("Robin")) as server,
        Caller(server.url, room="table", name="Ann") as ann,
        Caller(server.url, room="table", name="Ben") as ben,
    ):
        await ann.say(GO)
        await ann.event("conversation.item.input_audio_transcription.completed", within_s=15.0)
        assert not ann.of("response.created")
        ended = await ben.say(ASK)
        await ann.hears(ended, within_s=15.0)
        await ben.hears(ended, within_s=15.0)
