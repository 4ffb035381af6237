"""Which web pages may use the server: its own, and no other that the same browser has open.

Loopback does not protect a server from the pages of other sites: a form is posted across origins without asking
first, and a name can be made to resolve to 127.0.0.1 after the page was loaded. So the request's Host must be a name
of ours, and its Origin, which browsers send and programs need not, must be that same host.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from agent.errors import SignalingError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def only_own_pages(hosts: Sequence[str]) -> Middleware:
    """A middleware that refuses, with 403, what another site's page asks for.

    :param hosts: names of ours beside loopback's.
    """
    ours = LOOPBACK | frozenset(hosts)

    @web.middleware
    async def check(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        host = _split(f"//{request.host}")
        origin = request.headers.get("Origin")
        if host is None or host[0] not in ours:
            raise SignalingError(
                403, f"This server is not called {request.host[:60]}; add the name to server.hosts.", code="wrong_host"
            )
        if origin is not None and _split(origin) != host:
            raise SignalingError(403, f"Pages of {origin[:60]} may not call this server.", code="wrong_origin")
        return await handler(request)

    return check


def _split(url: str) -> tuple[str | None, int | None] | None:
    """Host and port, or None for what is no address; a page behind a TLS proxy has the default port on both sides."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port
    except ValueError:
        return None
