"""What every synthesiser must do; each engine that is installed is picked up by its entry point."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import cache, partial
from typing import cast

import numpy as np
import pytest

from agent.audio import I16, dbfs
from agent.engines import registry, threads
from agent.engines.protocols import Synthesizer
from agent.engines.tts.trim import (
    CLAUSE_TAIL_MS,
    LEAD_MS,
    LONGEST,
    SENTENCE_TAIL_MS,
    sentences,
    short,
    tail_ms,
    trim,
)
from agent.errors import ConfigError, EngineError

PARAGRAPH = (
    "The ferry leaves at half past seven. It crosses the bay in twenty minutes. "
    "There is coffee on board, and tea as well. Please have your ticket ready. Thank you for coming along."
)
ODD = [
    "😀👍🏽",
    "12345",
    "3.14159, 10:30 and 1/2",
    "Привет, мир.",
    "你好，世界。",
    "हिन्दी",
    "...",
    "-",
    '"',
    "\0\x01",
    "\ud800",
    "[[h@l'oU]]",
    "<speak><break time='9s'/></speak>",
    "\n\n\n",
    "e\u0301" * 50,
]


@cache
def made(name: str) -> Synthesizer:
    try:
        return cast("Synthesizer", registry.load("tts", name, {}, threads=1))
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture(params=registry.names("tts"))
def tts(request: pytest.FixtureRequest) -> Synthesizer:
    return made(request.param)


@pytest.fixture
def worker() -> Iterator[ThreadPoolExecutor]:
    with threads.pool("tts", 1) as executor:
        yield executor


def sounds_like(one: list[I16], other: list[I16]) -> bool:
    """Equal duration and level; eSpeak's oscillators go on where they were, so the samples may differ."""
    first, second = np.concatenate(one), np.concatenate(other)
    return len(first) == len(second) and abs(dbfs(first) - dbfs(second)) < 1.0


def language(tts: Synthesizer) -> str:
    return "en" if "en" in tts.languages else min(tts.languages)


def spoken(tts: Synthesizer, text: str) -> list[I16]:
    return list(tts.speak(text, voice="", language=language(tts)))


def test_chunks_are_mono_int16_and_loud_enough(tts: Synthesizer) -> None:
    chunks = spoken(tts, "Good morning. How can I help you?")
    assert all(chunk.dtype == np.int16 and chunk.ndim == 1 and len(chunk) for chunk in chunks)
    assert -40.0 < dbfs(np.concatenate(chunks)) < -6.0
    assert np.abs(np.concatenate(chunks).astype(int)).max() < 32767, "it clips"


def test_the_rate_is_true(tts: Synthesizer) -> None:
    """People say 100 to 250 words a minute; a wrong rate is out of that by a factor."""
    seconds = sum(map(len, spoken(tts, PARAGRAPH))) / tts.rate
    assert 100 <= len(PARAGRAPH.split()) / seconds * 60 <= 260


def test_the_first_chunk_comes_before_the_whole_is_made(tts: Synthesizer) -> None:
    first, *others = spoken(tts, PARAGRAPH)
    assert len(others) >= 2
    assert len(first) < sum(map(len, others))


def test_nothing_is_said_for_nothing(tts: Synthesizer) -> None:
    assert spoken(tts, "") == []
    assert spoken(tts, "  \n ") == []


def test_the_same_text_sounds_the_same(tts: Synthesizer) -> None:
    text = "Fish and chips, please."
    assert sounds_like(spoken(tts, text), spoken(tts, text))


def test_outer_silence_is_cut(tts: Synthesizer) -> None:
    pcm = np.concatenate(spoken(tts, "Seven ships sail."))
    window = tts.rate // 100
    loud = [n for n in range(len(pcm) // window) if dbfs(pcm[n * window : (n + 1) * window]) > -50.0]
    assert loud[0] <= 8, "80 ms before what an ear hears"
    assert len(pcm) // window - loud[-1] <= 25, "250 ms after it"


def test_a_pace_of_the_callers_is_followed(tts: Synthesizer) -> None:
    def samples(speed: float) -> int:
        return sum(map(len, tts.speak(PARAGRAPH, voice="", language=language(tts), speed=speed)))

    assert 1.25 < samples(0.8) / samples(1.4) < 2.1


def test_another_services_voice_means_the_default_one(tts: Synthesizer) -> None:
    strange = list(tts.speak("Hello.", voice="no such voice", language=language(tts)))
    assert sounds_like(strange, spoken(tts, "Hello."))


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_odd_text_neither_raises_nor_hangs(tts: Synthesizer, text: str) -> None:
    assert sum(map(len, spoken(tts, text))) < 60 * tts.rate


@pytest.mark.parametrize("text", ["word " * 300, "a" * 1500, "one, two, " * 150])
def test_a_long_text_without_an_end_comes_in_pieces(tts: Synthesizer, text: str) -> None:
    chunks = spoken(tts, text)
    assert len(chunks) >= 5
    assert all(len(chunk) < 60 * tts.rate for chunk in chunks)


async def test_closing_stops_it_after_at_most_one_more_chunk(tts: Synthesizer, worker: ThreadPoolExecutor) -> None:
    made = 0
    ended = threading.Event()

    def counted() -> Iterator[I16]:
        nonlocal made
        try:
            for chunk in tts.speak(PARAGRAPH, voice="", language=language(tts)):
                made += 1
                yield chunk
        finally:
            ended.set()

    async with aclosing(threads.iterate(worker, counted)) as chunks:
        await anext(chunks)
    await threads.call(worker, ended.wait)
    assert made <= 2


async def test_it_may_be_left_at_any_chunk(tts: Synthesizer, worker: ThreadPoolExecutor) -> None:
    speak = partial(tts.speak, PARAGRAPH, voice="", language=language(tts))
    whole = len(spoken(tts, PARAGRAPH))
    for stop in range(whole):
        async with aclosing(threads.iterate(worker, speak)) as chunks:
            for _ in range(stop):
                await anext(chunks)
    assert len([chunk async for chunk in threads.iterate(worker, speak)]) == whole


def test_several_callers_at_once_do_not_disturb_each_other(tts: Synthesizer) -> None:
    texts = ["Hello there.", "Fish and chips.", "Seven ships sail.", "What time is it?"]
    alone = [spoken(tts, text) for text in texts]
    with ThreadPoolExecutor(4) as executor:
        together = list(executor.map(partial(spoken, tts), texts * 3))
    for n, chunks in enumerate(together):
        assert sounds_like(chunks, alone[n % len(texts)])


def test_espeak_speaks_all_its_languages() -> None:
    espeak = made("espeak")
    for code in sorted(espeak.languages):
        assert list(espeak.speak("123", voice="", language=code)), code
    with pytest.raises(EngineError, match="'xx'"):
        next(espeak.speak("Hello.", voice="", language="xx"))


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("hibari", {"voice": "emma2"}, "heart"),
        ("hibari", {"speed": 40}, "0.25 to 4.0"),
        ("espeak", {"words_per_minute": 5}, "80 to 450"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_would_be_right(name: str, settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        registry.load("tts", name, settings)


# What both engines cut with.


@pytest.mark.parametrize("rate", [8000, 22050, 24000])
def test_trim_keeps_a_lead_and_exactly_the_tail(rate: int) -> None:
    rng = np.random.default_rng(0)
    voice = (rng.standard_normal(rate) * 3000).astype(np.int16)
    pcm = np.concatenate([np.zeros(rate // 4, np.int16), voice, np.zeros(rate // 3, np.int16)])
    for after_ms in (CLAUSE_TAIL_MS, SENTENCE_TAIL_MS, 900):
        kept = trim(pcm, rate, after_ms)
        expected = len(voice) + rate * (LEAD_MS + after_ms) // 1000
        assert abs(len(kept) - expected) <= rate // 100
        assert kept[0] == 0
        assert kept[-1] == 0


@pytest.mark.parametrize("pcm", [np.zeros(0, np.int16), np.zeros(3, np.int16), np.zeros(9000, np.int16)])
def test_trim_of_silence_is_nothing(pcm: I16) -> None:
    assert len(trim(pcm, 24000, 120)) == 0


def test_the_tail_depends_on_how_the_text_ends() -> None:
    assert {tail_ms(text) for text in ("Yes.", "Yes?", 'He said "no!"', "是。", "So…")} == {SENTENCE_TAIL_MS}
    assert {tail_ms(text) for text in ("Yes,", "well", "", "3.5 kilos")} == {CLAUSE_TAIL_MS}


@pytest.mark.parametrize("text", [PARAGRAPH, "word " * 300, "a" * 1000, "one, two; " * 99, "你好。" * 90, "", " . "])
def test_pieces_are_short_and_lose_nothing(text: str) -> None:
    for pieces in (list(sentences(text)), list(short(text))):
        assert all(piece and len(piece) <= LONGEST and piece == piece.strip() for piece in pieces)
        assert "".join("".join(pieces).split()) == "".join(text.split())
