"""Sounds that people and rooms make beside speech, synthesised: nobody has recorded them under a free licence here.

Each is built from its acoustics, not sampled: a cough is an explosion of breath through the vocal tract (40 to
60 ms), a quieter flow after it and often a short voiced end (P. Piirilä and A. Sovijärvi, "Objective assessment of
cough", Eur. Respir. J. 8(11), 1995); a throat is cleared by a rough low voice; a clap is a burst around 1 to 2 kHz
that decays in some tens of milliseconds. The same seed gives the same sound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from agent.audio import I16, WIRE_RATE

F64 = NDArray[np.float64]
VOWEL_HZ = (650.0, 1100.0, 2500.0, 3600.0)
"""formants of the open mouth of a cough, about those of "ah" """
NASAL_HZ = (250.0, 1000.0, 2200.0)
"""resonances of a closed mouth's "m" """
MIDI_A4 = 69
"""the note number of 440 Hz"""


def at_level(wave: F64, dbfs: float) -> I16:
    """Any sound of shape (n,) as int16 (n,), its windows of 10 ms within 20 dB of the loudest at a level."""
    window = WIRE_RATE // 100
    power = np.square(wave[: len(wave) // window * window].reshape(-1, window)).mean(axis=1)
    loud = power[power > power.max() * 0.01].mean()
    pcm: I16 = np.clip(wave / np.sqrt(loud) * 10 ** (dbfs / 20) * 32767, -32768, 32767).astype(np.int16)
    return pcm


def cough(seed: int, bursts: int = 2) -> F64:
    """Two or three coughs in a row."""
    random = np.random.default_rng(seed)
    parts: list[F64] = []
    for _ in range(bursts):
        explosion = _breath(random, random.uniform(0.04, 0.06)) * 1.0
        flow = _breath(random, random.uniform(0.1, 0.2)) * random.uniform(0.25, 0.5)
        low = random.uniform(150, 280)
        voiced = _voice(random, random.uniform(0.06, 0.16), (low * 1.3, low), VOWEL_HZ, rough=0.3)
        burst = np.concatenate([explosion, flow, voiced * random.uniform(0.3, 0.8)])
        rise = int(0.006 * WIRE_RATE)
        envelope = np.exp(-np.arange(len(burst)) / (0.2 * WIRE_RATE))
        envelope[:rise] *= np.linspace(0, 1, rise)
        parts += [burst * envelope, np.zeros(int(random.uniform(0.08, 0.25) * WIRE_RATE))]
    return np.concatenate(parts)


def throat(seed: int) -> F64:
    """Clearing one's throat: a rough low voice, twice."""
    random = np.random.default_rng(seed)
    first = _voice(random, random.uniform(0.15, 0.25), (95, 110), (500, 1000, 2400), rough=0.8)
    second = _voice(random, random.uniform(0.3, 0.45), (125, 100), (500, 1100, 2400), rough=0.8)
    noise = _breath(random, len(second) / WIRE_RATE) * 0.5
    return np.concatenate([first, np.zeros(int(0.06 * WIRE_RATE)), second + noise[: len(second)]])


def claps(seed: int, count: int = 3) -> F64:
    """Hands clapped, `count` times."""
    random = np.random.default_rng(seed)
    parts: list[F64] = []
    for _ in range(count):
        direct = _decay(_shaped(random, 0.12, (random.uniform(900, 1800),), 900), 0.008)
        room = _decay(_shaped(random, 0.3, (1000, 2500), 2500), 0.06) * 0.15
        room[: len(direct)] += direct
        parts += [room, np.zeros(int(random.uniform(0.05, 0.25) * WIRE_RATE))]
    return np.concatenate(parts)


def clicks(seed: int) -> F64:
    """A ball pen and a mouse: six clicks of a few milliseconds."""
    random = np.random.default_rng(seed)
    parts: list[F64] = []
    for _ in range(6):
        click = _decay(_shaped(random, 0.03, (random.uniform(2500, 4500),), 2500), 0.002)
        parts += [click, np.zeros(int(random.uniform(0.08, 0.4) * WIRE_RATE))]
    return np.concatenate(parts)


def door(seed: int) -> F64:
    """A door that slams: a thump, a crack, and what rattles after it."""
    random = np.random.default_rng(seed)
    seconds = 0.7
    t = np.arange(int(seconds * WIRE_RATE)) / WIRE_RATE
    thump = sum(np.sin(2 * np.pi * hz * t + random.uniform(0, 6)) * np.exp(-t / 0.09) for hz in (58, 83, 131))
    crack = _decay(_shaped(random, seconds, (400, 1500), 2000), 0.02) * 1.5
    rattle = _decay(_shaped(random, seconds, (900,), 700), 0.15) * (np.sin(2 * np.pi * 23 * t) > 0.3) * 0.2
    return np.asarray(thump + crack + rattle, np.float64)


def murmur(seed: int, shape: str = "mhm") -> F64:
    """ "Mhm" with a closed mouth: a hum, a breath through the nose, a hum that rises; or one "hmm" that falls."""
    random = np.random.default_rng(seed)
    low = random.uniform(100, 190)
    if shape == "hmm":
        return _voice(random, 0.4, (low * 1.15, low), NASAL_HZ, rough=0.05)
    first = _voice(random, random.uniform(0.14, 0.2), (low * 1.05, low), NASAL_HZ, rough=0.05)
    breath = _breath(random, 0.06) * 0.05
    second = _voice(random, random.uniform(0.2, 0.3), (low * 1.1, low * 1.35), NASAL_HZ, rough=0.05)
    return np.concatenate([first, breath, second])


def music(kind: str, seconds: float = 4.0) -> F64:
    """Four chords, a melody, and for "band" drums: "piano", "organ", "guitar" or "band"."""
    random = np.random.default_rng(sum(kind.encode()))
    sound = np.zeros(int(seconds * WIRE_RATE))
    beat_s = 0.5
    chords = ((48, 60, 64, 67), (45, 60, 64, 69), (41, 60, 65, 69), (43, 59, 62, 67))
    melody = (72, 76, 79, 76, 74, 72, 71, 74)
    ring_s = {"piano": 0.5, "organ": 9.0, "guitar": 0.3, "band": 0.4}[kind]
    for n in range(int(seconds / beat_s)):
        notes = [(melody[n % len(melody)], 0.0)]
        if n % 2 == 0:
            strum_s = 0.02 if kind == "guitar" else 0.0
            notes += [(note, k * strum_s) for k, note in enumerate(chords[n // 2 % len(chords)])]
        for note, late_s in notes:
            _add(sound, _note(note, beat_s * (1 if late_s == 0 else 2), ring_s), n * beat_s + late_s)
        if kind == "band":
            drum = _decay(_shaped(random, 0.2, (6000,), 5000), 0.03) if n % 2 else _kick()
            _add(sound, drum * 2.0, n * beat_s)
            _add(sound, _decay(_shaped(random, 0.05, (9000,), 4000), 0.01), (n + 0.5) * beat_s)
    return sound


def _note(note: int, seconds: float, ring_s: float) -> F64:
    """A tone of ten harmonics, the high ones fading first."""
    t = np.arange(int(seconds * WIRE_RATE)) / WIRE_RATE
    hz = 440.0 * 2 ** ((note - MIDI_A4) / 12)
    tone = np.zeros(len(t))
    for k in range(1, 11):
        tone += np.sin(2 * np.pi * k * hz * t) * np.exp(-t * (0.6 + 0.4 * k) / ring_s) / k**1.3
    edge = np.minimum(1.0, np.minimum(t, t[::-1]) / 0.01)
    return np.asarray(tone * edge, np.float64)


def _kick() -> F64:
    t = np.arange(int(0.2 * WIRE_RATE)) / WIRE_RATE
    return np.asarray(np.sin(2 * np.pi * (50 * t + 4 * (1 - np.exp(-t / 0.03)))) * np.exp(-t / 0.06), np.float64)


def _add(sound: F64, part: F64, at_s: float) -> None:
    start = int(at_s * WIRE_RATE)
    part = part[: max(0, len(sound) - start)]
    sound[start : start + len(part)] += part


def _breath(random: np.random.Generator, seconds: float) -> F64:
    """Breath through an open mouth."""
    return _shaped(random, seconds, VOWEL_HZ, 350)


def _shaped(random: np.random.Generator, seconds: float, peaks_hz: Sequence[float], width_hz: float) -> F64:
    """Noise with resonances, of rms 1."""
    wave = _resonant(random.standard_normal(int(seconds * WIRE_RATE)), peaks_hz, lambda _: width_hz)
    return np.asarray(wave / np.sqrt(np.square(wave).mean()), np.float64)


def _voice(
    random: np.random.Generator, seconds: float, pitch_hz: Sequence[float], peaks_hz: Sequence[float], *, rough: float
) -> F64:
    """A voice whose pitch glides through the given ones, of rms 1; ``rough`` shakes pitch and strength."""
    n = int(seconds * WIRE_RATE)
    pitch = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(pitch_hz)), pitch_hz)
    shaking = np.repeat(random.standard_normal(n // 480 + 1), 480)[:n]
    phase = np.cumsum(pitch * (1 + 0.1 * rough * shaking)) / WIRE_RATE
    buzz = 2 * (phase % 1.0) - 1
    wave = _resonant(buzz * (1 + rough * shaking * 0.5), peaks_hz, lambda hz: 60 + hz * 0.06)
    edge = np.minimum(1.0, np.minimum(np.arange(n), np.arange(n)[::-1]) / (0.02 * WIRE_RATE))
    return np.asarray(wave / np.sqrt(np.square(wave).mean()) * edge, np.float64)


def _resonant(wave: F64, peaks_hz: Sequence[float], width_hz: Callable[[float], float]) -> F64:
    """A sound through resonators in parallel, each 6 dB weaker than the one below."""
    spectrum = np.fft.rfft(wave)
    hz = np.fft.rfftfreq(len(wave), 1 / WIRE_RATE)
    gain = sum(0.5**k / (1 + ((hz - peak) / width_hz(peak)) ** 2) for k, peak in enumerate(peaks_hz))
    return np.asarray(np.fft.irfft(spectrum * gain, len(wave)), np.float64)


def _decay(wave: F64, time_s: float) -> F64:
    """A sound that fades to 1/e in ``time_s``."""
    return np.asarray(wave * np.exp(-np.arange(len(wave)) / (time_s * WIRE_RATE)), np.float64)
