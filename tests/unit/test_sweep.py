"""No clicks: a tone that rises slowly has nothing above itself, so whatever is there was put there by us.

Both ways of the sound: from the synthesiser over resampler, playout, its ducking and cutting, and Opus to the caller's
ear; and from the caller over Opus and the jitter buffer to the listener. A click, a seam between two chunks or a sample
too few would be heard at all frequencies; `worst_dbfs` is the loudest 10 ms of what lies above the tone.
"""

from __future__ import annotations

import numpy as np
import pytest

from agent.audio import EAR_RATE, F32, I16, TICK_SAMPLES, WIRE_RATE, Resampler
from agent.speaking.playout import Playout
from agent.transports.jitter import Packet
from agent.transports.microphone import Microphone
from agent.transports.opus import OpusDecoder, OpusEncoder

SECONDS = 4.0
LIMIT_DBFS = -60.0


def sweep(rate: int, high_hz: float, seconds: float = SECONDS) -> I16:
    """A tone from 100 Hz up, -12 dBFS, faded in and out; int16 (n,)."""
    t = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (100 * t + (high_hz - 100) * t**2 / (2 * seconds))
    fade = np.minimum(1.0, np.minimum(t, t[::-1]) / 0.05)
    return np.asarray(np.rint(8192 * fade * np.sin(phase)), np.int16)


def worst_dbfs(pcm: I16, rate: int, above_hz: float) -> float:
    """Level of the loudest 10 ms of what lies above a frequency, dB relative to full scale."""
    spectrum = np.fft.rfft(pcm.astype(np.float64) / 32768)
    hz = np.fft.rfftfreq(len(pcm), 1 / rate)
    spectrum *= np.clip((hz - above_hz) / 500, 0.0, 1.0)
    rest: F32 = np.fft.irfft(spectrum, len(pcm)).astype(np.float32)
    window = rate // 100
    power = np.square(rest[: len(rest) // window * window].reshape(-1, window)).mean(axis=1)
    return 10 * float(np.log10(power.max() + 1e-12))


def test_a_click_would_be_seen() -> None:
    clean = sweep(WIRE_RATE, 6000)
    assert worst_dbfs(clean, WIRE_RATE, 8000) < -85
    assert worst_dbfs(np.delete(clean, np.arange(50000, 50010)), WIRE_RATE, 8000) > LIMIT_DBFS
    stepped = clean.copy()
    stepped[60000:] //= 4
    assert worst_dbfs(stepped, WIRE_RATE, 8000) > LIMIT_DBFS


@pytest.mark.parametrize("chunk", [160, 441, 1000, 4096])
def test_the_resampler_has_no_seams(chunk: int) -> None:
    source = sweep(24000, 6000)
    resampler = Resampler(24000, WIRE_RATE)
    parts = [resampler(source[start : start + chunk]) for start in range(0, len(source), chunk)]
    out = np.concatenate([*parts, resampler.flush()])
    assert abs(len(out) - 2 * len(source)) <= 64
    assert worst_dbfs(out, WIRE_RATE, 8000) < LIMIT_DBFS


async def played(ticks: dict[int, str]) -> I16:
    """A sweep through the playout, with what happens to it at which tick."""
    playout = Playout()
    playout.wake = lambda: None
    writer = playout.open(lambda: None)
    source = sweep(WIRE_RATE, 3000)
    out = []
    for tick in range(2 * len(source) // TICK_SAMPLES):
        if not writer.closed and tick * TICK_SAMPLES < len(source):
            playout.push(source[tick * TICK_SAMPLES :][:TICK_SAMPLES])
            writer.written += TICK_SAMPLES
        match ticks.get(tick):
            case "duck":
                playout.duck()
            case "hold":
                playout.hold()
            case "release":
                playout.release()
            case "cut":
                playout.cut(0)
            case _:
                pass
        out.append(playout.read())
    return np.concatenate(out)


@pytest.mark.parametrize(
    "ticks",
    [
        {},
        {40: "duck", 60: "release"},
        {40: "hold", 60: "release"},
        {40: "duck", 50: "hold", 70: "release"},
        {40: "duck", 50: "cut"},
        {40: "cut"},
        {40: "hold", 41: "release", 42: "hold", 43: "release", 44: "cut"},
    ],
    ids=lambda ticks: " ".join(ticks.values()) or "nothing",
)
async def test_ducking_holding_and_cutting_do_not_click(ticks: dict[int, str]) -> None:
    out = await played(ticks)
    assert worst_dbfs(out, WIRE_RATE, 6000) < LIMIT_DBFS
    encoder, decoder = OpusEncoder(), OpusDecoder()
    heard = []
    for frame in out.reshape(-1, TICK_SAMPLES):
        packet = encoder.encode(frame)
        pcm = None if packet is None else decoder.decode(bytes(packet))
        heard.append(np.zeros(TICK_SAMPLES, np.int16) if pcm is None else pcm)
    assert worst_dbfs(np.concatenate(heard), WIRE_RATE, 8000) < LIMIT_DBFS


async def test_the_way_in_has_no_seams() -> None:
    encoder, microphone = OpusEncoder(), Microphone()
    heard: list[I16] = []
    for n, frame in enumerate(sweep(WIRE_RATE, 3000).reshape(-1, TICK_SAMPLES)):
        packet = encoder.encode(frame)
        assert packet is not None
        microphone.add(Packet(n & 0xFFFF, packet.pts or 0, bytes(packet)))
        heard += [chunk.pcm for chunk in microphone._queue]
        microphone._queue.clear()
    assert worst_dbfs(np.concatenate(heard), EAR_RATE, 6500) < LIMIT_DBFS
    assert microphone.lost == microphone.concealed == 0
