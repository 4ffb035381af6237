"""A session with nobody behind it, and a client that sends it whatever it likes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from types import SimpleNamespace
from typing import Annotated, Any

from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, TypeAdapter

from agent.asked import USUAL
from agent.engines.protocols import ANY, Ending, Message, Piece, Scope
from agent.history import History
from agent.ledger import Patience
from agent.machine import Machine
from agent.realtime.session import Session
from agent.settings import LimitsSettings, Settings

THEIRS: TypeAdapter[Any] = TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")])
UNLIMITED = Settings(limits=LimitsSettings(events_per_s=0, event_bytes_per_s=0))


class Line:
    """As much of a connection as a session sees."""

    plays_itself = False

    def __init__(self, messages: Iterable[str]) -> None:
        self._messages = messages
        self.sent: list[str] = []

    async def channel_open(self) -> None:
        """At once."""

    async def messages(self) -> AsyncIterator[str]:
        """What the client sends."""
        for message in self._messages:
            yield message

    def send(self, text: str) -> None:
        """What the client is sent."""
        self.sent.append(text)


async def told(messages: Iterable[str], settings: Settings = UNLIMITED, *, replying: bool = False) -> list[Any]:
    """What a client that sends these messages is told, each event valid by OpenAI's own types."""
    line = Line(messages)
    await served(session(settings), line, nobody(replying=replying))
    return [read(text) for text in line.sent]


async def served(talk: Session, line: Any, others: tuple[Any, Any, Any], *, extensions: bool = False) -> None:
    """One person's client on this line, served until it is gone."""
    conversation, listener, llm = others
    talk.join(line, listener)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(talk.run(conversation, llm))
        await line.channel_open()
        await talk.serve(line, extensions=extensions)
        talk.leave(line)
        running.cancel()


class Agreeing:
    """A language model that says the same to everything."""

    async def reply(self, messages: Sequence[Message], scope: Scope = ANY) -> AsyncGenerator[Piece, None]:
        """Yes."""
        yield "Yes."
        yield Ending()


class Mute:
    """A voice of one kind, in which nothing is said."""

    language = "en"

    def like(self, name: str, speed: float) -> Mute:
        """Itself."""
        return self


def nobody(*, replying: bool = False) -> tuple[Any, Any, Any]:
    """A conversation, a listener and a language model to which everything may be said."""
    conversation = SimpleNamespace(
        machine=Machine(Patience()),
        replying=replying,
        post=lambda _: None,
        respond=lambda _: None,
        truncate=lambda *_: None,
        usual=USUAL,
        reads_along=True,
        voice=Mute(),
        history=History(""),
    )
    listener = SimpleNamespace(
        speaker="caller", expect=lambda _: None, finish=lambda: None, be_patient=lambda *_: None, heard_s=0.0
    )
    return conversation, listener, Agreeing()


def session(settings: Settings = UNLIMITED, *, plays_itself: bool = False) -> Session:
    """Of nobody yet."""
    return Session(History(""), settings, ("en", "fr").__contains__, given={}, plays_itself=plays_itself)


def read(text: str) -> Any:
    """As a strict client reads it."""
    text.encode()
    event = json.loads(text, parse_constant=no_constant)
    THEIRS.validate_python(event)
    return event


def no_constant(name: str) -> None:
    """For `json.loads`: NaN and infinity are what only Python reads."""
    raise AssertionError(f"{name} is no JSON")
