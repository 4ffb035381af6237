"""The HTTP application: calls, the page, health and metrics on one port."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from aiohttp import web

from agent.errors import SignalingError
from signaling.body import WAITS, Waits
from signaling.calls import BODY_LIMIT, Calls
from signaling.client_secrets import add_client_secrets
from signaling.door import door, shared_with
from signaling.fragments import FRAGMENT
from signaling.invitations import add_invitations
from signaling.lines import Lines, Most
from signaling.page import add_page
from signaling.sockets import Sockets, accepted, is_upgrade, refuse
from signaling.speech_routes import add_speech
from signaling.tokens import Tokens
from signaling.transcription_routes import add_transcriptions
from signaling.whip import add_whip
from signaling.workers import AgentWorker

log = logging.getLogger(__name__)

RETRY_AFTER_S = 2
REFUSED_ALOUD = (401, 404, 429, 503)
"""statuses that a WebSocket's client is told after the upgrade, as OpenAI does it: a browser can read no other"""
CALLS = web.AppKey("calls", Calls)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use the server, and how much."""

    keys: Sequence[str] = ()
    """API keys; none leaves it open"""
    hosts: Sequence[str] = ()
    """names of ours beside loopback's"""
    origins: Sequence[str] = ()
    """other sites whose pages may call"""
    anywhere: bool = False
    """reachable from other machines, by IP address too"""
    most: Most = field(default_factory=lambda: Most(server=16))
    """calls at once"""
    waits: Waits = field(default_factory=Waits)
    """for what clients send"""
    inside: bool = False
    """behind another process of ours, which has asked all this"""


def create_app(worker: AgentWorker, access: Access = Access()) -> web.Application:
    """The application; the worker is run by whoever serves it."""
    tokens, lines = Tokens(access.keys), Lines(access.most)
    check = door(tokens, access.hosts, access.origins, anywhere=access.anywhere)
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[refusing, check])
    app[WAITS] = access.waits
    app.on_response_prepare.append(shared_with(access.origins))
    app.on_response_prepare.append(_numbered)
    calls = app[CALLS] = Calls(worker, lines, inside=access.inside)
    calls.add_to(app)
    Sockets(worker, lines, inside=access.inside).add_to(app)
    add_whip(app, calls)
    add_client_secrets(app, tokens)
    add_invitations(app, tokens)
    if not access.inside:
        add_transcriptions(app, worker)
        add_speech(app, worker)
    add_page(app)

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "calls": len(lines)})

    async def readyz(_: web.Request) -> web.Response:
        waiting = dict(worker.waiting)
        body = {
            "waiting": list(waiting),
            "reasons": waiting,
            "ice": worker.ice_policy,
            "recording": worker.records,
        }
        return web.json_response(body, status=503 if waiting else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await worker.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


async def _numbered(request: web.Request, response: web.StreamResponse) -> None:
    """A name for every answer of the API, which clients show with what went wrong."""
    if request.path.startswith("/v1/"):
        response.headers["x-request-id"] = f"req_{secrets.token_hex(12)}"


@web.middleware
async def refusing(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every refusal is JSON in OpenAI's shape."""
    headers: dict[str, str] = {}
    try:
        return await handler(request)
    except SignalingError as error:
        refused = error
        if error.status in REFUSED_ALOUD and is_upgrade(request):
            socket = await accepted(request)
            await refuse(socket, error)
            return socket
    except web.HTTPException as error:
        if error.status < 400:
            raise
        refused = SignalingError(error.status, _plain(request, error))
        if isinstance(error, web.HTTPMethodNotAllowed):
            headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        refused = SignalingError(500, "The server failed at this request; its log says why.", code="internal_error")
    if refused.status == 415 and request.method == "PATCH":
        headers["Accept-Patch"] = FRAGMENT
    return refusal(refused, headers)


def refusal(refused: SignalingError, headers: Mapping[str, str] = MappingProxyType({})) -> web.Response:
    """The response that says it; whoever was too slow is not listened to any more."""
    more = {"Retry-After": str(RETRY_AFTER_S)} if refused.status in (429, 503) else {}
    if refused.status == 401:
        more["WWW-Authenticate"] = "Bearer"
    response = web.Response(
        status=refused.status,
        text=json.dumps(refused.body()),
        content_type="application/json",
        headers={**headers, **more},
    )
    if refused.status == 408:
        response.force_close()
    return response


def _plain(request: web.Request, error: web.HTTPException) -> str:
    if error.status == 413:
        return f"The request is larger than {BODY_LIMIT} bytes."
    if error.status == 404:
        return f"There is nothing at {request.path[:100]}."
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{request.method} is not allowed here; use {', '.join(sorted(error.allowed_methods))}."
    return error.reason
