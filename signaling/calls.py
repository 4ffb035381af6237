"""`/v1/realtime/calls`: an SDP offer in, a call out; and its end."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

from agent.errors import SignalingError, no_such_call
from signaling.door import GRANT
from signaling.lines import Lines, Origin
from signaling.workers import AgentWorker

SDP_LIMIT = 64 * 1024
"""Bytes of an offer. Browsers' offers for one microphone are 2 to 6 KiB."""
FRAGMENT = "application/trickle-ice-sdpfrag"
CALL_ID, MOST_S = "Antiphon-Call-Id", "Antiphon-Most-S"
"""headers by which the process that callers reach tells the one that holds the call"""
BODY_LIMIT = 2 * SDP_LIMIT
"""Bytes of a whole request: an offer, and a session beside it."""


AT_ONCE = 1
"""offers that are negotiated side by side"""
MOST_SECTIONS = 8
"""m= lines of an offer: a client has one for sound and one for events, a browser with a camera on one more"""


class Calls:
    """The routes of calls.

    :param inside: this is a process behind the one that callers reach (`signaling.processes`), and believes it.
    """

    def __init__(self, worker: AgentWorker, lines: Lines, *, inside: bool = False) -> None:
        self._worker = worker
        self._lines = lines
        self._inside = inside
        self.closing = False
        """no new calls: the server is about to stop"""
        self._one_over = asyncio.Event()
        # An offer takes some 20 ms of the loop, in several pieces; of many at once the pieces would stand in a row
        # before the next tick of the calls that there are.
        self._negotiating = asyncio.Semaphore(AT_ONCE)
        worker.ended = self._ended

    def add_to(self, app: web.Application) -> None:
        """Register the routes."""
        app.router.add_post("/v1/realtime/calls", self.create)
        app.router.add_post("/v1/realtime/calls/{call_id}", self.rejoin)
        app.router.add_patch("/v1/realtime/calls/{call_id}", self.trickle)
        app.router.add_delete("/v1/realtime/calls/{call_id}", self.end)
        app.router.add_post("/v1/realtime/calls/{call_id}/hangup", self.end)

    async def create(self, request: web.Request) -> web.Response:
        """Answer an offer, raw or as the part ``sdp`` of a form."""
        if self.closing:
            raise SignalingError(503, "The server is about to stop; try another, or later.", code="server_closing")
        offer, session = await _offer(request)
        grant = request[GRANT]
        call_id = request.headers.get(CALL_ID, "") if self._inside else f"rtc_{secrets.token_hex(12)}"
        most_s = float(request.headers.get(MOST_S, "0")) if self._inside else 60 * grant.most_minutes
        self._lines.begin(call_id, Origin(grant.who, request.remote or ""))
        try:
            async with self._negotiating:
                answer = await self._worker.answer(
                    call_id,
                    offer,
                    extensions=request.query.get("extensions") == "antiphon",
                    session=_merged(grant.session, session),
                    most_s=most_s,
                )
        except BaseException:
            self._ended(call_id)
            raise
        location = f"/v1/realtime/calls/{call_id}"
        return web.Response(status=201, text=answer, content_type="application/sdp", headers={"Location": location})

    async def rejoin(self, request: web.Request) -> web.Response:
        """Answer an offer that goes on with a call: after a reload, or from another address."""
        offer, _ = await _offer(request)
        async with self._negotiating:
            answer = await self._worker.rejoin(request.match_info["call_id"], offer)
        return web.Response(status=200, text=answer, content_type="application/sdp")

    async def trickle(self, request: web.Request) -> web.Response:
        """Take candidates that the client found after its offer (RFC 8840)."""
        if request.content_type != FRAGMENT:
            raise SignalingError(415, f"Send candidates as {FRAGMENT}; this is {request.content_type[:60]}.")
        await self._worker.add_candidates(request.match_info["call_id"], await request.text())
        return web.Response(status=204)

    async def all_over(self) -> None:
        """Wait until there is no call."""
        while self._lines:
            self._one_over.clear()
            await self._one_over.wait()

    def _ended(self, call_id: str) -> None:
        self._lines.end(call_id)
        self._one_over.set()

    async def end(self, request: web.Request) -> web.Response:
        """Hang up."""
        call_id = request.match_info["call_id"]
        if not await self._worker.hang_up(call_id):
            raise no_such_call(call_id)
        return web.Response(status=200)


def _merged(granted: Mapping[str, Any], given: str) -> str:
    """The session that came with the token, and over it the one that came with the offer, as JSON.

    :raises SignalingError: 400 if that is no JSON.
    """
    if not granted:
        return given
    try:
        return json.dumps(_over(granted, json.loads(given)))
    except (ValueError, RecursionError) as error:
        raise SignalingError(400, "The session is not JSON.", code="invalid_session", param="session") from error


def _over(below: Any, above: Any) -> Any:
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    return {**below, **{key: _over(below.get(key), value) for key, value in above.items()}}


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
    if sum(line.startswith("m=") for line in offer.splitlines()) > MOST_SECTIONS:
        raise SignalingError(
            400, f"The offer has more than {MOST_SECTIONS} m= lines.", code="too_many_media", param="sdp"
        )
    return offer
