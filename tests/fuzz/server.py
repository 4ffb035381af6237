"""A whole server without models, and a client that writes bytes to its socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from aiohttp import web

from agent import worker
from agent.history import History
from agent.participant import Participant
from agent.realtime.session import Session
from agent.settings import Settings
from signaling.app import Access, create_app
from signaling.runner import Runner
from tests.sessions import no_constant, nobody, served

KEY = "a key of sixteen"
FRIEND = "https://shop.example"
SILENCE_S = 0.05
"""after so long without a byte the server is taken to wait for more"""
ANSWER_S = 5.0
"""for what it must answer"""
SETTINGS = Settings()


class Room:
    """A room in which nobody speaks (`agent.room.Room`)."""

    ending = False
    taken: tuple[str, ...] = ()

    def __init__(self, name: str, settings: Settings, *, session: Mapping[str, Any], plays_itself: bool) -> None:
        self.name = name
        self.people: list[Participant] = []
        self._session = Session(History(""), settings, lambda _: True, given=session, plays_itself=plays_itself)

    async def run(self) -> None:
        """It has nothing to do."""

    def admit(self, person: Participant) -> None:
        """Somebody has a place."""
        self.people.append(person)

    def dismiss(self, person: Participant, _: str) -> None:
        """Somebody has none any more."""
        self.people.remove(person)

    async def attend(self, person: Participant) -> None:
        """Until somebody hangs up; over a WebSocket, events are answered meanwhile."""
        try:
            async with asyncio.TaskGroup() as group:
                parts = [group.create_task(each) for each in self._parts(person)]
                await person.line.closed()
                for part in parts:
                    part.cancel()
        finally:
            self.dismiss(person, "over")
            await person.line.close("over")

    def _parts(self, person: Participant) -> Iterator[Coroutine[Any, Any, None]]:
        if person.line.plays_itself:
            yield served(self._session, person.line, nobody(), extensions=person.extensions)
            yield person.line.watch()
            yield self._heard()

    async def _heard(self) -> None:
        async for _ in self._session.microphone.chunks():
            pass

    async def greet_again(self, _: Participant) -> None:
        """Nobody is back."""


class Exchange(worker.Worker):
    """A worker whose calls nobody answers."""

    def _room(self, name: str, session: Mapping[str, Any], first: Participant) -> Any:
        return Room(name, self.settings, session=session, plays_itself=first.line.plays_itself)

    def _sweep(self) -> None:
        """It is quick where what was loaded is frozen: not among tests."""


@asynccontextmanager
async def serving(*, keys: bool) -> AsyncIterator[int]:
    """The port of a server; with ``keys`` it has one, and a friend."""
    async with running(keys=keys) as runner:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]


@asynccontextmanager
async def running(*, keys: bool, settings: Settings = SETTINGS) -> AsyncIterator[Runner]:
    """A server that listens nowhere yet."""
    theirs = Exchange(settings)
    access = Access(keys=[KEY], origins=[FRIEND]) if keys else Access(origins=[FRIEND])
    runner = Runner(create_app(theirs, access), access_log=None, shutdown_timeout=0.2, max_field_size=32768)
    async with asyncio.TaskGroup() as theirs._group:
        theirs._models, theirs._loader = object(), SimpleNamespace(waiting={})  # type: ignore[assignment]
        theirs.ready.set()
        await runner.setup()
        try:
            yield runner
        finally:
            for call_id in list(theirs._rooms.calls):
                await theirs.hang_up(call_id)
            await runner.cleanup()


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def check(self) -> None:
        """It is no failure of the server's, and a refusal is typed."""
        assert self.status < 500 or (self.status == 503 and "retry-after" in self.headers), self
        typed = self.headers.get("content-type", "").startswith("application/json")
        said = json.loads(self.body, parse_constant=no_constant) if typed else {}
        if self.status >= 400:
            error = said["error"]
            assert set(error) == {"message", "type", "param", "code"}, self
            assert len(error["message"]) < 1000


def answers(data: bytes) -> list[Answer]:
    """Those that are complete; interim ones are left out."""
    found = []
    while b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        version, status, _ = first.split(" ", 2)
        assert version.startswith("HTTP/")  # aiohttp repeats the version of the request
        if status == "100":
            continue
        length = int(headers.get("content-length", 0)) if status not in ("204", "304") else 0
        if len(data) < length:
            break
        found.append(Answer(int(status), headers, data[:length]))
        data = data[length:]
    return found


class Client:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.ended = False
        """the server has closed it"""

    async def send(self, data: bytes, within_s: float = SILENCE_S) -> list[Answer]:
        """What the server says to these bytes, up to its first answer."""
        said = b""
        with suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()
        while not answers(said):
            try:
                async with asyncio.timeout(within_s):
                    part = await self._reader.read(1 << 16)
            except TimeoutError:
                break
            except ConnectionError:
                part = b""
            if not part:
                self.ended = True
                break
            said += part
        return answers(said)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    """A connection that is gone afterwards, whatever the server makes of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
