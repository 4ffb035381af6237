"""How well, and how fast, the recogniser hears: `python -m bench.asr_wer [--quick]`.

Every recording of every language twice: the way the engine does it (short context, guarded by a second pass) and
padded to 30 s as Whisper is usually run. Word error rate; character error rate for zh and ja; digit error rate for
digit strings; the noisy recordings of all languages apart. The language is given. Without recordings, sentences by
the embedded TTS stand in.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import dataclass, field

from agent.audio import EAR_RATE, F32, WIRE_RATE, read_audio, resample, to_wave
from agent.engines.asr import whisper
from bench.report import machine, quantile, save, table
from bench.speech import QUESTIONS, RECORDINGS, spoken
from bench.wer import UNSPACED, Errors, digit_errors, word_errors

MODES = {"30 s": whisper.LONGEST_S, "short + guard": None}
"""what it is called, and the least context of the first pass, s"""
SPACED = ("en", "de", "es", "fr", "pt")


@dataclass(frozen=True, slots=True)
class Sample:
    """One recording and the row of the table that it counts in."""

    row: str
    name: str
    language: str
    wave: F32
    """float32 (n,) at EAR_RATE"""
    text: str

    def errors(self, heard: str) -> Errors:
        """Errors in the unit of its row."""
        if self.row == "digits":
            return digit_errors(self.text, heard)
        return word_errors(self.text, heard, self.language)


@dataclass(slots=True)
class Score:
    """What one mode made of one row."""

    errors: Errors = field(default_factory=Errors)
    ms: list[float] = field(default_factory=list)
    audio_s: float = 0.0

    def figures(self) -> dict[str, float]:
        """The row as numbers: error rate in %, median and 90th percentile in ms, real-time factor."""
        return {
            "clips": len(self.ms),
            "error_rate_percent": round(100 * self.errors.rate, 1),
            "median_ms": round(statistics.median(self.ms)),
            "p90_ms": round(quantile(self.ms, 0.9)),
            "rtf": round(sum(self.ms) / 1000 / self.audio_s, 3),
        }


def samples(quick: bool) -> list[Sample]:
    """The recordings, or what stands in for them; ``quick`` takes two of each row."""
    manifest = RECORDINGS / "manifest.jsonl"
    if not manifest.is_file():
        texts = QUESTIONS[:2] if quick else QUESTIONS
        return [
            Sample("en (TTS)", text, "en", to_wave(resample(spoken(text).pcm, WIRE_RATE, EAR_RATE)), text)
            for text in texts
        ]
    found: list[Sample] = []
    taken: dict[str, int] = {}
    for line in manifest.read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] not in ("clean", "digits", "noisy"):
            continue
        row = entry["lang"] if entry["kind"] == "clean" else entry["kind"]
        taken[row] = taken.get(row, 0) + 1
        if quick and taken[row] > 2:
            continue
        wave = to_wave(read_audio(RECORDINGS / entry["file"], EAR_RATE))
        text = " ".join(entry["digits"]) if row == "digits" else entry["text"]
        found.append(Sample(row, entry["file"], entry["lang"], wave, text))
    return found


def measure(engine: whisper.Whisper, heard: list[Sample]) -> dict[str, Score]:
    """Every sample through the engine as it is; also a row for the clean ones of spaced languages together."""
    scores: dict[str, Score] = {}
    for sample in heard:
        began = time.perf_counter()
        text = engine.transcribe(sample.wave, language=sample.language, prompt="").text
        took = 1000 * (time.perf_counter() - began)
        for row in (sample.row, "all of these") if sample.row in SPACED else (sample.row,):
            score = scores.setdefault(row, Score())
            score.errors += sample.errors(text)
            score.ms.append(took)
            score.audio_s += len(sample.wave) / EAR_RATE
    order = (*SPACED, "all of these", *sorted(UNSPACED), "digits", "noisy", "en (TTS)")
    return {row: scores[row] for row in order if row in scores}


def main() -> None:
    """Measure both modes and print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--quick", action="store_true", help="two recordings of each kind")
    options.add_argument("--threads", type=int, default=1, help="cores for one call")
    options.add_argument("--model", default="whisper-base", help="the catalogue's id")
    chosen = options.parse_args()
    heard = samples(chosen.quick)
    scores: dict[str, dict[str, Score]] = {}
    for mode, context_s in MODES.items():
        engine = whisper.Whisper(model=chosen.model, threads=chosen.threads, context_s=context_s)
        engine.transcribe(heard[0].wave, language=heard[0].language, prompt="")
        scores[mode] = measure(engine, heard)
    rows = []
    for row, first in scores["30 s"].items():
        unit = "digits" if row == "digits" else "CER" if row in UNSPACED else "WER"
        old, new = first.figures(), scores["short + guard"][row].figures()
        cells = [f"{old[key]} / {new[key]}" for key in ("error_rate_percent", "median_ms", "p90_ms", "rtf")]
        rows.append([row, unit, old["clips"], *cells])
    both = "30 s / short + guard"
    print(table(["language", "unit", "clips", f"error %, {both}", "median ms", "p90 ms", "RTF"], rows))
    print(f"\n{chosen.model}, {chosen.threads} thread(s) a call; {machine()}")
    save(
        "asr_wer",
        {
            "model": chosen.model,
            "threads": chosen.threads,
            "quick": chosen.quick,
            "rows": {mode: {row: score.figures() for row, score in found.items()} for mode, found in scores.items()},
        },
    )


if __name__ == "__main__":
    main()
