"""`/v1/realtime/calls`: an SDP offer in, a call out; and its end."""

from __future__ import annotations

from aiohttp import web
from aiohttp.web_request import FileField

from agent.errors import SignalingError
from signaling.workers import AgentWorker

SDP_LIMIT = 64 * 1024
"""Bytes of an offer. Browsers' offers for one microphone are 2 to 6 KiB."""
BODY_LIMIT = 2 * SDP_LIMIT
"""Bytes of a whole request: an offer, and a session beside it."""


class Calls:
    """The routes of calls."""

    def __init__(self, worker: AgentWorker) -> None:
        self._worker = worker

    def add_to(self, app: web.Application) -> None:
        """Register the routes."""
        app.router.add_post("/v1/realtime/calls", self.create)
        app.router.add_delete("/v1/realtime/calls/{call_id}", self.end)
        app.router.add_post("/v1/realtime/calls/{call_id}/hangup", self.end)

    async def create(self, request: web.Request) -> web.Response:
        """Answer an offer, raw or as the part ``sdp`` of a form."""
        offer, session = await _offer(request)
        extensions = request.query.get("extensions") == "antiphon"
        call_id, answer = await self._worker.answer(offer, extensions=extensions, session=session)
        location = f"/v1/realtime/calls/{call_id}"
        return web.Response(status=201, text=answer, content_type="application/sdp", headers={"Location": location})

    async def end(self, request: web.Request) -> web.Response:
        """Hang up."""
        call_id = request.match_info["call_id"]
        if not await self._worker.hang_up(call_id):
            raise SignalingError(404, f"There is no call {call_id[:60]}; it may have ended.", code="call_not_found")
        return web.Response(status=200)


async def _offer(request: web.Request) -> tuple[str, str]:
    """The offer, and the session beside it as JSON.

    :raises SignalingError: 400, 413 or 415, saying what to send instead.
    """
    kind = request.content_type
    if kind == "application/sdp":
        return _sdp(await request.read()), "{}"
    if kind == "multipart/form-data":
        try:
            form = await request.post()
        except ValueError as error:
            raise SignalingError(400, f"The body is not a form: {error}", code="invalid_form") from error
        if "sdp" not in form:
            raise SignalingError(400, "The form has no part named sdp.", param="sdp")
        return _sdp(_text(form["sdp"]).encode()), _text(form.get("session", "{}"))
    raise SignalingError(
        415, f"Send the offer as application/sdp, or a form with a part named sdp; this is {kind[:60]}."
    )


def _text(field: str | bytes | bytearray | FileField) -> str:
    """A form part: aiohttp gives text, bytes for a typed part, or a file."""
    if isinstance(field, FileField):
        return field.file.read().decode("utf-8", "replace")
    return field if isinstance(field, str) else bytes(field).decode("utf-8", "replace")


def _sdp(body: bytes) -> str:
    if len(body) > SDP_LIMIT:
        raise SignalingError(413, f"The offer has {len(body)} bytes; {SDP_LIMIT} are allowed.", param="sdp")
    try:
        offer = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SignalingError(400, "The offer is not UTF-8 text.", code="invalid_offer", param="sdp") from error
    if not offer.startswith("v=0"):
        raise SignalingError(
            400, "The body is not an SDP offer: it does not begin with v=0.", code="invalid_offer", param="sdp"
        )
    return offer
