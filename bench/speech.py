"""What benches and tests say: real recordings where they are, else the same kind of sentences by the TTS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from hibari import SAMPLE_RATE, Hibari

from agent.audio import I16, WIRE_RATE, read_audio, resample, to_pcm

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "speech"
"""Beside the repository; not part of it."""

QUESTIONS = (
    "What is the capital of France?",
    "Can you hear me well?",
    "How many days are there in a week?",
    "What color is the sky on a clear day?",
    "Tell me something about the moon.",
    "Where do penguins live?",
    "What should I cook for dinner tonight?",
    "Who wrote Romeo and Juliet?",
    "How do I make a cup of tea?",
    "What is your favorite season of the year?",
)

SENTENCES = (
    "The old lighthouse keeper climbed the stairs every evening before sunset.",
    "She packed a small suitcase and left for the station without saying goodbye.",
    "Fresh bread and warm butter were waiting on the kitchen table.",
    "The children built a castle of sand and watched the tide take it away.",
)


@dataclass(frozen=True, slots=True)
class Clip:
    """Something that is said, and its words."""

    name: str
    pcm: I16
    """int16 (n,) mono at WIRE_RATE"""
    text: str


@cache
def spoken(text: str) -> Clip:
    """A text, spoken by the embedded TTS."""
    return Clip(text, _speak(text), text)


def questions() -> list[Clip]:
    """Ten short questions, spoken by the embedded TTS."""
    return [spoken(text) for text in QUESTIONS]


def english(*, kind: str = "clean", longest_s: float = 60.0) -> list[Clip]:
    """The English recordings of a kind; sentences by the TTS where there are no recordings."""
    if not (RECORDINGS / "manifest.jsonl").is_file():
        return [spoken(text) for text in SENTENCES]
    rows = [json.loads(line) for line in (RECORDINGS / "manifest.jsonl").read_text().splitlines()]
    return [
        Clip(row["file"], read_audio(RECORDINGS / row["file"], WIRE_RATE), row["text"])
        for row in rows
        if row["lang"] == "en" and row["kind"] == kind and row["seconds"] <= longest_s
    ]


def _speak(text: str) -> I16:
    tts = _voice()
    return resample(to_pcm(np.asarray(tts(text, seed=0), np.float32)), SAMPLE_RATE, WIRE_RATE)


@cache
def _voice() -> Hibari:
    return Hibari()
