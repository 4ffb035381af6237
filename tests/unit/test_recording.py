"""A room's recording: tracks that line up, silence that is silent, files whose names are safe, and every word."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest

from agent.audio import I16, TICK_SAMPLES, WIRE_RATE
from agent.errors import ConfigError
from agent.recording import Recording, check_folder
from tests.recorded import (
    ALIKE,
    AT,
    FIRST,
    FOLDER,
    LAST,
    files,
    pages,
    played,
    played_by_libopus,
    shift,
    ticks,
    transcript,
    voice,
)

ANNA, BOB = "person_3f2a91c0d4e5", "person_b0b0b0b0b0b0"
MOST_SHIFT = 48
"""1 ms"""
NASTY = [
    "<script>alert('x')</script>",
    "../../../../etc/passwd",
    "..",
    "C:\\Windows\\nul",
    "👩‍🍳🔪" * 10,
    "\u202eannA\u202c",
    "عَبْدُ اللهِ",
    "日本語の名前です",
    "Zoë Ångström",
    "-rf *; $(reboot) `id` | \"'&",
    "a" * 40,
    "mix",
    "agent",
    "Guest",
    "",
    "con.",
    "a/b\\c:d",
    "half \ud83d of an emoji",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / FOLDER


def at_s(length_s: float, begins_s: float, pcm: I16) -> I16:
    """A track of this length with a sound in it."""
    track = np.zeros(round(length_s * WIRE_RATE), np.int16)
    begin = round(begins_s * WIRE_RATE)
    track[begin : begin + len(pcm)] = pcm
    return track


def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait for it, in a thread."""
    by = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < by
        time.sleep(0.01)


async def recorded(
    folder: Path, sources: Mapping[str, I16], each: Callable[[Recording, int], None] = lambda recording, tick: None
) -> None:
    """Record these, the agent's among them; what is digital silence comes as none at all."""
    recording = Recording(folder, "kitchen", AT, pytest.fail)
    for tick, pieces in enumerate(zip_longest(*(ticks(pcm) for pcm in sources.values()))):
        each(recording, tick)
        given = {name: pcm if pcm.any() else None for name, pcm in zip(sources, pieces, strict=True)}
        agent = given.pop("agent", None)
        recording.tick(agent, given)
    await recording.close()


async def test_tracks_line_up_when_they_are_played_side_by_side(tmp_path: Path, folder: Path) -> None:
    """Anna is there from the beginning; Bob comes later; the agent speaks into both."""
    sources = {
        ANNA: at_s(7.0, 0.5, voice(2.0, 190.0)),
        "agent": at_s(7.0, 1.5, voice(3.5, 150.0)),
        BOB: at_s(7.0, 4.0, voice(2.5, 110.0)),
    }

    def each(recording: Recording, tick: int) -> None:
        if tick == 0:
            recording.joined(ANNA, "Anna")
        if tick == 160:
            recording.joined(BOB, "Bob")

    await recorded(tmp_path, sources, each)
    names = {ANNA: "anna-3f2a91c0.opus", BOB: "bob-b0b0b0b0.opus", "agent": "agent.opus"}
    mix = sum((pcm.astype(np.int32) for pcm in sources.values()), np.zeros(7 * WIRE_RATE, np.int32))
    for path, source in [(names[name], pcm) for name, pcm in sources.items()] + [("mix.opus", mix.astype(np.int16))]:
        for player in (played, played_by_libopus):
            heard = await asyncio.to_thread(player, folder / path)
            behind, alike = shift(heard, source)
            assert abs(behind) <= MOST_SHIFT, path
            assert alike > ALIKE, (path, alike)
        assert len(await asyncio.to_thread(played, folder / path)) == 7 * WIRE_RATE, path


async def test_silence_is_silent_before_between_and_after_speech(tmp_path: Path, folder: Path) -> None:
    source = at_s(8.0, 2.0, voice(1.0, 120.0)) + at_s(8.0, 5.0, voice(1.0, 120.0))
    await recorded(tmp_path, {"agent": source})
    for player in (played, played_by_libopus):
        heard = np.abs((await asyncio.to_thread(player, folder / "agent.opus")).astype(int))
        assert heard[: round(1.95 * WIRE_RATE)].max() <= 4
        assert heard[round(3.3 * WIRE_RATE) : round(4.95 * WIRE_RATE)].max() <= 4
        assert heard[round(6.3 * WIRE_RATE) : 8 * WIRE_RATE].max() <= 4


async def test_who_says_nothing_takes_no_room(tmp_path: Path, folder: Path) -> None:
    recording = Recording(tmp_path, "kitchen", AT, pytest.fail)
    recording.joined(ANNA, "Anna")
    for _ in range(6):
        recording.rest(50 * 60)
    assert recording.elapsed_s == pytest.approx(360.0)
    await recording.close()
    for name, data in (await asyncio.to_thread(files, folder)).items():
        if name.endswith(".opus"):
            assert len(data) < 360 * 150
            assert len(await asyncio.to_thread(played, folder / name)) == 360 * WIRE_RATE


async def test_everything_is_there_when_it_is_closed(tmp_path: Path, folder: Path) -> None:
    """Also what does not fill a page."""
    await recorded(tmp_path, {"agent": voice(0.5, 120.0)[: 7 * TICK_SAMPLES]})
    assert len(await asyncio.to_thread(played, folder / "mix.opus")) == 7 * TICK_SAMPLES
    *_, last = pages((await asyncio.to_thread(files, folder))["mix.opus"])
    assert last.flags == LAST


@pytest.mark.parametrize("name", NASTY)
async def test_whatever_a_name_is_its_file_is_safe(tmp_path: Path, folder: Path, name: str) -> None:
    recording = Recording(tmp_path, "kitchen", AT, pytest.fail)
    recording.joined(ANNA, name)
    recording.joined(BOB, name)
    recording.joined(BOB.replace("0b0b", "0b0c"), name)
    recording.rest(1)
    await recording.close()
    joined = [line for line in await asyncio.to_thread(transcript, folder) if line["type"] == "joined"]
    shown = name.encode(errors="replace").decode()
    assert [line["name"] for line in joined] == [shown] * 3
    tracks = {line["track"] for line in joined}
    assert len(tracks) == 3
    found = await asyncio.to_thread(files, tmp_path)
    assert found.keys() == {f"{FOLDER}/{name}" for name in (*tracks, "mix.opus", "agent.opus", "transcript.jsonl")}
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]*\.opus", track) for track in tracks)
    head, tags = list(pages(found[f"{FOLDER}/{joined[0]['track']}"]))[:2]
    assert head.flags == FIRST
    assert f"TITLE={shown}".encode() in tags.packets[0]


async def test_nobody_else_may_read_it(tmp_path: Path, folder: Path) -> None:
    before = os.umask(0)
    try:
        await recorded(tmp_path, {"agent": voice(0.5, 120.0)})
    finally:
        os.umask(before)
    found = await asyncio.to_thread(lambda: {path: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")})
    assert found.pop(folder) == 0o700
    assert set(found.values()) == {0o600}


async def test_two_recordings_of_the_same_second_do_not_mix(tmp_path: Path) -> None:
    for room in ("kitchen", "kitchen", "../kitchen", ".", ""):
        await Recording(tmp_path, room, AT, pytest.fail).close()
    found = await asyncio.to_thread(files, tmp_path)
    names = {str(Path(path).parent).replace("-2026-11-22T10-15-00Z", "") for path in found}
    assert sorted(names) == ["call", "call-2", "kitchen", "kitchen-2", "kitchen-3"]


async def test_who_leaves_and_comes_back_has_two_tracks(tmp_path: Path, folder: Path) -> None:
    source = voice(3.0, 140.0)

    def each(recording: Recording, tick: int) -> None:
        {0: lambda: recording.joined(ANNA, "Anna"), 50: lambda: recording.left(ANNA)}.get(tick, lambda: None)()
        if tick == 100:
            recording.joined(ANNA, "Anna")
            recording.joined(ANNA, "Anna")  # the same person on a new line: nothing new

    await recorded(tmp_path, {ANNA: source}, each)
    first = await asyncio.to_thread(played, folder / "anna-3f2a91c0.opus")
    second = await asyncio.to_thread(played, folder / "anna-3f2a91c0-2.opus")
    assert len(first) == WIRE_RATE
    assert len(second) == 3 * WIRE_RATE
    assert shift(first, source[:WIRE_RATE])[1] > ALIKE
    assert not second[: 2 * WIRE_RATE - TICK_SAMPLES].any()
    assert abs(shift(second, at_s(3.0, 2.0, source[2 * WIRE_RATE :]))[0]) <= MOST_SHIFT
    assert len(await asyncio.to_thread(played, folder / "mix.opus")) == 3 * WIRE_RATE


async def test_two_who_shout_at_once_are_clipped_and_not_wrapped(tmp_path: Path, folder: Path) -> None:
    tone = np.asarray(20_000 * np.sin(2 * np.pi * 200 * np.arange(WIRE_RATE) / WIRE_RATE), np.int16)
    await recorded(tmp_path, {ANNA: tone, BOB: tone, "agent": tone})
    heard = await asyncio.to_thread(played, folder / "mix.opus")
    assert shift(heard, tone)[1] > ALIKE


async def test_every_word_is_in_the_transcript_with_its_time(tmp_path: Path, folder: Path) -> None:
    recording = Recording(tmp_path, "kitchen", AT, pytest.fail)
    recording.joined(ANNA, "Anna")
    recording.rest(100)
    recording.said(ANNA, "Anna", 'What is "42"?\nTell\u2028me.', 0.5, 1.98765)
    recording.rest(100)
    recording.said("agent", "Antiphon", "An answer. \ud83d 🙂", 2.25, 4.0)
    recording.left(ANNA)
    await recording.close()
    lines = await asyncio.to_thread(transcript, folder)
    assert lines == [
        {"type": "began", "room": "kitchen", "at": "2026-11-22T10:15:00Z"},
        {"type": "joined", "person_id": ANNA, "name": "Anna", "at_s": 0.0, "track": "anna-3f2a91c0.opus"},
        {
            "type": "said",
            "person_id": ANNA,
            "name": "Anna",
            "text": 'What is "42"?\nTell\u2028me.',
            "started_s": 0.5,
            "ended_s": 1.988,
        },
        {
            "type": "said",
            "person_id": "agent",
            "name": "Antiphon",
            "text": "An answer. ? 🙂",
            "started_s": 2.25,
            "ended_s": 4.0,
        },
        {"type": "left", "person_id": ANNA, "at_s": 4.0},
        {"type": "ended", "at_s": 4.0},
    ]


async def test_a_line_is_safe_on_the_disk_half_a_second_later(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the recording goes on."""
    path, fsync = folder / "transcript.jsonl", os.fsync
    synced: set[tuple[int, int]] = set()

    def noticed(file: int) -> None:
        fsync(file)
        synced.add((os.fstat(file).st_ino, os.fstat(file).st_size))

    def safe() -> bool:
        """What it is now was seen by the disk."""
        return (
            path.exists() and b"the time" in path.read_bytes() and (path.stat().st_ino, path.stat().st_size) in synced
        )

    monkeypatch.setattr(os, "fsync", noticed)
    recording = Recording(tmp_path, "kitchen", AT, pytest.fail)
    recording.said(ANNA, "Anna", "What is the time?", 0.0, 0.1)
    recording.rest(25)
    await asyncio.to_thread(until, safe)
    await recording.close()


async def test_a_log_has_no_names_and_no_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await asyncio.to_thread((tmp_path / "file").touch)
    for place in (tmp_path / "recordings", tmp_path / "file" / "below"):
        reasons: list[str] = []
        recording = Recording(place, "Rosewood", AT, reasons.append)
        recording.joined(ANNA, "Penelope")
        recording.said(ANNA, "Penelope", "My password is marmalade.", 0.0, 0.1)
        recording.rest(50)
        await recording.close()
        for word in ("Rosewood", "Penelope", "marmalade", ANNA, "3f2a"):
            assert word.lower() not in (caplog.text + "".join(reasons)).lower()
    assert reasons == ["nothing can be written: Not a directory"]
    assert "a recording stopped" in caplog.text


def test_a_folder_is_made_and_tried_when_the_server_starts(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/recordings"])
def test_a_folder_that_can_not_be_written_is_refused_with_a_remedy(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"room\.recording") as refused:
        check_folder(tmp_path / place)
    assert place in str(refused.value)
