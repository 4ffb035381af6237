"""What a request carries, read so that whatever a client sends gets a typed refusal at worst.

Text is UTF-8, as JSON and SDP are: a charset of the client's choice can name codecs that Python does not have, and some
that take minutes.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import BodyPartReader, web

from agent.errors import SignalingError


async def body_of(request: web.Request) -> bytes:
    """The body.

    :raises SignalingError: 400 if it breaks off, or is not encoded as its headers say.
    """
    try:
        return await request.read()
    except (web.RequestPayloadError, ConnectionError) as error:
        raise SignalingError(
            400, "The body breaks off, or is not encoded as its headers say.", code="invalid_body"
        ) from error


async def text_of(request: web.Request) -> str:
    """The body as text.

    :raises SignalingError: 400 if it can not be read, or is not UTF-8.
    """
    try:
        return (await body_of(request)).decode()
    except UnicodeDecodeError as error:
        raise SignalingError(400, "The body is not UTF-8 text.", code="invalid_body") from error


async def json_of(request: web.Request) -> Any:
    """The body as JSON that can be sent back as it is; no body is an empty object.

    :raises SignalingError: 400 if it is none.
    """
    try:
        value = json.loads(await text_of(request) or "{}")
        json.dumps(value, allow_nan=False)  # Python reads NaN and 1e999, and nobody else
    except (ValueError, RecursionError) as error:
        raise SignalingError(400, "The body is not JSON.", code="invalid_json") from error
    return value


async def form_of(request: web.Request) -> dict[str, str]:
    """The parts of a form by name.

    :raises SignalingError: 400 if it is none, 413 if it is too large.
    """
    parts: dict[str, str] = {}
    try:
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
