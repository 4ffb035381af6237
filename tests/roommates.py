"""Several scripted people in one room, and what the agent there remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from agent.caller import Caller
from agent.settings import load
from agent.worker import Worker
from tests.people import serving
from tests.scripted_llm import Answer, ScriptedLLM, scripted_llm


@asynccontextmanager
async def rooms(
    answer: str = "It is noon.", *, limits: dict[str, float] | None = None, **room: Any
) -> AsyncIterator[tuple[str, Worker, ScriptedLLM]]:
    """A server with rooms, and a language model that says one thing."""

    def mind(messages: list[dict[str, str]]) -> Answer | str:
        return answer

    async with scripted_llm(mind) as llm:
        flags: dict[str, Any] = {"llm": {"url": llm.url, "model": "scripted"}, "room": room, "limits": limits or {}}
        settings = await asyncio.to_thread(lambda: load(**flags))
        async with serving(settings) as (url, worker):
            llm.requests.clear()
            yield url, worker, llm


@asynccontextmanager
async def together(url: str, *names: str) -> AsyncIterator[list[Caller]]:
    """These people, in one room."""
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(Caller(url, room="kitchen", name=name)) for name in names]
        for n, person in enumerate(people):
            state = await until(person, "antiphon.room.state")
            assert len(state["people"]) == n + 1
        yield people


def anything(_: dict[str, Any]) -> bool:
    """Whatever it says."""
    return True


async def until(
    caller: Caller, kind: str, holds: Callable[[dict[str, Any]], bool] = anything, within_s: float = 10.0
) -> dict[str, Any]:
    """The first event of this kind that is as wanted."""
    async with asyncio.timeout(within_s):
        while True:
            for event in caller.events:
                if event["type"] == kind and holds(event):
                    return event
            await asyncio.sleep(0.02)


def history(worker: Worker) -> list[tuple[str, str]]:
    """Who said what, as the agent remembers it."""
    room = next(iter(worker._rooms.calls.values())).room
    return [(entry.name or entry.role, entry.text) for entry in room._conversation.history.entries]


async def remembered(worker: Worker, name: str, some: str, within_s: float = 10.0) -> None:
    """Wait until the agent remembers that this person said something like that."""
    async with asyncio.timeout(within_s):
        while not any(who == name and some in text.lower() for who, text in history(worker)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
