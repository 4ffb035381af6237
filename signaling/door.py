"""Who may use the server: one check before every route, for HTTP, WebSocket and WHIP alike.

Three questions. Is the request meant for us? Its Host must be a name of ours, or else another site's name that was made
to resolve to this machine would do. Does it come from a page that may ask? Its Origin, which browsers send and programs
need not, must be that same host or one of ``server.origins``: a form is posted across origins without asking first. And
is there a key or a token? Where the server has keys, all but the page and the health checks want one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from agent.errors import SignalingError
from signaling.tokens import Grant, Tokens

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PUBLIC = frozenset({"/", "/{name}", "/healthz", "/readyz"})
"""routes that want no key: the page, which can do nothing without one, and what a load balancer asks"""
KEYS_ONLY = frozenset(
    {
        "/v1/realtime/client_secrets",
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
        "/v1/audio/speech",
        "/metrics",
    }
)
"""routes for which a browser's token is not enough: it is good for calls"""
GRANT = web.RequestKey("grant", Grant)
SUBPROTOCOL = "openai-insecure-api-key."
"""before the token among a WebSocket's subprotocols: browsers can not give it a header"""
ASKS_FIRST = "Access-Control-Request-Method"
"""in a browser's own question whether a page of another site may send what it wants to send; it carries no key"""
EXPOSED = "Location, ETag, Link, Accept-Patch, Accept-Post, Retry-After"
PREFLIGHT_S = 600

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def door(tokens: Tokens, hosts: Sequence[str], origins: Sequence[str], *, anywhere: bool) -> Middleware:
    """A middleware that refuses, with 401 or 403, who may not come in.

    :param hosts: names of ours beside loopback's.
    :param origins: other sites whose pages may call, such as ``https://shop.example.org``.
    :param anywhere: an IP address is a name of ours, too; nobody can make one resolve to another machine.
    """
    ours = LOOPBACK | frozenset(hosts)
    friends = frozenset(origins)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = _split(f"//{request.host}")
        origin = request.headers.get("Origin")
        if host is None or not (host[0] in ours or (anywhere and _is_address(host[0]))):
            raise SignalingError(
                403, f"This server is not called {request.host[:60]}; add the name to server.hosts.", code="wrong_host"
            )
        foreign = origin is not None and _split(origin) != host
        if foreign and origin not in friends:
            raise SignalingError(
                403,
                f"Pages of {str(origin)[:60]} may not call this server; add the origin to server.origins.",
                code="wrong_origin",
            )
        if origin is not None and request.method == "OPTIONS" and ASKS_FIRST in request.headers:
            return _preflight(request)
        if not _is_public(request):
            grant = request[GRANT] = tokens.read(bearer(request))
            if not grant.server and _route(request) in KEYS_ONLY:
                raise SignalingError(403, "This wants an API key; a token is not enough.", code="key_required")
        return await handler(request)

    return check


def shared_with(origins: Sequence[str]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """What lets another site's page read the answers, refusals too: a signal for ``on_response_prepare``."""
    friends = frozenset(origins)

    async def share(request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get("Origin")
        if origin in friends:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
            response.headers.add("Vary", "Origin")

    return share


def bearer(request: web.Request) -> str | None:
    """The key or token of a request: of its Authorization header, or of a WebSocket's subprotocols."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and given.strip():
        return given.strip()
    for protocol in request.headers.get("Sec-WebSocket-Protocol", "").split(","):
        if protocol.strip().startswith(SUBPROTOCOL):
            return protocol.strip().removeprefix(SUBPROTOCOL)
    return None


def _is_public(request: web.Request) -> bool:
    return _route(request) in PUBLIC and request.method in ("GET", "HEAD")


def _route(request: web.Request) -> str:
    """The route's pattern; "" where there is none."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def _preflight(request: web.Request) -> web.Response:
    """Whatever is asked for: what counts is the key. A list of headers would be one SDK's version behind."""
    headers = {
        "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE, OPTIONS",
        "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", ""),
        "Access-Control-Max-Age": str(PREFLIGHT_S),
    }
    return web.Response(status=204, headers=headers)


def _is_address(host: str | None) -> bool:
    try:
        return host is not None and bool(ip_address(host))
    except ValueError:
        return False


def _split(url: str) -> tuple[str | None, int | None] | None:
    """Host and port, or None for what is no address; a page behind a TLS proxy has the default port on both sides."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port
    except ValueError:
        return None
