"""One reply, from the prompt to the last sample: the only place where language model and TTS meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from agent.audio import WIRE_RATE, Resampler
from agent.engines.protocols import LanguageModel, Message, Synthesizer
from agent.engines.threads import iterate
from agent.metrics import Timeline
from agent.speaking.clauses import Clause, Clauses
from agent.speaking.playout import PlayoutWriter

APOLOGY = "Sorry, something went wrong. Please say that again."


@dataclass(frozen=True, slots=True)
class Voice:
    """What a reply speaks with."""

    tts: Synthesizer
    threads: Executor
    """where the TTS runs"""
    name: str
    """the engine's name for the voice; "" is its default"""
    language: str
    """ISO 639-1"""


async def think(llm: LanguageModel, prompt: Sequence[Message], timeline: Timeline) -> AsyncGenerator[Clause, None]:
    """The answer to ``prompt``, clause by clause, as soon as each is complete.

    :raises EngineError: if the language model failed.
    """
    loop = asyncio.get_running_loop()
    clauses = Clauses()
    async with aclosing(llm.reply(prompt)) as deltas:
        async for delta in deltas:
            if timeline.first_delta is None:
                timeline.first_delta = loop.time()
            for clause in clauses.feed(delta):
                yield clause
    for clause in clauses.flush():
        yield clause


async def say(
    clauses: AsyncGenerator[Clause, None],
    voice: Voice,
    writer: PlayoutWriter,
    timeline: Timeline,
    told: Callable[[str], None],
) -> None:
    """Speak the clauses through ``writer``; returns when the last one is written, not when it was heard.

    :param told: called with each clause's text when it goes to the TTS.
    :raises EngineError: if an engine failed.
    :raises PlayoutClosed: if the reply was cut.
    """
    loop = asyncio.get_running_loop()
    resampler = Resampler(voice.tts.rate, WIRE_RATE)
    async with aclosing(clauses):
        async for clause in clauses:
            if timeline.first_clause is None:
                timeline.first_clause = loop.time()
            told(clause.text)
            writer.clause(clause.text)
            speak = partial(voice.tts.speak, clause.spoken, voice=voice.name, language=voice.language)
            async with aclosing(iterate(voice.threads, speak)) as chunks:
                async for pcm in chunks:
                    if timeline.first_audio is None:
                        timeline.first_audio = loop.time()
                    await writer.write(resampler(pcm))
        await writer.write(resampler.flush())


async def canned(text: str) -> AsyncGenerator[Clause, None]:
    """A text that needs no thinking, as one clause."""
    yield Clause(text=text, spoken=text)
