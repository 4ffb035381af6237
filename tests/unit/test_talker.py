"""One person's way to the others: soon, without a click, and never more behind than it must be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audio import EAR_RATE, I16, TICK_SAMPLES, WIRE_RATE, AudioChunk, dbfs
from agent.speaking.mixer import SILENCE
from agent.speaking.noise_floor import HANG_S
from agent.speaking.talker import LEAD, MOST, MOST_RESERVE, WINDOW_TICKS, EarCopy, Talker
from tests.unit.test_microphone import voice
from tests.unit.test_sweep import LIMIT_DBFS, sweep, worst_dbfs

TICK_MS = 20
END: I16 = np.zeros(WIRE_RATE // 5, np.int16)


def noise(seconds: float, level_dbfs: float = -55.0) -> I16:
    """A room's; int16 (n,) at WIRE_RATE."""
    chance = np.random.default_rng(3)
    return np.asarray(chance.standard_normal(round(seconds * WIRE_RATE)) * 32768 * 10 ** (level_dbfs / 20), np.int16)


def chunks(pcm: I16, size: int = TICK_SAMPLES) -> list[AudioChunk]:
    return [AudioChunk(pcm[begins : begins + size], begins) for begins in range(0, len(pcm), size)]


def through(
    sent: list[AudioChunk], arrivals_ms: list[float], ticks: int, *, phase_ms: float = 7.0
) -> tuple[Talker, list[I16 | None]]:
    """What comes out at ticks 20 ms apart, if chunks come in at these times."""
    talker, out = Talker(), []
    waiting = list(zip(arrivals_ms, sent, strict=True))
    for n in range(ticks):
        while waiting and waiting[0][0] <= n * TICK_MS + phase_ms:
            talker.write(waiting.pop(0)[1])
        out.append(talker.read())
    return talker, out


def clicks_dbfs(pcm: I16, rate: int = WIRE_RATE) -> float:
    """The worst of what lies above a sweep; that the piece itself begins and ends is none of it."""
    edge = 0.5 - 0.5 * np.cos(np.pi * np.arange(rate // 20) / (rate // 20))
    whole = pcm.astype(np.float64)
    whole[: len(edge)] *= edge
    whole[-len(edge) :] *= edge[::-1]
    return worst_dbfs(np.rint(whole).astype(np.int16), rate, 6000)


def whole(out: list[I16 | None]) -> I16:
    return np.concatenate([SILENCE if frame is None else frame for frame in out])


def even(count: int, every_ms: float = TICK_MS) -> list[float]:
    return [n * every_ms for n in range(count)]


def lag_ms(out: I16, said: I16) -> float:
    """How much later something is in ``out``, by cross-correlation."""
    size = 1 << (len(out) + len(said)).bit_length()
    found = np.fft.irfft(np.fft.rfft(out.astype(float), size) * np.fft.rfft(said.astype(float), size).conj())
    return float(found[: len(out)].argmax()) * 1000 / WIRE_RATE


def test_what_is_said_comes_out_whole_and_within_two_ticks() -> None:
    said = np.concatenate([sweep(WIRE_RATE, 3000), END])
    talker, out = through(chunks(said), even(len(said) // TICK_SAMPLES), len(said) // TICK_SAMPLES + 10)
    heard = whole(out)
    # From arrival to the tick that plays it; the tick itself is the phase after the arrival.
    assert lag_ms(heard, said) <= 2 * TICK_MS + LEAD * 1000 / WIRE_RATE
    assert talker.underruns == talker.overflow == 0
    assert clicks_dbfs(heard) < LIMIT_DBFS
    begins = round(lag_ms(heard, said) * WIRE_RATE / 1000)
    assert np.array_equal(heard[begins + LEAD :][: 3 * WIRE_RATE], said[LEAD:][: 3 * WIRE_RATE])


@pytest.mark.parametrize("size_ms", [10, 40, 60, 2.5])
def test_other_sizes_of_packets_come_out_as_well(size_ms: float) -> None:
    size = round(size_ms * WIRE_RATE / 1000)
    said = np.concatenate([sweep(WIRE_RATE, 3000), noise(0.5), sweep(WIRE_RATE, 3000), END])
    sent = chunks(said, size)
    talker, out = through(sent, even(len(sent), size_ms), len(said) // TICK_SAMPLES + 10)
    assert talker.underruns <= (size_ms > 40)
    assert talker.overflow == 0
    if not talker.underruns:
        assert clicks_dbfs(whole(out)[: 4 * WIRE_RATE]) < LIMIT_DBFS


def test_silence_is_none_and_a_word_wakes() -> None:
    woken: list[bool] = []
    talker = Talker(lambda: woken.append(True))
    assert talker.silent
    for chunk in chunks(np.zeros(WIRE_RATE, np.int16)):
        talker.write(chunk)
        assert talker.read() is None
    assert talker.silent
    assert not woken
    said = chunks(voice(0.1))
    for n, chunk in enumerate(said):
        talker.write(AudioChunk(chunk.pcm, WIRE_RATE + chunk.pts))
        assert woken == [True]
        if n >= 1:
            assert talker.read() is not None, "a word that wakes the tick waits for more than the next packet"
    assert talker.overflow == 0


def test_a_rooms_noise_is_heard_between_words_and_after_a_second_no_more() -> None:
    said = np.concatenate([voice(1.0), noise(0.5), voice(1.0), noise(3.0), voice(0.5), END])
    count = len(said) // TICK_SAMPLES
    talker, out = through(chunks(said), even(count), count + 10)
    assert all(frame is not None for frame in out[3:124])
    silent = [n for n, frame in enumerate(out) if frame is None and 5 < n < count - 20]
    assert 0.9 * (3.0 - HANG_S) < len(silent) * 0.02 < 1.1 * (3.0 - HANG_S)
    assert all(after - before == 1 for before, after in pairwise(silent)), "the end of it stutters"
    assert talker.underruns == 0
    onset = whole(out)[(silent[-1] + 1) * TICK_SAMPLES :]
    assert dbfs(onset[: 3 * TICK_SAMPLES]) > -30, "the first syllable is late"


def test_a_packet_that_is_a_tick_late_is_not_missed() -> None:
    said = np.concatenate([sweep(WIRE_RATE, 3000), END])
    arrivals = [at + (19.0 if n % 7 == 3 else 0.0) for n, at in enumerate(even(210))]
    talker, out = through(chunks(said), arrivals, 220)
    assert talker.underruns == 0
    assert clicks_dbfs(whole(out)) < LIMIT_DBFS


def test_a_stall_fades_and_is_caught_up_on_in_the_next_noise() -> None:
    said = np.concatenate([sweep(WIRE_RATE, 3000), noise(1.0), sweep(WIRE_RATE, 3000), noise(0.5)])
    count = len(said) // TICK_SAMPLES
    arrivals = [1400.0 if 1280.0 <= at < 1400.0 else at for at in even(count)]
    talker, out = through(chunks(said), arrivals, count + 10)
    heard = whole(out)
    assert talker.underruns == 1
    assert talker.overflow == 0
    assert clicks_dbfs(heard[: 4 * WIRE_RATE]) < LIMIT_DBFS
    late = lag_ms(heard[2 * WIRE_RATE : 4 * WIRE_RATE], said[2 * WIRE_RATE : 4 * WIRE_RATE - 9600])
    assert late >= 100, "a stall of 120 ms costs that until there is noise"
    again = heard[5 * WIRE_RATE :]
    assert lag_ms(again, said[5 * WIRE_RATE : 9 * WIRE_RATE - 9600]) <= 4 * TICK_MS


def test_a_line_that_is_late_again_and_again_gets_a_larger_reserve_and_gives_it_back() -> None:
    quiet, word = noise(0.2), sweep(WIRE_RATE, 2000, 1.0)
    said = np.concatenate([np.concatenate([word, quiet])] * 40)
    count = len(said) // TICK_SAMPLES
    shaky = count // 3
    arrivals = np.maximum.accumulate(
        [at + (55.0 if n % 10 == 5 and n < shaky else 0.0) for n, at in enumerate(even(count))]
    )
    talker, _ = through(chunks(said), list(map(float, arrivals)), count)
    assert 1 <= talker.underruns <= 2 * MOST_RESERVE, "eighty packets were late"
    assert talker._reserve == 1, "the reserve is kept for ever"
    assert len(talker._pcm) <= 3 * TICK_SAMPLES


@pytest.mark.parametrize("faster", [1.002, 0.998])
def test_two_clocks_that_differ_are_made_up_for_between_words(faster: float) -> None:
    """Two in a thousand: forty times what crystals differ by."""
    said = np.concatenate([np.concatenate([sweep(WIRE_RATE, 2000, 1.6), noise(0.4)])] * 30)
    count = len(said) // TICK_SAMPLES
    talker, out = through(chunks(said), even(count, TICK_MS / faster), round(count / faster))
    assert talker.underruns == talker.overflow == 0
    assert len(talker._pcm) <= 4 * TICK_SAMPLES
    heard = whole(out)
    for begins in range(0, len(heard) - 2 * WIRE_RATE, 2 * WIRE_RATE):
        assert clicks_dbfs(heard[begins : begins + 2 * WIRE_RATE]) < -50  # the noise is at -55


def test_a_reader_that_stalls_costs_the_oldest_and_nothing_grows() -> None:
    said = np.concatenate([sweep(WIRE_RATE, 3000), noise(1.0)])
    talker, heard = Talker(), []
    for n, chunk in enumerate(chunks(said)):
        talker.write(chunk)
        assert len(talker._pcm) <= MOST
        if not 60 <= n < 90:
            heard.append(talker.read())
    assert talker.overflow >= 1
    assert len(talker._pcm) <= 4 * TICK_SAMPLES
    assert clicks_dbfs(whole(heard[:165])) < LIMIT_DBFS


def test_a_hole_is_silence_without_a_click() -> None:
    talker, out = Talker(), []
    said = chunks(sweep(WIRE_RATE, 3000))
    for n, chunk in enumerate(said):
        talker.write(AudioChunk(chunk.pcm, chunk.pts + (9600 if n >= 100 else 0)))
        out.append(talker.read())
    assert clicks_dbfs(whole(out)) < LIMIT_DBFS
    assert talker.underruns == 0


def test_half_a_minute_that_was_not_sent_does_not_delay_the_word_after_it() -> None:
    """The microphone makes up the end of a silence all at once, just before the word."""
    talker = Talker()
    for chunk in chunks(np.concatenate([voice(0.4), noise(0.2)])):
        talker.write(chunk)
        talker.read()
    for _ in range(20):
        talker.read()
    assert talker.silent
    made_up, word = noise(0.5, -58.0), voice(0.4)
    for chunk in chunks(made_up):
        talker.write(AudioChunk(chunk.pcm, WIRE_RATE * 30 + chunk.pts))
    heard = []
    for n, chunk in enumerate(chunks(word)):
        talker.write(AudioChunk(chunk.pcm, WIRE_RATE * 31 + n * TICK_SAMPLES))
        heard.append(talker.read())
    assert lag_ms(whole(heard), word) <= 2 * TICK_MS
    assert talker.overflow == 0


@given(st.lists(st.tuples(st.integers(1, 5760), st.integers(0, 3), st.integers(0, 9600), st.integers(0, 12000))))
def test_whatever_comes_ticks_are_ticks_and_no_more_waits_than_may(
    steps: list[tuple[int, int, int, int]],
) -> None:
    talker, pts, chance = Talker(), 0, np.random.default_rng(1)
    for size, reads, gap, level in steps:
        pts += gap
        talker.write(AudioChunk(np.asarray(chance.integers(-level, level + 1, size), np.int16), pts))
        pts += size
        assert len(talker._pcm) <= MOST
        for _ in range(reads):
            frame = talker.read()
            assert frame is None or (frame.shape == (TICK_SAMPLES,) and frame.dtype == np.int16)
        assert 0 <= talker._audible <= len(talker._pcm)
    for _ in range(WINDOW_TICKS):
        talker.read()
    assert talker.silent
    assert talker.read() is None


def test_the_listeners_copy_keeps_the_time() -> None:
    copy = EarCopy()
    said = sweep(WIRE_RATE, 3000)
    found = [copy(chunk) for chunk in chunks(said)[:100]]
    found += [copy(AudioChunk(chunk.pcm, chunk.pts + 4801)) for chunk in chunks(said)[100:]]
    jumps = [b.pts - a.pts - len(a.pcm) for a, b in pairwise(found)]
    assert sorted(jumps)[:-1] == [0] * (len(jumps) - 1)
    assert max(jumps) == 4801 * EAR_RATE // WIRE_RATE
    assert found[-1].pts + len(found[-1].pcm) == pytest.approx((len(said) + 4801) / 3, abs=32)
    before = np.concatenate([chunk.pcm for chunk in found[:100]])
    assert clicks_dbfs(before, EAR_RATE) < LIMIT_DBFS


async def test_the_listener_hears_what_the_others_hear() -> None:
    async def coming() -> AsyncIterator[AudioChunk]:
        for chunk in chunks(voice(0.1)):
            yield chunk

    talker = Talker()
    heard = [len(chunk.pcm) async for chunk in talker.through(coming())]
    assert sum(heard) == pytest.approx(1600, abs=32)
    assert not talker.silent
