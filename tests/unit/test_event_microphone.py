"""Sound that comes in events: in order, in pieces, in three formats."""

from __future__ import annotations

import asyncio
import base64

import numpy as np
import pytest

from agent.audio import EAR_RATE, I16, dbfs
from agent.realtime.formats import RATES, SoundOut
from agent.realtime.microphone import MOST_S, EventMicrophone

TONE: I16 = (8000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype(np.int16)


def wrapped(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.asyncio
async def test_a_mark_is_reached_behind_the_sound_before_it() -> None:
    microphone = EventMicrophone()
    reached: list[int] = []
    microphone.append(wrapped(bytes(48_000)))
    assert microphone.since_mark_s == pytest.approx(1.0)

    async def note() -> None:
        reached.append(heard)

    microphone.mark(note)
    microphone.append(wrapped(bytes(24_000)))
    microphone.end()
    heard = 0
    async for chunk in microphone.chunks():
        assert abs(chunk.pts - heard) <= 1
        heard += len(chunk.pcm)
    assert reached[0] == pytest.approx(EAR_RATE, abs=200)
    assert heard == pytest.approx(1.5 * EAR_RATE, abs=200)


@pytest.mark.asyncio
async def test_others_get_the_loop_between_the_pieces() -> None:
    microphone, turns = EventMicrophone(), 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    microphone.append(wrapped(bytes(480_000)))
    microphone.end()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(other())
        pieces = [chunk async for chunk in microphone.chunks()]
        assert len(pieces) == 100
        assert turns >= 90
        task.cancel()


def test_what_is_no_base64_or_too_much_is_refused() -> None:
    microphone = EventMicrophone()
    with pytest.raises(ValueError, match="base64"):
        microphone.append("not base64!")
    minute = wrapped(bytes(60 * 48_000))
    with pytest.raises(ValueError, match="wait to be heard"):
        for _ in range(int(MOST_S) // 60 + 1):
            microphone.append(minute)
    microphone.clear()
    microphone.append(minute)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", sorted(RATES))
async def test_a_tone_comes_back_in_every_format(kind: str) -> None:
    out, microphone = SoundOut(kind), EventMicrophone()
    microphone.expect(kind)
    data = out(TONE) + out.flush()
    microphone.append(wrapped(data[:1001]))
    microphone.append(wrapped(data[1001:]))
    microphone.end()
    heard = np.concatenate([chunk.pcm async for chunk in microphone.chunks()])
    assert len(heard) == pytest.approx(EAR_RATE, abs=300)
    assert dbfs(heard[1000:-1000]) == pytest.approx(dbfs(TONE), abs=0.5)
    spectrum = np.abs(np.fft.rfft(heard[1000:15_000]))
    assert abs(int(spectrum.argmax()) * EAR_RATE / 14_000 - 440) < 2
