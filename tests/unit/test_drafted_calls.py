"""Calls of an answer that is prepared in a pause: told when the turn is over, and else never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from agent.asked import Asked
from agent.audio import I16, WIRE_RATE
from agent.conversation import Conversation, Line
from agent.engines.protocols import ANY, Call, CallDelta, Ending, Message, Piece, Scope, Tool
from agent.events import EndOfTurn, Phrase, SpeechEnded, SpeechStarted, Transcript
from agent.history import History
from agent.ledger import Patience
from agent.machine import Machine
from agent.metrics import Metrics
from agent.reply import Manners
from agent.speaking.playout import Playout
from agent.tools.toolbox import Toolbox

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(20)]
CALL = Call("call_1", "weather", '{"city": "Oslo"}')


class Model:
    """Says something, then calls."""

    def __init__(self, *said: str) -> None:
        self.scopes: list[Scope] = []
        self.finished = asyncio.Event()
        self._said = said

    async def prefill(self, messages: Sequence[Message], scope: Scope = ANY) -> None:
        """Read nothing."""

    async def reply(self, messages: Sequence[Message], scope: Scope = ANY) -> AsyncGenerator[Piece, None]:
        """Text, and a call."""
        self.scopes.append(scope)
        for text in self._said:
            yield text
        yield CallDelta(CALL.id, CALL.name, CALL.arguments)
        yield CALL
        yield Ending()
        self.finished.set()


class Voice:
    """A second of sound for any text."""

    language = "en"
    rate = WIRE_RATE

    async def speak(self, text: str) -> AsyncGenerator[I16, None]:
        """Int16 (WIRE_RATE,)."""
        yield np.full(WIRE_RATE, 1000, np.int16)


class Watcher:
    """Keeps what it is told, by name."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self.names.append(name)


@asynccontextmanager
async def conversing(
    model: Any, watcher: Watcher, tools: Toolbox | None = None, filler_s: float = 0.8
) -> AsyncIterator[Conversation]:
    """A conversation whose playout is read as fast as it can be."""
    line = Line(lambda: None, lambda _: None, lambda: False, lambda _: None, lambda: 0.0)
    conversation = Conversation(
        llm=model,
        reader=None,
        voice=Voice(),  # type: ignore[arg-type]
        history=History(""),
        machine=Machine(Patience(endpoint_s=60.0)),
        playout=Playout(),
        manners=Manners(dict.fromkeys(Phrase, "") | {Phrase.FILLER: "One moment."}, 12.0, filler_s),
        line=line,
        observer=watcher,
        metrics=Metrics(),
        tools=tools,
    )
    conversation.usual = Asked(scope=Scope((Tool("weather"),)))

    async def listen() -> None:
        while True:
            conversation.playout.read()
            await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(conversation.run()), group.create_task(listen())]
        try:
            yield conversation
        finally:
            for task in tasks:
                task.cancel()
            if tools is not None:
                tools.close()


async def until(watcher: Watcher, name: str) -> None:
    """Wait until it was told."""
    while name not in watcher.names:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def ask(conversation: Conversation) -> None:
    """Say something, and pause."""
    conversation.post(SpeechStarted("caller", 1, 0.0))
    conversation.post(SpeechEnded("caller", 1, 1.0))
    conversation.post(Transcript("caller", 1, "How is the weather?", "en"))


@pytest.mark.parametrize("said", [(), ("One moment, please. ", "I am looking it up.")])
async def test_a_drafted_call_is_told_once_when_the_turn_is_over(said: tuple[str, ...]) -> None:
    model, watcher = Model(*said), Watcher()
    async with conversing(model, watcher) as conversation:
        ask(conversation)
        if not said:  # what is said fills the playout, and the rest waits for it
            await model.finished.wait()
        else:
            await until(watcher, "phase")
            while not conversation.playout.queued:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert not {"reply_started", "told", "calling", "called"} & set(watcher.names)
        assert not conversation.history.entries
        conversation.post(EndOfTurn("caller", 1, 0.0))
        await until(watcher, "reply_ended")
        answer = [name for name in watcher.names if name in ("reply_started", "told", "calling", "called", "written")]
        texts = ["told"] * answer.count("told")
        assert answer == ["reply_started", *texts, "calling", "called", "written"]
        assert bool(texts) == bool(said)
        roles = [entry.role for entry in conversation.history.entries if entry.call is None]
        assert roles == (["user", "assistant"] if said else ["user"])
        assert conversation.history.entries[-1].call == CALL
    assert len(model.scopes) == 1, "the draft was the answer"
    assert model.scopes[0].tools == (Tool("weather"),)


async def test_a_drafted_call_is_forgotten_when_the_person_goes_on() -> None:
    model, watcher = Model(), Watcher()
    async with conversing(model, watcher) as conversation:
        ask(conversation)
        await model.finished.wait()
        conversation.post(SpeechStarted("caller", 1, 1.5))
        while conversation._reply is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        conversation.post(SpeechEnded("caller", 1, 2.0))
        conversation.post(Transcript("caller", 1, "How is the weather in Oslo?", "en"))
        conversation.post(EndOfTurn("caller", 1, 0.0))
        await until(watcher, "reply_ended")
        assert watcher.names.count("called") == 1
    assert len(model.scopes) == 2
