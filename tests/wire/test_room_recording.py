"""A room that is recorded: it says so, aloud and to the pages, and what was said is there afterwards."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agent.audio import WIRE_RATE, dbfs, read_audio
from agent.caller import trimmed
from bench.speech import spoken
from tests.people import models_missing, second_ears, transcribed
from tests.roommates import remembered, rooms, together, until

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

GO = trimmed(spoken("We could go to the park tomorrow.").pcm)
YES = trimmed(spoken("I would like that very much.").pcm)


async def test_a_recorded_room_says_so_and_leaves_tracks_and_words(tmp_path: Path) -> None:
    ears = await asyncio.to_thread(second_ears)
    async with rooms(policy="scribe", recording=str(tmp_path)) as (url, worker, _):
        async with together(url, "Ann", "Ben") as (ann, ben):
            assert (await until(ben, "antiphon.room.state"))["recording"]
            heard = await ben.hears(0.0, within_s=15.0)
            await ben.quiet(1.5, within_s=20.0)
            assert "recorded" in (await asyncio.to_thread(transcribed, ears, ben.ear.sound(heard.at - 0.1))).lower()
            await ann.say(GO)
            await remembered(worker, "Ann", "park")
            await ben.say(YES)
            await remembered(worker, "Ben", "like that")
        async with asyncio.timeout(10.0):
            while len(worker._rooms) or worker._rooms._running:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    [folder] = await asyncio.to_thread(lambda: list(tmp_path.iterdir()))
    files = await asyncio.to_thread(lambda: list(folder.glob("*.opus")))
    tracks = {path.name.partition("-")[0].partition(".")[0]: path for path in files}
    assert set(tracks) == {"mix", "agent", "ann", "ben"}
    sounds = {name: await asyncio.to_thread(read_audio, path, WIRE_RATE) for name, path in tracks.items()}
    for name, word in (("ann", "park"), ("ben", "like"), ("mix", "park")):
        assert dbfs(sounds[name]) > -50.0
        assert word in (await asyncio.to_thread(transcribed, ears, sounds[name])).lower(), name
    written = await asyncio.to_thread((folder / "transcript.jsonl").read_text)
    lines = [json.loads(line) for line in written.splitlines()]
    said = [(line["name"], line["text"]) for line in lines if "text" in line]
    assert [name for name, _ in said][-2:] == ["Ann", "Ben"], said
