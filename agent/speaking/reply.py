"""One reply, from the prompt to the last sample: the only place where language model and TTS meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from agent.audio import WIRE_RATE, Resampler
from agent.engines.protocols import LanguageModel, Message
from agent.metrics import Timeline
from agent.speaking.clauses import Clause, Clauses
from agent.speaking.playout import PlayoutWriter
from agent.speaking.spoken import spoken
from agent.speaking.voice import Voice


async def think(
    llm: LanguageModel, prompt: Sequence[Message], timeline: Timeline, language: str | None, preface: str = ""
) -> AsyncGenerator[Clause, None]:
    """The answer to ``prompt``, clause by clause, as soon as each is complete.

    :param language: ISO 639-1 of the voice that will say it; None if it is only written, piece by piece as it comes.
    :param preface: is said first, while the model thinks.
    :raises EngineError: if the language model failed.
    """
    loop = asyncio.get_running_loop()
    clauses = Clauses(language or "en")
    if preface and language is not None:
        yield Clause(text=preface + " ", spoken=spoken(preface, language))
    async with aclosing(llm.reply(prompt)) as deltas:
        async for delta in deltas:
            if timeline.first_delta is None:
                timeline.first_delta = loop.time()
            if language is None:
                yield Clause(text=delta, spoken="")
                continue
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
    resampler = Resampler(voice.rate, WIRE_RATE)
    async with aclosing(clauses):
        async for clause in clauses:
            if timeline.first_clause is None:
                timeline.first_clause = loop.time()
            told(clause.text)
            writer.clause(clause.text)
            async with aclosing(voice.speak(clause.spoken)) as chunks:
                async for pcm in chunks:
                    if timeline.first_audio is None:
                        timeline.first_audio = loop.time()
                    await writer.write(resampler(pcm))
        await writer.write(resampler.flush())


async def canned(text: str, language: str) -> AsyncGenerator[Clause, None]:
    """A text that needs no thinking, as one clause."""
    yield Clause(text=text, spoken=spoken(text, language))
