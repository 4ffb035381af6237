"""`/v1/realtime/calls`: an SDP offer in, a call out; and its end."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from agent.errors import SignalingError, no_such_call
from signaling.body import body_of, form_of, text_of
from signaling.door import GRANT
from signaling.fragments import FRAGMENT, IceSession
from signaling.lines import Lines, Origin
from signaling.rooms import seat_of, seat_told
from signaling.workers import AgentWorker

CALLS_PATH = "/v1/realtime/calls"
SDP_LIMIT = 64 * 1024
"""Bytes of an offer. Browsers' offers for one microphone are 2 to 6 KiB."""
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
        self._ice: dict[str, IceSession] = {}
        """of each call, by its id"""
        self._one_over = asyncio.Event()
        # An offer takes some 20 ms of the loop, in several pieces; of many at once the pieces would stand in a row
        # before the next tick of the calls that there are.
        self._negotiating = asyncio.Semaphore(AT_ONCE)
        worker.ended = self._ended

    def add_to(self, app: web.Application) -> None:
        """Register the routes."""
        app.router.add_post(CALLS_PATH, self.create)
        app.router.add_options(CALLS_PATH, self.options)
        app.router.add_post(CALLS_PATH + "/{call_id}", self.rejoin)
        app.router.add_patch(CALLS_PATH + "/{call_id}", self.take_candidates)
        app.router.add_delete(CALLS_PATH + "/{call_id}", self.end)
        app.router.add_post(CALLS_PATH + "/{call_id}/hangup", self.end)

    def close(self) -> None:
        """Take no more calls, of whatever kind."""
        self._lines.closing = True

    async def create(self, request: web.Request) -> web.Response:
        """Answer an offer, raw or as the part ``sdp`` of a form."""
        offer, session = await _offer(request)
        call_id, answer = await self.begin(request, offer, session)
        return self.created(call_id, answer, f"{CALLS_PATH}/{call_id}")

    async def begin(
        self, request: web.Request, offer: str, session: str = "{}", room: str | None = None
    ) -> tuple[str, str]:
        """Start a call: its id, and the answer.

        :param session: settings that came with the offer; a JSON object.
        :param room: that is joined, where the path says it; else the request's query may.
        :raises SignalingError: if there is no line free, the room is not the bearer's, or the worker refuses the offer.
        """
        grant = request[GRANT]
        seat = seat_told(request) if self._inside else seat_of(request, room)
        call_id = request.headers.get(CALL_ID, "") if self._inside else f"rtc_{secrets.token_hex(12)}"
        most_s = float(request.headers.get(MOST_S, "0")) if self._inside else 60 * grant.most_minutes
        self._lines.begin(call_id, Origin(grant.who, request.remote or ""))
        self._ice[call_id] = IceSession.of(offer)
        try:
            async with self._negotiating:
                answer = await self._worker.answer(
                    call_id,
                    offer,
                    extensions=request.query.get("extensions") == "antiphon",
                    session=_merged(grant.session, session),
                    most_s=most_s,
                    seat=seat,
                )
        except BaseException:
            self._ended(call_id)
            raise
        return call_id, answer

    def created(self, call_id: str, answer: str, location: str) -> web.Response:
        """201, with all that RFC 9725 has a client know."""
        headers = self._ice_headers({"Location": location, "Accept-Patch": FRAGMENT})
        if call_id in self._ice:  # else it is over already
            headers["ETag"] = self._ice[call_id].etag
        return web.Response(status=201, text=answer, content_type="application/sdp", headers=headers)

    async def options(self, _: web.Request) -> web.Response:
        """What can be posted, and which STUN and TURN servers there are."""
        return self.described("application/sdp, multipart/form-data")

    def described(self, kinds: str) -> web.Response:
        """The answer to OPTIONS; a browser's question before a request of another site is answered at the door.

        :param kinds: of body, that can be posted.
        """
        return web.Response(headers=self._ice_headers({"Allow": "OPTIONS, POST", "Accept-Post": kinds}))

    async def rejoin(self, request: web.Request) -> web.Response:
        """Answer an offer that goes on with a call: after a reload, or from another address."""
        call_id = request.match_info["call_id"]
        offer, _ = await _offer(request)
        async with self._negotiating:
            answer = await self._worker.rejoin(call_id, offer)
        headers: dict[str, str] = {}
        if call_id in self._ice:
            session = self._ice[call_id] = IceSession.of(offer)
            headers = {"ETag": session.etag, "Accept-Patch": FRAGMENT}
        return web.Response(status=200, text=answer, content_type="application/sdp", headers=headers)

    async def take_candidates(self, request: web.Request, *, match_required: bool = False) -> web.Response:
        """Candidates that the client found after its offer (trickle ICE).

        :param match_required: it must say by ``If-Match`` which offer it means.
        """
        call_id = request.match_info["call_id"]
        session = self._ice.get(call_id)
        if session is None:
            raise no_such_call(call_id)
        if request.content_type != FRAGMENT:
            raise SignalingError(415, f"Send candidates as {FRAGMENT}; this is {request.content_type[:60]}.")
        session.match(request.if_match, required=match_required)
        fragment = await text_of(request)
        session.check(fragment)
        await self._worker.add_candidates(call_id, fragment)
        return web.Response(status=204)

    async def all_over(self) -> None:
        """Wait until there is no call."""
        while self._lines:
            self._one_over.clear()
            await self._one_over.wait()

    def _ended(self, call_id: str) -> None:
        self._ice.pop(call_id, None)
        self._lines.end(call_id)
        self._one_over.set()

    def _ice_headers(self, headers: Mapping[str, str]) -> CIMultiDict[str]:
        """These, and a ``Link`` for each STUN and TURN server; only for who has passed the door."""
        found = CIMultiDict(headers)
        for link in self._worker.ice_links():
            found.add("Link", link)
        return found

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
        return offered(await body_of(request)), "{}"
    if kind == "multipart/form-data":
        form = await form_of(request)
        if "sdp" not in form:
            raise SignalingError(400, "The form has no part named sdp.", param="sdp")
        return offered(form["sdp"].encode()), form.get("session", "{}")
    raise SignalingError(
        415, f"Send the offer as application/sdp, or a form with a part named sdp; this is {kind[:60]}."
    )


def offered(sent: bytes) -> str:
    """A body as an offer.

    :raises SignalingError: 400 or 413, if it can be none.
    """
    if len(sent) > SDP_LIMIT:
        raise SignalingError(413, f"The offer has {len(sent)} bytes; {SDP_LIMIT} are allowed.", param="sdp")
    try:
        offer = sent.decode("utf-8")
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
