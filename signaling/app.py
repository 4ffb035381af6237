"""The HTTP application: calls, the page, health and metrics on one port."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from agent.errors import SignalingError
from signaling.calls import BODY_LIMIT, Calls
from signaling.door import only_own_pages
from signaling.page import add_page
from signaling.workers import AgentWorker

log = logging.getLogger(__name__)

RETRY_AFTER_S = 2


def create_app(worker: AgentWorker, hosts: Sequence[str] = ()) -> web.Application:
    """The application; the worker is run by whoever serves it.

    :param hosts: names under which browsers may call, beside loopback's.
    """
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_errors, only_own_pages(hosts)])
    Calls(worker).add_to(app)
    add_page(app)

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        waiting = dict(worker.waiting)
        body = {"waiting": list(waiting), "reasons": waiting}
        return web.json_response(body, status=503 if waiting else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await worker.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every refusal is JSON in OpenAI's shape."""
    try:
        return await handler(request)
    except SignalingError as error:
        refused = error
    except web.HTTPException as error:
        if error.status < 400:
            raise
        refused = SignalingError(error.status, _plain(request, error))
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        refused = SignalingError(500, "The server failed at this request; its log says why.", code="internal_error")
    headers = {"Retry-After": str(RETRY_AFTER_S)} if refused.status == 503 else {}
    return web.Response(
        status=refused.status, text=json.dumps(refused.body()), content_type="application/json", headers=headers
    )


def _plain(request: web.Request, error: web.HTTPException) -> str:
    if error.status == 413:
        return f"The request is larger than {BODY_LIMIT} bytes."
    if error.status == 404:
        return f"There is nothing at {request.path[:100]}."
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{request.method} is not allowed here; use {', '.join(sorted(error.allowed_methods))}."
    return error.reason
