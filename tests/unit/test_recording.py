"""A room's recording: tracks that line up, silence that is silent, and nothing missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest

from agent.audio import I16, TICK_SAMPLES, WIRE_RATE
from agent.recording import Recording
from tests.recorded import (
    ALIKE,
    AT,
    FOLDER,
    LAST,
    files,
    pages,
    played,
    played_by_libopus,
    shift,
    ticks,
    voice,
)

ANNA, BOB = "person_3f2a91c0d4e5", "person_b0b0b0b0b0b0"
MOST_SHIFT = 48
"""1 ms"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / FOLDER


def at_s(length_s: float, begins_s: float, pcm: I16) -> I16:
    """A track of this length with a sound in it."""
    track = np.zeros(round(length_s * WIRE_RATE), np.int16)
    begin = round(begins_s * WIRE_RATE)
    track[begin : begin + len(pcm)] = pcm
    return track


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


async def test_a_track_that_ends_in_mid_word_has_its_last_sample(tmp_path: Path, folder: Path) -> None:
    """libopus lags behind by 6.5 ms, which would be missing."""
    tone = np.asarray(10_000 * np.sin(2 * np.pi * 400 * np.arange(WIRE_RATE) / WIRE_RATE), np.int16)
    await recorded(tmp_path, {"agent": tone})
    for player in (played, played_by_libopus):
        heard = (await asyncio.to_thread(player, folder / "agent.opus"))[:WIRE_RATE]
        assert 0.5 < np.std(heard[-240:]) / np.std(tone[-240:]) < 1.5


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
