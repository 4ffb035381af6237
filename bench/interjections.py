"""What `bench.turns` plays while the agent speaks: what must not cut the agent off, and what must.

Not: coughs, claps, noise, music, babble behind the caller, "mhm" and "right". Must: "stop", "wait", and whole
sentences, in quiet and in noise. The recordings' noise where they are; noise of the same kind where they are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from agent.audio import I16, WIRE_RATE, read_audio, resample
from agent.engines.tts.espeak import Espeak
from agent.engines.tts.hibari import Hibari
from bench import sounds
from bench.speech import RECORDINGS, SENTENCES, spoken
from bench.turn_cases import LEVEL_DBFS, levelled, loud_span

BEHIND_DB = (15.0, 20.0)
"""how far below the caller's own voice the background is: the two ends of what a close microphone lets through"""
BACKGROUND_S = 2.5
SNR_DB = 10.0
"""of an interruption said in noise"""
ONSET_DB = 14.0
"""below the speech's level: what is softer before an interruption is a breath, which nobody takes for one"""
ECHO_MS = 150
"""how late our own voice comes back from a loudspeaker: playout, air, the microphone's buffer, the way back"""
ECHO_DB = -20.0
"""how loud, against what was sent: what a browser's echo canceller leaves in its first seconds"""

BACKCHANNELS = ("Uh-huh.", "Right.", "Yeah.", "Okay.", "I see.")
STOPS = ("Stop.", "Wait.", "No, no, no.", "Hold on a second.", "Stop it, please.", "Excuse me.")
SENTENCES_OVER = (
    "Actually I wanted to ask something else.",
    "Can you repeat that?",
    "That is not what I meant.",
    "How much does it cost?",
    "Let me ask you another question.",
    "I have a question about the second part.",
    "What time is it now?",
    "Sorry, could you speak more slowly?",
)
RECORDED_OVER = (
    "en/arctic_aew_a0001.flac",
    "en/arctic_aew_a0002.flac",
    "en/arctic_aew_a0003.flac",
    "en/libri-6930-75918-0000.flac",
    "en/libri-7902-96591-0000.flac",
    "en/fleurs-en-004.ogg",
)
NOISES = ("dishes", "exercise_bike", "keyboard", "babble")


@dataclass(frozen=True, slots=True)
class Interjection:
    """One sound of the caller over the agent's speech."""

    name: str
    kind: str
    pcm: I16
    """int16 (n,) mono at WIRE_RATE"""
    cut: bool
    """whether it must cut the agent off"""
    echo: bool = False
    """``pcm`` is empty: what is sent is what was just heard"""


def harmless() -> list[Interjection]:
    """What must not cut the agent off."""
    return [*_bodily(), *_background(), *_backchannels(), *_echoes()]


def interruptions() -> list[Interjection]:
    """What must cut the agent off."""
    return [*_stops(), *_sentences(), *_in_noise()]


def echo(heard: I16) -> I16:
    """What a microphone gets back of int16 (n,) that a loudspeaker played: quieter, and through a small room."""
    random = np.random.default_rng(0)
    tail = random.standard_normal(WIRE_RATE // 10) * np.exp(-np.arange(WIRE_RATE // 10) / (0.02 * WIRE_RATE))
    room = np.concatenate([[1.0], 0.05 * tail])
    size = len(heard) + len(room) - 1
    wet = np.fft.irfft(np.fft.rfft(heard, size) * np.fft.rfft(room, size), size)[: len(heard)]
    pcm: I16 = np.clip(wet * 10 ** (ECHO_DB / 20), -32768, 32767).astype(np.int16)
    return pcm


# -- what must not cut ---------------------------------------------------------------------------------------


def _bodily() -> Iterator[Interjection]:
    for n, bursts in enumerate((1, 2, 2, 3, 1, 3)):
        level = LEVEL_DBFS + (3, 0, -3)[n % 3]
        yield _sound(f"cough {n} ({bursts})", "cough", sounds.at_level(sounds.cough(n, bursts), level))
    for n in range(2):
        yield _sound(f"throat {n}", "cough", sounds.at_level(sounds.throat(n), LEVEL_DBFS - 3))
    for n, count in enumerate((1, 3, 5)):
        yield _sound(f"claps {count}", "clap", sounds.at_level(sounds.claps(n, count), LEVEL_DBFS + 6))
    yield _sound("clicks", "clap", sounds.at_level(sounds.clicks(0), LEVEL_DBFS))
    for n in range(2):
        yield _sound(f"door {n}", "clap", sounds.at_level(sounds.door(n), LEVEL_DBFS + 6))


def _background() -> Iterator[Interjection]:
    for noise in NOISES:
        for n, behind_db in enumerate(BEHIND_DB):
            pcm = sounds.at_level(_noise(noise, BACKGROUND_S, 3.0 * n), LEVEL_DBFS - behind_db)
            yield _sound(f"{noise} at -{behind_db:.0f} dB", "babble" if noise == "babble" else "noise", pcm)
    for n, kind in enumerate(("piano", "organ", "guitar", "band")):
        behind_db = BEHIND_DB[n % 2]
        pcm = sounds.at_level(sounds.music(kind, BACKGROUND_S), LEVEL_DBFS - behind_db)
        yield _sound(f"{kind} at -{behind_db:.0f} dB", "music", pcm)


def _backchannels() -> Iterator[Interjection]:
    for n in range(3):
        yield _sound(f"mhm {n}", "backchannel", sounds.at_level(sounds.murmur(n), LEVEL_DBFS - 3))
    yield _sound("hmm", "backchannel", sounds.at_level(sounds.murmur(5, "hmm"), LEVEL_DBFS - 3))
    yield _sound("Mm-hmm. (another voice)", "backchannel", _said("Mm-hmm.", "f2"))
    for text in BACKCHANNELS:
        yield _sound(text, "backchannel", levelled(_trim(spoken(text).pcm), LEVEL_DBFS - 3))
        yield _sound(f"{text} (slower)", "backchannel", levelled(_slow(text), LEVEL_DBFS - 3))
        yield _sound(f"{text} (another voice)", "backchannel", _said(text, "f2"))


def _echoes() -> Iterator[Interjection]:
    for n in range(3):
        yield Interjection(f"echo {n}", "echo", np.zeros(0, np.int16), cut=False, echo=True)


# -- what must -----------------------------------------------------------------------------------------------


def _stops() -> Iterator[Interjection]:
    for text in STOPS:
        yield Interjection(text, "stop", levelled(_trim(spoken(text).pcm)), cut=True)
        yield Interjection(f"{text} (another voice)", "stop", _said(text, "m3"), cut=True)
        yield Interjection(f"{text} (quiet)", "stop", levelled(_trim(spoken(text).pcm), LEVEL_DBFS - 12), cut=True)


def _sentences() -> Iterator[Interjection]:
    for text in SENTENCES_OVER:
        yield Interjection(text, "sentence", levelled(_trim(spoken(text).pcm)), cut=True)
    for name, pcm in _recordings():
        yield Interjection(name, "recording", pcm, cut=True)


def _in_noise() -> Iterator[Interjection]:
    texts = [*STOPS[:4], *SENTENCES_OVER[:4]]
    clips = [(text, levelled(_trim(spoken(text).pcm))) for text in texts] + _recordings()[:2]
    for n, (name, pcm) in enumerate(clips):
        noise = NOISES[n % len(NOISES)]
        behind = sounds.at_level(_noise(noise, len(pcm) / WIRE_RATE, 2.0), LEVEL_DBFS - SNR_DB)
        mixed = np.clip(pcm[: len(behind)].astype(np.int32) + behind[: len(pcm)], -32768, 32767).astype(np.int16)
        yield Interjection(f"{name} with {noise}", "in noise", mixed, cut=True)


# -- their sound ---------------------------------------------------------------------------------------------


def _sound(name: str, kind: str, pcm: I16) -> Interjection:
    return Interjection(name, kind, pcm, cut=False)


def _trim(pcm: I16) -> I16:
    first, last = loud_span(pcm)
    return pcm[first:last]


@cache
def _recordings() -> list[tuple[str, I16]]:
    if not (RECORDINGS / "manifest.jsonl").is_file():
        return [(f"{text} (spoken)", levelled(_trim(spoken(text).pcm))) for text in SENTENCES]
    return [(file, levelled(_from_onset(read_audio(RECORDINGS / file, WIRE_RATE)))) for file in RECORDED_OVER]


def _from_onset(pcm: I16) -> I16:
    return pcm[loud_span(pcm, ONSET_DB)[0] : loud_span(pcm)[1]]


def _noise(name: str, seconds: float, from_s: float) -> sounds.F64:
    """A stretch of a recorded noise; where there is none, one like it."""
    path = RECORDINGS / "noise" / f"{name}.flac"
    if path.is_file():
        pcm = read_audio(path, WIRE_RATE)
        start = round(from_s * WIRE_RATE)
        return pcm[start : start + round(seconds * WIRE_RATE)].astype(np.float64)
    if name == "babble":
        voices = [np.resize(spoken(text).pcm, round(seconds * WIRE_RATE)) for text in SENTENCES]
        return np.asarray(sum(np.roll(voice.astype(np.float64), 7000 * n) for n, voice in enumerate(voices)))
    if name == "exercise_bike":
        random = np.random.default_rng(1)
        return random.standard_normal(round(seconds * WIRE_RATE))
    taps = sounds.clicks(2) if name == "keyboard" else sounds.claps(2, 4)
    return np.resize(taps, round(seconds * WIRE_RATE))


@cache
def _slow(text: str) -> I16:
    voice = _slow_voice()
    pcm = np.concatenate(list(voice.speak(text, voice="", language="en")))
    return _trim(resample(pcm, voice.rate, WIRE_RATE))


@cache
def _slow_voice() -> Hibari:
    return Hibari(speed=0.8)


@cache
def _said(text: str, variant: str) -> I16:
    """Another voice than the agent's."""
    voice = Espeak(variant=variant)
    pcm = np.concatenate(list(voice.speak(text, voice="", language="en")))
    return levelled(_trim(resample(pcm, voice.rate, WIRE_RATE)))
