"""Who hears of a conversation: its own client, and further ones beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Protocol

from agent.realtime import events as ev


class Client(Protocol):
    """Whoever is told what happens, and may ask for something."""

    def send(self, text: str) -> None:
        """A message to it; never waits."""
        ...

    def messages(self) -> AsyncIterator[str]:
        """Its text messages in order; ends when it is gone."""
        ...


class Audience:
    """The clients of one session. Who has not joined hears nothing."""

    def __init__(self) -> None:
        self._extensions: dict[Client, bool] = {}
        """the clients, and whether they asked for `antiphon.*` events"""
        self._only: Client | None = None  # whom alone it concerns

    @property
    def clients(self) -> tuple[Client, ...]:
        """All of them, in the order in which they joined."""
        return tuple(self._extensions)

    def join(self, client: Client, *, extensions: bool) -> None:
        """From now on it hears of everything.

        :param extensions: it asked for `antiphon.*` events; one that did not never sees them.
        """
        self._extensions[client] = extensions

    def leave(self, client: Client) -> None:
        """It is gone."""
        self._extensions.pop(client, None)

    def emit(self, event: ev.ServerEvent) -> None:
        """Send one event to every client that may see it."""
        private = isinstance(event, ev.EXTENSIONS)
        hearing = [client for client, extensions in self._extensions.items() if extensions or not private]
        if self._only is not None:
            hearing = [client for client in hearing if client is self._only]
        if hearing:
            text = event.model_dump_json()
            for client in hearing:
                client.send(text)

    @contextmanager
    def alone(self, client: Client) -> Iterator[None]:
        """What is sent meanwhile concerns this client only."""
        self._only = client
        try:
            yield
        finally:
            self._only = None

    def tell(self, client: Client, event: ev.ServerEvent) -> None:
        """Send one event to one client alone."""
        with self.alone(client):
            self.emit(event)
