"""Server-sent events, as OpenAI's API sends them: a JSON object each, and a mark at the end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

DONE = b"data: [DONE]\n\n"
READ_S = 120.0
"""for a client to read what it was sent before; some read as fast as they play"""


class EventStream:
    """One response that goes on; its head is sent with the first event."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})

    async def send(self, event: dict[str, Any]) -> None:
        """An event.

        :raises ConnectionResetError: if the client is gone.
        :raises TimeoutError: if it does not read.
        """
        await self.send_raw(json.dumps(event).encode())

    async def send_raw(self, data: bytes) -> None:
        """An event that is JSON already."""
        if not self.response.prepared:
            await self.response.prepare(self._request)
        async with asyncio.timeout(READ_S):
            await self.response.write(b"data: " + data + b"\n\n")

    async def end(self) -> None:
        """The mark after the last event."""
        await self.response.write(DONE)
        await self.response.write_eof()
