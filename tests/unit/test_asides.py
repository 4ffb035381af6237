"""Answers outside of the conversation: what breaks in one is told, and ends nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import pytest

from agent.engines.protocols import ANY, Ending, Message, Piece, Scope
from agent.errors import EngineError
from agent.settings import LimitsSettings, Settings
from tests.sessions import Line, nobody, read, served, session

ASK = json.dumps({"type": "response.create", "response": {"conversation": "none", "output_modalities": ["text"]}})
UPDATE = json.dumps({"type": "session.update", "session": {}})
QUICK = Settings(limits=LimitsSettings(stuck_s=0.05))


class Patient(Line):
    """Stays until the answer is there."""

    def __init__(self) -> None:
        super().__init__([ASK, UPDATE])
        self._done = asyncio.Event()

    async def messages(self) -> AsyncIterator[str]:
        """Both, the second one when the first was answered."""
        yield ASK
        await self._done.wait()
        yield UPDATE

    def send(self, text: str) -> None:
        """What the client is sent."""
        super().send(text)
        if json.loads(text)["type"] == "response.done":
            self._done.set()


class Breaking:
    """A language model that fails in its own way after a word."""

    def __init__(self, failure: Exception | None) -> None:
        self._failure = failure

    async def reply(self, messages: Sequence[Message], scope: Scope = ANY) -> AsyncGenerator[Piece, None]:
        """A word, and the failure; without one, nothing more ever."""
        yield "Well"
        if self._failure is not None:
            raise self._failure
        await asyncio.Event().wait()
        yield Ending()


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (EngineError("openai", "reply", "it is gone; start it"), "it is gone"),
        (RuntimeError("Well, what a secret"), "RuntimeError"),
        (None, "no progress for 0.05 s"),
    ],
)
async def test_an_answer_on_the_side_that_breaks_is_failed_and_the_session_lives(
    failure: Exception | None, says: str
) -> None:
    line = Patient()
    conversation, listener, _ = nobody()
    await served(session(QUICK), line, (conversation, listener, Breaking(failure)))
    events: list[dict[str, Any]] = [read(text) for text in line.sent]
    done = next(event["response"] for event in events if event["type"] == "response.done")
    assert done["status"] == "failed"
    assert says in done["status_details"]["error"]["message"]
    assert "secret" not in json.dumps(done)
    assert done["output"][0]["status"] == "incomplete"
    assert events[-1]["type"] == "session.updated"
