"""Whether suppressing noise before the listener pays: `python -m bench.noise [--clips 17]`.

English recordings with recorded noise at several distances, as they are and through each suppressor that is installed:
word error rate of Whisper as the server runs it, and how much of the speech the voice activity detector finds. Noise
alone: how much of it the detector takes for speech. And what a suppressor costs. Seven minutes for one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from agent.audio import EAR_RATE, I16, WIRE_RATE, dbfs, read_audio, resample, speech_dbfs, to_pcm, to_wave
from agent.engines import registry
from agent.engines.asr.whisper import Whisper
from agent.engines.protocols import NoiseSuppressor, Vad
from agent.errors import ConfigError
from agent.listening.level import Leveller
from agent.listening.segmenter import START
from agent.listening.suppression import Suppression
from bench.report import machine, save, table
from bench.speech import RECORDINGS, english
from bench.wer import Errors, word_errors

SNRS_DB = (20, 10, 5, 0)
CLEAN = "none"
NOISE_DBFS = -35.0
"""level of noise alone: a loud room beside a voice at -20"""
PACKET = EAR_RATE // 50

Way = Callable[[I16], I16]
"""A whole recording, int16 (n,) at EAR_RATE, through a fresh stream; as long, and later by what the stream needs."""


@dataclass(slots=True)
class Score:
    """What was heard under one noise at one distance."""

    errors: Errors = field(default_factory=Errors)
    found: int = 0
    """windows of speech in which the detector hears speech"""
    spoken: int = 0
    """… of so many"""

    def __add__(self, other: Score) -> Score:
        return Score(self.errors + other.errors, self.found + other.found, self.spoken + other.spoken)

    @property
    def cell(self) -> str:
        """Word errors and speech found, %."""
        return f"{100 * self.errors.rate:.1f} / {100 * self.found / max(1, self.spoken):.0f}"


def installed() -> dict[str, Way]:
    """Nothing, and every suppressor that can be loaded."""
    ways: dict[str, Way] = {"off": lambda pcm: pcm}
    for name in registry.names("noise"):
        try:
            ways[name] = through(cast("NoiseSuppressor", registry.load("noise", name, {}, threads=1)))
        except ConfigError as error:
            print(f"without {name}: {error}")
    return ways


def through(engine: NoiseSuppressor) -> Way:
    """A recording in packets, as a call brings it."""

    def suppressed(pcm: I16) -> I16:
        stream = Suppression(engine)
        parts = [stream(pcm[start : start + PACKET]) for start in range(0, len(pcm), PACKET)]
        return np.concatenate([*parts, np.zeros(0, np.int16)])

    return suppressed


def noises() -> dict[str, I16]:
    """Recorded noises, int16 (n,) at EAR_RATE; white noise where there are none."""
    manifest = RECORDINGS / "manifest.jsonl"
    if not manifest.is_file():
        return {"white": to_pcm(np.random.default_rng(1).normal(0, 0.05, 10 * EAR_RATE).astype(np.float32))}
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    files = [RECORDINGS / row["file"] for row in rows if row["kind"] == "noise"]
    return {file.stem: read_audio(file, EAR_RATE) for file in files}


def louder(pcm: I16, db: float) -> I16:
    """The same sound at another level."""
    return to_pcm(to_wave(pcm) * np.float32(10 ** (db / 20)))


def mixed(speech: I16, noise: I16, snr_db: float) -> I16:
    """Speech, and noise so far below the level of its words; a noise that ends begins anew."""
    beside = louder(np.resize(noise, len(speech)), speech_dbfs(speech, EAR_RATE) - dbfs(noise) - snr_db)
    return to_pcm(to_wave(speech) + to_wave(beside))


def voiced(vad: Vad, pcm: I16) -> list[bool]:
    """Which windows the listener's detector takes for speech."""
    stream, leveller = vad.stream(), Leveller()
    wave = to_wave(pcm[: len(pcm) // vad.window * vad.window])
    return [stream(leveller(window)) >= START for window in wave.reshape(-1, vad.window)]


def measure(way: Way, asr: Whisper, vad: Vad, speech: Mapping[str, I16]) -> dict[tuple[str, int], Score]:
    """Every recording under every noise at every distance, and without any.

    :param speech: what is said, to int16 (n,) at EAR_RATE.
    """
    scores: dict[tuple[str, int], Score] = {}
    loud = noises()
    cases = [(CLEAN, 0), *((noise, snr) for noise in loud for snr in SNRS_DB)]
    for text, pcm in speech.items():
        truth = voiced(vad, pcm)
        for noise, snr in cases:
            sound = way(pcm if noise == CLEAN else mixed(pcm, loud[noise], snr))
            errors = word_errors(text, asr.transcribe(to_wave(sound), language="en", prompt="").text)
            found = sum(a and b for a, b in zip(truth, voiced(vad, sound), strict=False))
            scores[noise, snr] = scores.get((noise, snr), Score()) + Score(errors, found, sum(truth))
    return scores


def false_speech(way: Way, vad: Vad) -> dict[str, float]:
    """Share of the windows of noise alone that count as speech."""
    return {
        name: float(np.mean(voiced(vad, way(louder(pcm, NOISE_DBFS - dbfs(pcm)))))) for name, pcm in noises().items()
    }


def cost_ms(way: Way, pcm: I16) -> float:
    """CPU time for a second of sound."""
    began = time.process_time()
    way(pcm)
    return 1000 * (time.process_time() - began) / (len(pcm) / EAR_RATE)


def rows(found: Mapping[str, Mapping[tuple[str, int], Score]]) -> list[list[object]]:
    """The table: without noise, by distance, by noise; each way beside the other."""
    keys = list(next(iter(found.values())))
    groups = {CLEAN: [(CLEAN, 0)]}
    groups |= {f"{snr} dB": [key for key in keys if key[1] == snr and key[0] != CLEAN] for snr in SNRS_DB}
    groups |= {name: [key for key in keys if key[0] == name] for name, _ in keys if name != CLEAN}
    return [
        [name, *(sum((scores[key] for key in group), Score()).cell for scores in found.values())]
        for name, group in groups.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=17, help="the first so many recordings")
    args = parser.parse_args()
    asr, vad = Whisper(threads=1), cast("Vad", registry.load("vad", "silero", {}, threads=1))
    speech = {clip.text: resample(clip.pcm, WIRE_RATE, EAR_RATE) for clip in english()[: args.clips]}
    ways = installed()
    found = {name: measure(way, asr, vad, speech) for name, way in ways.items()}
    false = {name: false_speech(way, vad) for name, way in ways.items()}
    costs = {name: cost_ms(way, next(iter(speech.values()))) for name, way in ways.items()}
    print(table(["noise", *(f"{name}: word errors / speech found %" for name in ways)], rows(found)))
    print(
        "\n"
        + table(
            ["noise alone, taken for speech %", *ways],
            [[name, *(f"{100 * shares[name]:.0f}" for shares in false.values())] for name in noises()],
        )
    )
    print("\nCPU, ms for a second of sound: " + ", ".join(f"{name} {cost:.2f}" for name, cost in costs.items()))
    print(f"\n{machine()}")
    save(
        "noise",
        {
            "clips": len(speech),
            "word_errors": {
                way: {f"{noise} {snr}": score.errors.rate for (noise, snr), score in scores.items()}
                for way, scores in found.items()
            },
            "false_speech": false,
            "cpu_ms_per_s": costs,
        },
    )


if __name__ == "__main__":
    main()
