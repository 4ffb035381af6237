"""The browser page: the files of ``static/``, which ``web/`` builds, served from memory.

They are read once, when this module is imported: no file is touched on the loop thread, where it would delay
the sound of every call.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from aiohttp import web

from agent.errors import ConfigError

INDEX = "index.html"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "connect-src 'self' wss: https:",  # an SFU or a second server may be elsewhere; never over plain text
        "img-src 'self' data:",
        "media-src 'self' blob: mediastream:",
        "worker-src 'self' blob:",
        "style-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    # Names carry no hash, so browsers must ask each time; an unchanged file costs one 304.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "microphone=(self)",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",
}

_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
"""What the page consists of; `mimetypes` reads the machine's own tables and has been wrong about these."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file of the page, ready to send."""

    body: bytes
    gzipped: bytes
    content_type: str
    etag: str


def _static_file(name: str, body: bytes) -> StaticFile:
    suffix = name[name.rfind(".") :]
    return StaticFile(
        body=body,
        gzipped=gzip.compress(body, mtime=0),
        content_type=_TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream",
        etag=hashlib.sha256(body).hexdigest()[:32],
    )


def _response(request: web.Request, wanted: StaticFile) -> web.Response:
    # The two encodings are different representations, and RFC 9110 §8.8.3 wants different tags.
    zipped = "gzip" in request.headers.get("Accept-Encoding", "")
    etag = f"{wanted.etag}-gzip" if zipped else wanted.etag
    headers = HEADERS | {"ETag": f'"{etag}"'}
    known = request.if_none_match or ()
    if any(tag.value in (etag, "*") for tag in known):
        return web.Response(status=304, headers=headers)
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return web.Response(
        body=wanted.gzipped if zipped else wanted.body,
        headers=headers,
        content_type=wanted.content_type,
        charset="utf-8" if wanted.content_type.startswith("text/") else None,
    )


def _load() -> dict[str, StaticFile]:
    """Every file of ``signaling/static``, by name; none if the page was never built."""
    static = resources.files("signaling").joinpath("static")
    if not static.is_dir():
        return {}
    files = [entry for entry in static.iterdir() if entry.is_file() and not entry.name.startswith(".")]
    return {entry.name: _static_file(entry.name, entry.read_bytes()) for entry in files}


PAGE: Mapping[str, StaticFile] = _load()
"""The files of the page by name."""


def add_page(app: web.Application) -> None:
    """Serve the page at ``/`` and its files beside it.

    :raises ConfigError: if the page was never built.
    """
    if INDEX not in PAGE:
        raise ConfigError(f"signaling/static has no {INDEX}: the page is not built; run `make web`")

    async def index(request: web.Request) -> web.Response:
        return _response(request, PAGE[INDEX])

    async def file(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in PAGE:
            raise web.HTTPNotFound()
        return _response(request, PAGE[name])

    app.router.add_get("/", index)
    # One level, and only names with a dot: the server's own routes have none.
    app.router.add_get(r"/{name:[\w-]+\.[\w.-]+}", file)
