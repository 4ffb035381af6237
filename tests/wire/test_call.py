"""A real call: recordings asked over loopback WebRTC, answered by the embedded models in a server process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from agent.audio import WIRE_RATE, write_wav
from agent.caller import Caller, trimmed
from agent.engines.protocols import Recognizer
from bench.server import Server
from bench.speech import Clip, english, spoken
from bench.wer import Errors, word_errors
from tests.people import models_missing, second_ears, transcribed

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(300),
]


ROOT = Path(__file__).resolve().parents[2]
LINES = 3
"""Calls at once where only the words matter."""
QUESTIONS = ("What is the capital of France?", "How many days are there in a week?", "Can you hear me?")
STORY = "Tell me a long story about the sea."
SILENT = {"audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": False}}}}
"""a session in which nothing is answered"""
STOP = "Stop, please. I have heard enough of that now."


@pytest.fixture(scope="module", autouse=True)
def sentences() -> None:
    """Speak them before the loop runs; `spoken` keeps what it has spoken."""
    for text in (*QUESTIONS, STORY, STOP):
        spoken(text)


@pytest.fixture(scope="module")
def recordings() -> list[Clip]:
    return english()


@pytest.fixture(scope="module")
def ears() -> Recognizer:
    return second_ears()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as running:
        yield running


def transcripts(caller: Caller, after: int = 0) -> str:
    """What the server understood."""
    kind = "conversation.item.input_audio_transcription.completed"
    return " ".join(event["transcript"] for event in caller.events[after:] if event["type"] == kind)


def told(caller: Caller, after: int = 0) -> str:
    """What the language model wanted to say."""
    kind = "response.output_audio_transcript.done"
    return " ".join(event["transcript"] for event in caller.events[after:] if event["type"] == kind)


async def test_the_english_recordings_are_understood(server: Server, recordings: list[Clip]) -> None:
    errors = Errors()
    left = list(recordings)

    async def call_after_call() -> None:
        nonlocal errors
        while left:
            clip = left.pop()
            async with Caller(server.url) as caller:
                caller.send({"type": "session.update", "session": SILENT})
                await caller.event("session.updated")
                await caller.say(clip.pcm)
                await caller.event("input_audio_buffer.committed", within_s=20.0)
                await caller.quiet(2.0, within_s=60.0)
                errors += word_errors(clip.text, transcripts(caller))

    async with asyncio.TaskGroup() as group:
        for _ in range(LINES):
            group.create_task(call_after_call())
    print(f"word error rate {100 * errors.rate:.1f} % over {errors.total} words")  # noqa: T201
    assert errors.rate <= 0.15


async def test_the_answer_is_what_the_language_model_said(server: Server, ears: Recognizer) -> None:
    errors = Errors()
    async with Caller(server.url) as caller:
        for question in QUESTIONS:
            after = len(caller.events)
            ended = await caller.say(trimmed(spoken(question).pcm))
            await caller.hears(ended, within_s=10.0)
            await caller.event("output_audio_buffer.stopped", after=after, within_s=30.0)
            await caller.hears_silence(0.5, within_s=5.0)
            wanted = told(caller, after)
            assert wanted.strip()
            errors += word_errors(wanted, await asyncio.to_thread(transcribed, ears, caller.ear.sound(ended)))
            assert word_errors(question, transcripts(caller, after)).rate <= 0.2
    assert errors.rate <= 0.1


async def test_a_barge_in_is_silent_at_once_and_the_history_is_what_was_heard(server: Server, ears: Recognizer) -> None:
    async with Caller(server.url) as caller:
        caller.send({"type": "session.update", "session": {"instructions": "Tell long stories."}})
        await caller.event("session.updated")
        ended = await caller.say(trimmed(spoken(STORY).pcm))
        await caller.hears(ended, within_s=10.0)
        after = len(caller.events)
        await caller.say(trimmed(spoken(STOP).pcm))
        truncated = await caller.event("conversation.item.truncated", after=after)
        cleared_at = truncated["at"]
        began = caller.began_at
        await caller.event("response.created", after=after)
        old = [f for f in caller.ear.frames if f.at > cleared_at + 0.06 and f.dbfs > -50]
        new = await caller.event("output_audio_buffer.started", after=after)
        assert [f for f in old if f.at < new["at"] - 0.02] == []
        assert truncated["at"] - began < 2.0
        after = len(caller.events)
        caller.send({"type": "conversation.item.retrieve", "item_id": truncated["item_id"]})
        item = (await caller.event("conversation.item.retrieved", after=after))["item"]
        kept = item["content"][0]["transcript"] if item["content"] else ""
        heard = await asyncio.to_thread(transcribed, ears, caller.ear.sound(ended, cleared_at))
        full = told(caller)
        assert len(kept) < len(full)
        assert abs(len(kept.split()) - len(heard.split())) <= 3
        assert word_errors(kept, heard).wrong <= 4


async def test_the_line_sounds_clean(server: Server) -> None:
    """No gap inside an answer: every 20 ms packet arrives, and none is silent in mid-word."""
    async with Caller(server.url) as caller:
        ended = await caller.say(trimmed(spoken(STORY).pcm))
        first = await caller.hears(ended, within_s=10.0)
        stopped = await caller.event("output_audio_buffer.stopped", within_s=30.0)
        sound = caller.ear.sound(first.at - 0.01, stopped["at"])
        seconds = stopped["at"] - first.at
        assert -0.2 < len(sound) / WIRE_RATE - seconds < 0.6  # with the silence before it, which is not sent


async def test_the_example_asks_from_python(server: Server, tmp_path: Path) -> None:
    question = tmp_path / "question.wav"
    await asyncio.to_thread(write_wav, question, spoken(QUESTIONS[0]).pcm, WIRE_RATE)
    command = [sys.executable, str(ROOT / "examples" / "ask_from_python.py"), str(question), server.url]
    asked = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=tmp_path)
    output, _ = await asyncio.wait_for(asked.communicate(), 60.0)
    assert asked.returncode == 0
    assert b"Paris" in output
    assert (await asyncio.to_thread((tmp_path / "answer.wav").stat)).st_size > 50_000
