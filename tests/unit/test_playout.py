"""The playout: pacing, marks, and what counts as heard."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audio import I16, TICK_SAMPLES, WIRE_RATE
from agent.speaking.playout import AHEAD_S, DUCK_GAIN, FADE_SAMPLES, Playout, PlayoutClosed


def tone(samples: int, level: int = 8000) -> I16:
    return np.full(samples, level, np.int16)


async def test_speech_leaves_in_ticks_and_the_first_is_announced_once() -> None:
    playout = Playout()
    audible: list[bool] = []
    writer = playout.open(lambda: audible.append(True))
    assert not playout.read().any()
    writer.clause("one")
    await writer.write(tone(TICK_SAMPLES * 2 + 100))
    assert audible == []
    frames = [playout.read() for _ in range(4)]
    assert audible == [True]
    assert [int(np.count_nonzero(frame)) for frame in frames] == [TICK_SAMPLES, TICK_SAMPLES, 100, 0]


async def test_a_writer_far_ahead_waits() -> None:
    playout = Playout()
    writer = playout.open(lambda: None)
    await writer.write(tone(round(AHEAD_S * WIRE_RATE)))
    more = asyncio.ensure_future(writer.write(tone(100)))
    await asyncio.sleep(0)
    assert not more.done()
    playout.read()
    await more


async def test_cut_silences_at_once_but_for_a_short_fade_and_closes_the_writer() -> None:
    playout = Playout()
    writer = playout.open(lambda: None)
    await writer.write(tone(TICK_SAMPLES * 10))
    playout.read()
    playout.cut(0)
    tail = playout.read()
    assert np.count_nonzero(tail) <= FADE_SAMPLES
    assert np.all(np.diff(tail[:FADE_SAMPLES].astype(int)) <= 0)
    assert not playout.read().any()
    with pytest.raises(PlayoutClosed):
        await writer.write(tone(10))
    with pytest.raises(PlayoutClosed):
        writer.clause("more")


async def test_cut_wakes_a_writer_that_waits() -> None:
    playout = Playout()
    writer = playout.open(lambda: None)
    await writer.write(tone(round(AHEAD_S * WIRE_RATE)))
    more = asyncio.ensure_future(writer.write(tone(100)))
    await asyncio.sleep(0)
    playout.cut(0)
    with pytest.raises(PlayoutClosed):
        await more


async def test_drain_returns_when_the_last_sample_has_left() -> None:
    playout = Playout()
    writer = playout.open(lambda: None)
    await writer.write(tone(TICK_SAMPLES + 1))
    drained = asyncio.ensure_future(writer.drain())
    playout.read()
    await asyncio.sleep(0)
    assert not drained.done()
    playout.read()
    await drained
    assert playout.heard().complete


async def test_duck_ramps_and_comes_back() -> None:
    playout = Playout()
    writer = playout.open(lambda: None)
    await writer.write(tone(TICK_SAMPLES * 10))
    playout.read()
    playout.duck()
    ramp = playout.read().astype(int)
    assert np.all(np.diff(ramp) <= 0)
    assert abs(int(ramp[-1]) - 8000 * DUCK_GAIN) <= 1
    assert abs(int(playout.read()[0]) - 8000 * DUCK_GAIN) <= 1
    playout.unduck()
    assert int(playout.read()[-1]) == 8000


TEXTS = ["Well, hello there. ", "I am fine, thank you! ", "And you?"]


async def written() -> Playout:
    """Three clauses of one second each, all written."""
    playout = Playout()
    writer = playout.open(lambda: None)
    for text in TEXTS:
        writer.clause(text)
        playout.push(tone(WIRE_RATE))
        writer.written += WIRE_RATE
    writer.clause("")
    return playout


@given(ticks=st.integers(0, 160), delay=st.integers(0, 20_000))
def test_heard_is_a_prefix_that_ends_between_words_and_grows_with_time(ticks: int, delay: int) -> None:
    playout = asyncio.run(written())
    whole = "".join(TEXTS).split()
    before: list[str] = []
    for _ in range(ticks):
        playout.read()
        heard = playout.heard(delay)
        words = heard.text.split()
        assert words == whole[: len(words)]
        assert len(words) >= len(before)
        before = words
    heard = playout.cut(delay)
    seconds = max(0, min(ticks * TICK_SAMPLES, 3 * WIRE_RATE) - delay) / WIRE_RATE
    full = int(seconds)  # whole clauses that were played
    assert heard.text.split()[: len("".join(TEXTS[:full]).split())] == "".join(TEXTS[:full]).split()
    assert len(heard.text.split()) <= len("".join(TEXTS[: full + 1]).split())
