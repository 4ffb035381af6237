"""One reply, from the prompt to the last sample: the only place where language model and TTS meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing

from agent.audio import WIRE_RATE, Resampler
from agent.engines.protocols import ANY, Call, CallDelta, Ending, LanguageModel, Message, Scope
from agent.metrics import Timeline
from agent.speaking.clauses import Clause, Clauses
from agent.speaking.labels import Labels
from agent.speaking.playout import PlayoutWriter
from agent.speaking.spoken import spoken
from agent.speaking.voice import Voice

Part = Clause | CallDelta | Call | Ending
"""Of an answer: what is said, then what is called, then how it ended."""


async def think(
    llm: LanguageModel,
    prompt: Sequence[Message],
    timeline: Timeline,
    language: str | None,
    preface: str = "",
    scope: Scope = ANY,
    names: Collection[str] = (),
) -> AsyncGenerator[Part, None]:
    """The answer to ``prompt``, clause by clause, as soon as each is complete; then its calls as they come. Text behind
    a call is left out: the API has no place for it.

    :param language: ISO 639-1 of the voice that will say it; None if it is only written, piece by piece as it comes.
    :param preface: is said first, while the model thinks.
    :param scope: the tools that the model may call, and how long the answer may be.
    :param names: before which a colon at the beginning of the answer says who speaks; that is left out.
    :raises EngineError: if the language model failed.
    """
    loop = asyncio.get_running_loop()
    clauses = Clauses(language or "en")
    if preface and language is not None:
        yield Clause(text=preface + " ", spoken=spoken(preface, language))
    labels, calls, said = Labels(names), False, False
    async with aclosing(llm.reply(prompt, scope)) as pieces:
        async for piece in pieces:
            if timeline.first_delta is None:
                timeline.first_delta = loop.time()
            text = labels.feed(piece) if isinstance(piece, str) else labels.flush()
            if language is None:
                said = said or bool(text.strip())
                if said and text and not calls:
                    yield Clause(text=text, spoken="")
            elif not calls:
                for clause in clauses.feed(text):
                    yield clause
            if not isinstance(piece, str):
                for clause in clauses.flush():
                    yield clause
                calls = True
                yield piece
    for clause in clauses.flush():
        yield clause


async def say(
    parts: AsyncGenerator[Part, None],
    voice: Voice,
    writer: PlayoutWriter,
    timeline: Timeline,
    told: Callable[[str | CallDelta | Call | Ending], None],
) -> None:
    """Speak the clauses through ``writer``; returns when the last one is written, not when it was heard.

    :param told: called with each clause's text when it goes to the TTS, and with what is not said when all before it
        is written.
    :raises EngineError: if an engine failed.
    :raises PlayoutClosed: if the reply was cut.
    """
    loop = asyncio.get_running_loop()
    resampler = Resampler(voice.rate, WIRE_RATE)
    calls, ending = False, Ending()
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Ending):
                ending = part
                continue
            if not isinstance(part, Clause):
                if not calls:
                    writer.put(resampler.flush())  # who is called need not wait until all of this was heard
                    calls = True
                told(part)
                continue
            if timeline.first_clause is None:
                timeline.first_clause = loop.time()
            told(part.text)
            writer.clause(part.text)
            async with aclosing(voice.speak(part.spoken)) as chunks:
                async for pcm in chunks:
                    if timeline.first_audio is None:
                        timeline.first_audio = loop.time()
                    await writer.write(resampler(pcm))
        if not calls:
            await writer.write(resampler.flush())
        told(ending)


async def canned(text: str, language: str) -> AsyncGenerator[Part, None]:
    """A text that needs no thinking, as one clause."""
    yield Clause(text=text, spoken=spoken(text, language))
