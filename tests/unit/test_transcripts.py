"""Subtitles and JSON with times, held against what the formats say and the client's own types."""

from __future__ import annotations

import re

from openai.types.audio import TranscriptionVerbose
from openai.types.audio.transcription import Transcription

from agent.engines.protocols import Segment, TimedWord
from signaling.transcripts import by_duration, by_tokens, language_name, srt, verbose, vtt

SEGMENTS = [
    Segment(
        "Hello there.", 0.0, 1.5, (TimedWord("Hello", 0.0, 0.5), TimedWord("there.", 0.6, 1.5)), (1, 2), -0.25, 0.01
    ),
    Segment("An arrow --> is\nnot a time.", 59.9996, 3723.0456),
]


def test_subrip_counts_from_one_and_rounds_into_the_next_minute() -> None:
    assert srt(SEGMENTS) == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n"
        "2\n00:01:00,000 --> 01:02:03,046\nAn arrow -> is not a time.\n\n"
    )
    assert srt([]) == ""


def test_webvtt_has_its_head_and_points() -> None:
    lines = vtt(SEGMENTS)
    assert lines.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello there.\n\n")
    assert len(re.findall("-->", lines)) == 2
    assert vtt([]) == "WEBVTT\n\n"


def test_verbose_json_is_what_the_client_expects() -> None:
    body = verbose(SEGMENTS, "All.", task="transcribe", language="pt", seconds=3723.0456, shown=["word", "segment"])
    read = TranscriptionVerbose.model_validate(body, strict=True)
    assert (body["task"], read.language, read.duration, read.text) == ("transcribe", "portuguese", 3723.05, "All.")
    assert read.usage is not None
    assert read.usage.seconds == 3724
    assert read.segments is not None
    assert [one.id for one in read.segments] == [0, 1]
    assert read.segments[0].tokens == [1, 2]
    assert read.segments[0].avg_logprob == -0.25
    assert read.segments[1].seek == 5999
    assert read.words is not None
    assert [(one.word, one.start) for one in read.words] == [("Hello", 0.0), ("there.", 0.6)]


def test_only_what_was_asked_for_is_in_it() -> None:
    body = verbose(SEGMENTS, "", task="transcribe", language="", seconds=1.0, shown=["word"])
    assert "segments" not in body
    assert body["language"] == ""
    assert "words" not in verbose(SEGMENTS, "", task="transcribe", language="", seconds=1.0, shown=["segment"])


def test_usage_is_of_a_kind_that_the_client_knows() -> None:
    for usage in (by_duration(2.2), by_tokens(2.2, "Hello there.")):
        assert Transcription.model_validate({"text": "", "usage": usage}, strict=True).usage is not None
    assert by_tokens(2.2, "Hello there.")["total_tokens"] == 22 + 3


def test_a_language_has_its_english_name() -> None:
    assert [language_name(code) for code in ("en", "de", "yue", "", "x-x", "qqq")] == [
        "english", "german", "cantonese", "", "x-x", "qqq",
    ]  # fmt: skip
