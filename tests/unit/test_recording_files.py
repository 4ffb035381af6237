"""A recording's files: names that are safe whatever people are called, for nobody else's eyes, and every word."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.recording import Recording, check_folder
from tests.recorded import AT, FIRST, FOLDER, files, pages, transcript

ANNA, BOB = "person_3f2a91c0d4e5", "person_b0b0b0b0b0b0"
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


def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait for it, in a thread."""
    by = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < by
        time.sleep(0.01)


@pytest.mark.parametrize("name", NASTY)
async def test_whatever_a_name_is_its_file_is_safe(tmp_path: Path, folder: Path, name: str) -> None:
    recording = Recording(tmp_path, "kitchen", AT, pytest.fail)
    recording.joined(ANNA, name)
    recording.joined(BOB, name)
    recording.joined(BOB[:-1] + "1", name)  # of which a file name has too little to tell them apart
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
        recording = Recording(tmp_path, "kitchen", AT, pytest.fail)
        recording.joined(ANNA, "Anna")
        await recording.close()
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
