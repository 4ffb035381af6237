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
    playout.release()
    assert int(playout.read()[-1]) == 8000


def speech_like(seconds: float) -> I16:
    """Syllables of 150 ms at 4000 with gaps of 50 ms at 20."""
    ticks = np.arange(round(seconds * WIRE_RATE))
    return np.where(ticks % (WIRE_RATE // 5) < WIRE_RATE * 3 // 20, 4000, 20).astype(np.int16)


async def test_hold_is_silent_without_a_click_and_goes_on_from_the_syllable() -> None:
    playout = Playout()
    writer = playout.open(lambda: None)
    pcm = speech_like(1.0)
    for start in range(0, len(pcm), 4800):
        playout.push(pcm[start : start + 4800])
    writer.written = len(pcm)
    before = np.concatenate([playout.read() for _ in range(15)])  # 300 ms: in the middle of the second syllable
    playout.hold()
    held = np.concatenate([playout.read() for _ in range(10)])
    assert np.abs(np.diff(np.concatenate([before[-1:], held]).astype(int))).max() <= 4000 // 100
    assert not held[TICK_SAMPLES:].any()
    assert playout.queued + playout.position == len(pcm)
    playout.release()
    position = playout.position
    assert WIRE_RATE // 5 - WIRE_RATE // 20 <= position <= WIRE_RATE // 5, "the gap before the second syllable"
    after = np.concatenate([playout.read() for _ in range((len(pcm) - position) // TICK_SAMPLES + 1)])
    assert abs(int(after[0])) <= 20
    assert np.array_equal(after[TICK_SAMPLES : len(pcm) - position], pcm[position + TICK_SAMPLES :])
    assert playout.underruns == 0


async def test_a_reply_that_is_held_before_it_began_begins_at_its_beginning() -> None:
    playout = Playout()
    heard: list[bool] = []
    playout.open(lambda: heard.append(True), held=True)
    playout.push(tone(TICK_SAMPLES * 2))
    assert not playout.read().any()
    playout.hold()
    assert not playout.read().any()
    assert not heard
    playout.release()
    assert np.array_equal(playout.read(), tone(TICK_SAMPLES))
    assert heard


async def test_ticks_without_speech_in_the_middle_of_a_reply_are_counted_until_it_goes_on() -> None:
    playout = Playout()
    playout.open(lambda: None)
    again: list[bool] = []
    playout.push(tone(TICK_SAMPLES))
    for _ in range(4):
        playout.read()
    assert playout.starved == 3
    playout.call_when_audible(lambda: again.append(True))
    playout.push(tone(TICK_SAMPLES))
    playout.read()
    assert playout.starved == 0
    assert again


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


@given(
    steps=st.lists(st.tuples(st.sampled_from(["read", "duck", "hold", "release"]), st.integers(1, 20)), max_size=30),
    delay=st.integers(0, 20_000),
)
def test_what_was_heard_is_what_left_before_the_cut_whatever_happened_meanwhile(
    steps: list[tuple[str, int]], delay: int
) -> None:
    """Ducked, held, gone on from a syllable: the text that is kept is the text of the furthest sample that left."""
    playout = asyncio.run(written())
    whole = "".join(TEXTS).split()
    for step, times in steps:
        for _ in range(times if step == "read" else 0):
            playout.read()
        if step != "read":
            getattr(playout, step)()
    position = playout.position
    heard = playout.cut(delay)
    words = heard.text.split()
    assert words == whole[: len(words)]
    seconds = max(0, position - delay) / WIRE_RATE
    assert len(words) <= len("".join(TEXTS[: int(seconds) + 1]).split())
    assert len(words) >= len("".join(TEXTS[: int(seconds)]).split())
    assert heard.samples == max(0, position - delay) or heard.complete
    assert not playout.read()[FADE_SAMPLES:].any()
    assert not playout.read().any()
