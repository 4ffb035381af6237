"""A disk that is full, slow or hangs: the recording stops and says so once; who is on the line does not notice."""

from __future__ import annotations

import asyncio
import resource
import shutil
import subprocess
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from agent.audio import TICK_SAMPLES, WIRE_RATE
from agent.recording import Recording
from agent.recording.disk import AppendedFile
from agent.recording.recording import BATCH_TICKS, MOST_WAITING, TOO_SLOW
from agent.recording.track import Track
from tests.recorded import ALIKE, AT, FOLDER, pages, played, shift, ticks, voice


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file takes more bytes than this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(params=["a file system of 28 kB", "files of 12 kB"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if "files" in request.param:
        with room_for(12_000):
            yield tmp_path
        return
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=28k", "tmpfs", str(tmp_path)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a small file system")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


class Hanging:
    """A disk that takes nothing until it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.goes_on = threading.Event()
        self.hangs = threading.Event()
        write = Track.write

        def blocked(track: Track) -> None:
            self.hangs.set()
            self.goes_on.wait()
            write(track)

        monkeypatch.setattr(Track, "write", blocked)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    disk = Hanging(monkeypatch)
    yield disk
    disk.goes_on.set()


async def test_a_full_disk_ends_the_recording_and_what_was_written_plays(small_disk: Path) -> None:
    reasons: asyncio.Queue[str] = asyncio.Queue(9)
    recording = Recording(small_disk, "kitchen", AT, reasons.put_nowait)
    source = voice(8.0, 120.0)
    for pcm in ticks(source):
        recording.tick(pcm, {})
    assert await asyncio.wait_for(reasons.get(), 5.0) == "the disk is full"
    assert not recording.on
    recording.tick(source[:TICK_SAMPLES], {})
    recording.said("agent", "Antiphon", "Nobody takes this down.", 0.0, 1.0)
    await recording.close()
    assert reasons.empty(), "it is said once"
    for name in ("mix.opus", "agent.opus"):
        path = small_disk / FOLDER / name
        assert list(pages(await asyncio.to_thread(path.read_bytes))), "nothing but whole pages"
        heard = await asyncio.to_thread(played, path)
        assert len(heard) > WIRE_RATE, name
        assert shift(heard, source[: len(heard)])[1] > ALIKE


def test_of_what_does_not_fit_nothing_is_left(tmp_path: Path) -> None:
    file = AppendedFile(tmp_path / "file")
    with room_for(10_000):
        file.append(b"a" * 6000)
        with pytest.raises(OSError):
            file.append(b"b" * 6000)
        file.append(b"c" * 1000)
    file.close()
    assert (tmp_path / "file").read_bytes() == b"a" * 6000 + b"c" * 1000


async def test_a_slow_disk_ends_the_recording_in_bounded_memory_and_nobody_waits(
    tmp_path: Path, hanging: Hanging
) -> None:
    reasons: list[str] = []
    recording = Recording(tmp_path, "kitchen", AT, reasons.append)
    people = [f"person_{n:012x}" for n in range(10)]
    recording.rest(BATCH_TICKS)
    assert await asyncio.to_thread(hanging.hangs.wait, 5.0)
    tracemalloc.start()
    try:
        for _ in range(60 * 50):
            recording.tick(None, {person: np.ones(TICK_SAMPLES, np.int16) for person in people})
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reasons == [TOO_SLOW]
    assert not recording.on
    assert most < 1.3 * MOST_WAITING * BATCH_TICKS * len(people) * TICK_SAMPLES * 2
    hanging.goes_on.set()
    await recording.close()
    assert reasons == [TOO_SLOW]
    heard = await asyncio.to_thread(played, tmp_path / FOLDER / "mix.opus")
    assert len(heard) == (MOST_WAITING + 1) * BATCH_TICKS * TICK_SAMPLES


async def test_a_disk_that_is_slow_for_nine_seconds_costs_nothing(tmp_path: Path, hanging: Hanging) -> None:
    recording = Recording(tmp_path, "kitchen", AT, pytest.fail)
    for pcm in ticks(voice(9.0, 120.0)):
        recording.tick(pcm, {})
    hanging.goes_on.set()
    await recording.close()
    assert len(await asyncio.to_thread(played, tmp_path / FOLDER / "agent.opus")) == 9 * WIRE_RATE


async def test_a_disk_that_hangs_does_not_keep_a_room_from_ending(
    tmp_path: Path, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.recording.recording.CLOSE_S", 0.05)
    reasons: list[str] = []
    one = Recording(tmp_path, "kitchen", AT, reasons.append)
    one.rest(BATCH_TICKS)
    await one.close()
    assert reasons == [TOO_SLOW]
    hanging.goes_on.set()
    await one.close()


async def test_a_flood_of_words_is_bounded_too(tmp_path: Path, hanging: Hanging) -> None:
    """Without a tick in between."""
    reasons: list[str] = []
    recording = Recording(tmp_path, "kitchen", AT, reasons.append)
    for _ in range(100_000):
        recording.said("person_1", "Anna", "And another thing.", 0.0, 1.0)
    assert reasons == [TOO_SLOW]
    hanging.goes_on.set()
    await recording.close()


async def test_what_can_not_be_encoded_ends_the_recording_and_not_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(track: Track, pcm: object) -> None:
        raise ValueError("Anna said marmalade")

    monkeypatch.setattr(Track, "play", broken)
    reasons: list[str] = []
    recording = Recording(tmp_path, "kitchen", AT, reasons.append)
    recording.tick(np.ones(TICK_SAMPLES, np.int16), {})
    await recording.close()
    assert reasons == ["ValueError"]
