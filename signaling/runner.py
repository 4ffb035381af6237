"""Runs the application, so that what never reaches it is refused as everything else is: what is no HTTP, what breaks
off. aiohttp answers that in plain text, and logs it with what was sent; there may be a key in it.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from agent.errors import SignalingError
from signaling.app import refusal, refusing
from signaling.door import Handler

log = logging.getLogger(__name__)

THEIRS = (HttpProcessingError, web.RequestPayloadError, ConnectionError)
"""what aiohttp raises for a client that sends no HTTP, or is gone"""


class Runner(web.AppRunner):
    """`aiohttp.web.AppRunner`, with typed refusals."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            partial(refusing, handler=partial(_expected, handler=made.request_handler)),
            request_factory=made.request_factory,
            loop=asyncio.get_running_loop(),
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
    __slots__ = ()

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
