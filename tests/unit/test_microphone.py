"""The receive path: what is lost is made up, silence that is not sent is silence, nonsense costs a frame."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import numpy as np
import pytest

from agent.audio import EAR_RATE, I16, TICK_S, TICK_SAMPLES, WIRE_RATE, AudioChunk, dbfs
from agent.transports import libopus
from agent.transports.jitter import Packet
from agent.transports.microphone import CONCEAL_S, SILENCE_S, WAITING, Microphone
from agent.transports.opus import DTX_BYTES, REFRESH_TICKS, OpusDecoder, OpusEncoder

FRAME = EAR_RATE // 50


def voice(seconds: float) -> I16:
    """A tone that wavers like a voice; int16 (n,) at WIRE_RATE."""
    t = np.arange(round(seconds * WIRE_RATE)) / WIRE_RATE
    pitch = 2 * np.pi * np.cumsum(140 + 20 * np.sin(2 * np.pi * 3 * t)) / WIRE_RATE
    harmonics = np.arange(1, 12)[:, None]
    return np.asarray(6000 * (np.sin(harmonics * pitch) / harmonics).sum(axis=0), np.int16)


def packets(pcm: I16) -> list[Packet]:
    """Encoded, with RTP's numbers; silence leaves jumps in the timestamps."""
    encoder = OpusEncoder()
    encoded = [p for frame in pcm.reshape(-1, TICK_SAMPLES) if (p := encoder.encode(frame)) is not None]
    return [Packet(n, (p.pts or 0) & 0xFFFFFFFF, bytes(p)) for n, p in enumerate(encoded)]


async def heard(microphone: Microphone, seconds: float = 0.0) -> list[AudioChunk]:
    """What has come out, after waiting."""
    await asyncio.sleep(seconds)
    found = list(microphone._queue)
    microphone._queue.clear()
    return found


async def through(sent: list[Packet], microphone: Microphone) -> list[AudioChunk]:
    found = []
    for packet in sent:
        microphone.add(packet)
        found += await heard(microphone, 0.002)
    return found + await heard(microphone, 0.1)


async def test_sound_comes_out_at_the_ears_rate_without_a_hole() -> None:
    microphone = Microphone()
    found = await through(packets(voice(1.0)), microphone)
    assert [chunk.pts for chunk in found] == [n * FRAME for n in range(50)]
    assert all(len(chunk.pcm) == FRAME for chunk in found)
    assert dbfs(np.concatenate([chunk.pcm for chunk in found])) == pytest.approx(dbfs(voice(1.0)), abs=2.0)
    assert microphone.lost == microphone.concealed == 0


async def test_lost_frames_are_made_up_and_the_clock_goes_on() -> None:
    microphone, sent = Microphone(), packets(voice(2.0))
    lost = {30, 50, 51, 70}
    found = await through([p for n, p in enumerate(sent) if n not in lost], microphone)
    assert [chunk.pts for chunk in found] == [n * FRAME for n in range(100)]
    assert microphone.lost == microphone.concealed == len(lost)
    loud = dbfs(found[20].pcm)
    assert all(dbfs(found[n].pcm) > loud - 12 for n in (30, 51, 70)), "the copy in the next packet was not used"


async def test_a_recovered_frame_is_nearer_to_the_lost_one_than_silence() -> None:
    sent, decoder = packets(voice(1.0)), OpusDecoder(EAR_RATE)
    assert max(len(p.payload) for p in sent) > DTX_BYTES
    for packet in sent[:20]:
        decoder.decode(packet.payload)
    found = decoder.recover(sent[21].payload, FRAME)
    whole = OpusDecoder(EAR_RATE)
    truth = [whole.decode(packet.payload) for packet in sent[:21]][-1]
    assert truth is not None
    error = found.astype(np.float64) - truth
    assert np.square(error).mean() < 0.5 * np.square(truth.astype(np.float64)).mean()


async def test_of_a_long_hole_the_end_stays_a_hole() -> None:
    microphone, sent = Microphone(), packets(voice(2.0))
    found = await through(sent[:20] + sent[70:], microphone)
    jumps = [b.pts - a.pts - len(a.pcm) for a, b in pairwise(found)]
    assert sum(jumps) == round((50 * TICK_S - CONCEAL_S) * EAR_RATE)
    assert found[-1].pts == 99 * FRAME


async def test_silence_that_is_not_sent_is_heard_while_it_lasts() -> None:
    microphone = Microphone()
    sent = packets(np.concatenate([voice(0.4), np.zeros(WIRE_RATE * 3, np.int16)]))
    spoken = next(n for n, p in enumerate(sent) if len(p.payload) <= DTX_BYTES)
    assert len(sent) < spoken + 1 + 3 / (REFRESH_TICKS * TICK_S), "silence is sent"
    for packet in sent[: spoken + 1]:
        microphone.add(packet)
    before = await heard(microphone)
    during = await heard(microphone, 0.3)
    assert 8 <= len(during) <= 14, "the listener does not hear the silence while it lasts"
    assert during[0].pts == before[-1].pts + FRAME
    assert max(dbfs(chunk.pcm) for chunk in during) < -60
    microphone.add(sent[spoken + 1])
    after = await heard(microphone)
    assert after[-1].pts == sent[spoken + 1].timestamp * EAR_RATE // WIRE_RATE
    microphone.end()


async def test_a_silence_without_end_is_not_made_up_for_ever() -> None:
    microphone = Microphone()
    sent = packets(np.concatenate([voice(0.4), np.zeros(WIRE_RATE, np.int16)]))
    for packet in sent[: next(n for n, p in enumerate(sent) if len(p.payload) <= DTX_BYTES) + 1]:
        microphone.add(packet)
    await heard(microphone, SILENCE_S + 0.2)
    assert await heard(microphone, 0.2) == []
    assert microphone._timer is None


async def test_nonsense_costs_a_frame_and_a_slow_listener_loses_the_oldest() -> None:
    microphone, sent = Microphone(), packets(voice(2.0))
    sent[10] = Packet(10, sent[10].timestamp, b"\xff\xff\xff")
    for packet in sent[:60]:
        microphone.add(packet)
    found = await heard(microphone)
    assert microphone.malformed == 1
    assert len(found) == WAITING
    assert found[-1].pts == 59 * FRAME
    assert microphone.overflow == 60 - WAITING


async def test_timestamps_may_wrap_and_begin_anew() -> None:
    microphone, sent = Microphone(), packets(voice(1.0))
    shifted = [Packet(p.sequence, (p.timestamp + 0xFFFFFFFF - 9600) & 0xFFFFFFFF, p.payload) for p in sent[:30]]
    found = await through(
        shifted + [Packet(p.sequence + 5000, p.timestamp + 0x40000000, p.payload) for p in sent[30:]], microphone
    )
    assert [chunk.pts for chunk in found] == [n * FRAME for n in range(50)]


async def test_any_bytes_leave_a_clock_that_only_rises() -> None:
    chance, microphone = random.Random(5), Microphone()
    found = []
    for n in range(400):
        payload = chance.randbytes(chance.choice([1, 2, 3, 40, 200]))
        microphone.add(Packet((n + chance.randint(-3, 3)) & 0xFFFF, chance.randint(0, 0xFFFFFFFF), payload))
        found += await heard(microphone)
    microphone.end()
    ends = 0
    for chunk in found:
        assert chunk.pts >= ends
        ends = chunk.pts + len(chunk.pcm)


def test_libopus_says_what_is_wrong() -> None:
    with pytest.raises(Exception, match="libopus: decoder"):
        libopus.create("decoder", 44100, 1)


async def test_half_a_minute_that_was_not_sent_is_a_hole_and_loses_nothing() -> None:
    rest, speech = packets(np.zeros(WIRE_RATE, np.int16))[-1].payload, packets(voice(0.1))[3].payload
    assert len(rest) <= DTX_BYTES < len(speech)
    microphone = Microphone()
    microphone.add(Packet(1, 0, rest))
    microphone.add(Packet(2, 29 * WIRE_RATE, speech))
    found = await heard(microphone)
    assert microphone.lost == 0
    assert found[-1].pts == 29 * EAR_RATE
