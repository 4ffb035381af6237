"""What a request carries, read so that whatever a client sends gets a typed refusal at worst.

Text is UTF-8, as JSON and SDP are: a charset of the client's choice can name codecs that Python does not have, and some
that take minutes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web

from agent.errors import SignalingError


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a client may take to send what it has to send, in s."""

    request_s: float = 15.0
    """the headers, and as long again the body"""
    upload_s: float = 300.0
    """a body that is a recording"""


WAITS = web.AppKey("waits", Waits)


@asynccontextmanager
async def arriving(within_s: float, code: str = "request_timeout") -> AsyncIterator[None]:
    """A body is being read; it is not waited for as long as its client likes.

    :param code: of the refusal if it is late.
    :raises SignalingError: 408 if it has not come within ``within_s``, 400 if it breaks off, or is not encoded as its
        headers say.
    """
    try:
        async with asyncio.timeout(within_s):
            yield
    except TimeoutError as error:
        raise SignalingError(408, f"The body did not come within {within_s:g} s.", code=code) from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise SignalingError(
            400, "The body breaks off, or is not encoded as its headers say.", code="invalid_body"
        ) from error


async def body_of(request: web.Request) -> bytes:
    """The body.

    :raises SignalingError: 400 if it breaks off, or is not encoded as its headers say; 408 if it does not come.
    """
    async with arriving(request.app[WAITS].request_s):
        return await request.read()


async def text_of(request: web.Request) -> str:
    """The body as text.

    :raises SignalingError: 400 if it can not be read, or is not UTF-8; 408 if it does not come.
    """
    try:
        return (await body_of(request)).decode()
    except UnicodeDecodeError as error:
        raise SignalingError(400, "The body is not UTF-8 text.", code="invalid_body") from error


async def json_of(request: web.Request) -> Any:
    """The body as JSON that can be sent back as it is; no body is an empty object.

    :raises SignalingError: 400 if it is none, 408 if it does not come.
    """
    try:
        value = json.loads(await text_of(request) or "{}")
        json.dumps(value, allow_nan=False)  # Python reads NaN and 1e999, and nobody else
    except (ValueError, RecursionError) as error:
        raise SignalingError(400, "The body is not JSON.", code="invalid_json") from error
    return value


async def form_of(request: web.Request) -> dict[str, str]:
    """The parts of a form by name.

    :raises SignalingError: 400 if it is none, 408 if it does not come, 413 if it is too large.
    """
    parts: dict[str, str] = {}
    try:
        async with arriving(request.app[WAITS].request_s):
            async for part in await request.multipart():
                if not isinstance(part, BodyPartReader):
                    raise ValueError("a part of it is a form")
                content = await part.read(decode=True)
                if request.content.total_bytes > request.client_max_size:
                    raise SignalingError(413, f"The request is larger than {request.client_max_size} bytes.")
                parts[part.name or ""] = bytes(content).decode("utf-8", "replace")
    except (SignalingError, web.HTTPException):
        raise
    except Exception as error:  # aiohttp raises whatever its parts made it stumble over
        raise SignalingError(400, f"The body is not a form: {str(error)[:200]}", code="invalid_form") from error
    return parts
