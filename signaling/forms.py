"""An uploaded form with a file in it, read as it comes, and no further than it may be long."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web

from agent.errors import SignalingError
from signaling.body import WAITS, arriving

FILE_LIMIT = 25 * 1024 * 1024
"""bytes of the file, as with OpenAI"""
FIELD_LIMIT = 64 * 1024
"""bytes of any other part"""
MOST_PARTS = 64
_CHUNK = 64 * 1024


@dataclass(slots=True)
class Form:
    """The parts of a form."""

    file: list[bytes] | None = None
    """as it came; None if there was none"""
    fields: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """by name without ``[]``; more than one value where the name came more than once"""


async def read_form(request: web.Request) -> Form:
    """The request's body.

    :raises SignalingError: 400 for what is no form, or breaks off; 408 if it does not come, 413 if it is too long,
        415 for another type.
    """
    if request.content_type != "multipart/form-data":
        raise SignalingError(
            415, f"Send multipart/form-data with the parts file and model; this is {request.content_type[:60]}."
        )
    if request.content_length is not None and request.content_length > FILE_LIMIT + MOST_PARTS * FIELD_LIMIT:
        raise _too_large()
    try:
        async with arriving(request.app[WAITS].upload_s, "upload_timeout"):
            return await _read(request)
    except ValueError as error:
        raise SignalingError(400, f"The body is not a form: {error}", code="invalid_form") from error


async def _read(request: web.Request) -> Form:
    form = Form()
    reader = await request.multipart()
    for _ in range(MOST_PARTS):
        part = await reader.next()
        if part is None:
            return form
        if not isinstance(part, BodyPartReader) or not part.name:
            raise ValueError("a part has no name, or is itself a form")
        if part.name == "file":
            form.file = await _chunks(part, FILE_LIMIT)
        else:
            text = b"".join(await _chunks(part, FIELD_LIMIT)).decode("utf-8", "replace")
            form.fields[part.name.removesuffix("[]")].append(text)
    raise ValueError(f"it has more than {MOST_PARTS} parts")


async def _chunks(part: BodyPartReader, limit: int) -> list[bytes]:
    """A part's content; what is long is put together in a thread."""
    found: list[bytes] = []
    size = 0
    while chunk := await part.read_chunk(_CHUNK):
        found.append(chunk)
        size += len(chunk)
        if size > limit:
            raise _too_large()
    return found


def _too_large() -> SignalingError:
    return SignalingError(
        413,
        f"The file is larger than {FILE_LIMIT // (1024 * 1024)} MB; compress it, or send it in parts.",
        code="file_too_large",
        param="file",
    )
