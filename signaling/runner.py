"""Runs the application, so that what never reaches it is refused as everything else is: what is no HTTP, what breaks
off, what does not come. aiohttp answers that in plain text, and logs it with what was sent; there may be a key in it.
For headers it waits an hour.
"""

from __future__ import annotations

import asyncio
import json
import logging
from functools import partial
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from agent.errors import SignalingError
from signaling.app import refusal, refusing
from signaling.body import WAITS
from signaling.door import Handler

log = logging.getLogger(__name__)

THEIRS = (HttpProcessingError, web.RequestPayloadError, ConnectionError)
"""what aiohttp raises for a client that sends no HTTP, or is gone"""
LINGER_S = 10.0
"""for the rest of a body that was refused before it was here, so that its client reads why"""


class Runner(web.AppRunner):
    """`aiohttp.web.AppRunner`, with typed refusals."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        request_s = self.app[WAITS].request_s
        return _Server(
            partial(refusing, handler=partial(_expected, handler=made.request_handler)),
            request_factory=made.request_factory,
            loop=asyncio.get_running_loop(),
            request_s=request_s,
            lingering_time=min(LINGER_S, request_s),
            **self._kwargs,
        )


async def _expected(request: web.Request, handler: Handler) -> web.StreamResponse:
    """aiohttp quotes what it does not know, and stumbles where that is no text."""
    if request.headers.get("Expect", "100-continue").lower() != "100-continue":
        raise SignalingError(417, "Of all that a request can expect, only 100-continue is known here.")
    return await handler(request)


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class _Handler(web.RequestHandler):
    """One connection.

    :param request_s: that a request's headers may take, from the connection's begin, or from their own first byte.
    """

    __slots__ = ("_body", "_due", "_request_s", "_silent")

    def __init__(self, *args: Any, request_s: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request_s = request_s
        self._due: asyncio.TimerHandle | None = None
        self._silent = True  # not a byte has come
        self._body: StreamReader | None = None  # of the request that came last

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From now on there are headers to come."""
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Headers are waited for from their first byte on; idle connections may stay."""
        self._silent = False
        came, headers = self._request_count, self._body is None or self._body.is_eof()
        super().data_received(data)
        if self._request_count > came or self._upgraded:
            self._headers_are_here()
            if self._messages:
                self._body = self._messages[-1][1]
        elif data and headers and self._due is None:
            self._expect_headers()

    def _expect_headers(self) -> None:
        self._due = asyncio.get_running_loop().call_later(self._request_s, self._late)

    def _headers_are_here(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _late(self) -> None:
        """Say so, if something was begun, and hang up."""
        self._due = None
        if self.transport is None:
            return
        if self._request_in_progress or self._messages:  # its answer comes first
            self._expect_headers()
            return
        if not self._silent:
            error = SignalingError(
                408, f"The headers did not come within {self._request_s:g} s.", code="request_timeout"
            )
            body = json.dumps(error.body()).encode()
            head = "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json; charset=utf-8\r\n"
            head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            self.transport.write(head.encode() + body)
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request."""
        if isinstance(exc, ConnectionError):
            raise exc  # nobody is there to be answered
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        log.debug("what came is no HTTP request error=%s", type(exc).__name__)
        response = refusal(SignalingError(400, "This is no HTTP request that can be read.", code="invalid_request"))
        response.force_close()
        return response

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nobody is there: the rest of a body is not waited for, as aiohttp does for 10 s after its refusal."""
        self._headers_are_here()
        task = self._task_handler if self._current_request is None else None
        super().connection_lost(exc)
        if task is not None:
            task.cancel()

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """An error is what went wrong here."""
        if isinstance(kw.get("exc_info"), THEIRS):
            log.debug("a request broke off error=%s", type(kw["exc_info"]).__name__)
        else:
            super().log_exception(*args, **kw)
