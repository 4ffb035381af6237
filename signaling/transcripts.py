"""A transcript as OpenAI's API writes it: plain text, subtitles, JSON with times."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any

from babel import Locale
from babel.core import UnknownLocaleError

from signaling.workers import Segment

AUDIO_TOKENS_PER_S = 10
"""as OpenAI counts what a person says"""
CHARACTERS_PER_TOKEN = 4
SEEKS_PER_S = 100


def srt(segments: Sequence[Segment]) -> str:
    """SubRip."""
    return "".join(
        f"{number}\n{_clock(one.start_s, ',')} --> {_clock(one.end_s, ',')}\n{_line(one.text)}\n\n"
        for number, one in enumerate(segments, 1)
    )


def vtt(segments: Sequence[Segment]) -> str:
    """WebVTT."""
    return "WEBVTT\n\n" + "".join(
        f"{_clock(one.start_s, '.')} --> {_clock(one.end_s, '.')}\n{_line(one.text)}\n\n" for one in segments
    )


def verbose(
    segments: Sequence[Segment], text: str, *, task: str, language: str, seconds: float, shown: Sequence[str]
) -> dict[str, Any]:
    """``verbose_json``.

    :param language: ISO 639-1; "" if unknown.
    :param shown: "segment", "word" or both.
    """
    found: dict[str, Any] = {
        "task": task,
        "language": language_name(language),
        "duration": round(seconds, 2),
        "text": text,
        "usage": by_duration(seconds),
    }
    if "segment" in shown:
        found["segments"] = [_segment(number, one) for number, one in enumerate(segments)]
    if "word" in shown:
        found["words"] = [
            {"word": word.text, "start": round(word.start_s, 2), "end": round(word.end_s, 2)}
            for one in segments
            for word in one.words
        ]
    return found


def by_duration(seconds: float) -> dict[str, Any]:
    """The usage of a recording, in whole seconds."""
    return {"type": "duration", "seconds": math.ceil(seconds)}


def by_tokens(seconds: float, text: str) -> dict[str, Any]:
    """The usage of a recording in tokens, estimated: nobody is charged."""
    heard, written = math.ceil(seconds * AUDIO_TOKENS_PER_S), tokens(text)
    return {
        "type": "tokens",
        "input_tokens": heard,
        "output_tokens": written,
        "total_tokens": heard + written,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
    }


def tokens(text: str) -> int:
    """Of a text, estimated."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def language_name(code: str) -> str:
    """The English name, in small letters, of an ISO 639-1 code; what is no code, or has no name, as it is."""
    try:
        return str(Locale.parse("en").languages.get(code, code)).lower()
    except (UnknownLocaleError, ValueError):
        return code


def _segment(number: int, one: Segment) -> dict[str, Any]:
    data = one.text.encode()
    return {
        "id": number,
        "seek": int(one.start_s * SEEKS_PER_S),
        "start": round(one.start_s, 2),
        "end": round(one.end_s, 2),
        "text": one.text,
        "tokens": list(one.tokens),
        "temperature": 0.0,
        "avg_logprob": round(one.logprob, 4),
        "compression_ratio": round(len(data) / len(zlib.compress(data)), 4) if data else 0.0,
        "no_speech_prob": round(one.no_speech, 4),
    }


def _line(text: str) -> str:
    """A line of subtitles: nothing in it may look like the next one's times."""
    return " ".join(text.replace("-->", "->").split())


def _clock(seconds: float, point: str) -> str:
    whole = round(max(0.0, seconds) * 1000)
    minutes, milliseconds = divmod(whole, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"
