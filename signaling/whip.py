"""`/whip/{room}`: people who join a room by WHIP (RFC 9725), such as OBS or GStreamer. They send and hear nothing.

They are who ``?name=`` says, or guests; the others hear them, and so does the agent. What it made of that can be seen
in ``/metrics``. To hear the answer, a client offers at ``/v1/realtime/calls?room=…``, which is the same but for the
data channel's events and the preconditions of a PATCH.
"""

from __future__ import annotations

from aiohttp import web

from agent.errors import SignalingError
from signaling.body import body_of
from signaling.calls import Calls, offered

WHIP = "/whip/{room}"
SDP = "application/sdp"


def add_whip(app: web.Application, calls: Calls) -> None:
    """Register the routes. Other methods get 405: the RFC keeps them for later."""

    async def create(request: web.Request) -> web.Response:
        """Answer an offer."""
        if request.content_type != SDP:
            raise SignalingError(415, f"Send the offer as {SDP}; this is {request.content_type[:60]}.")
        offer = offered(await body_of(request))
        voices = sum(line.startswith("m=audio") for line in offer.splitlines())
        if voices > 1:
            raise SignalingError(
                422, f"The offer has {voices} microphones; one is listened to.", code="too_many_media", param="sdp"
            )
        call_id, answer = await calls.begin(request, offer, room=request.match_info["room"])
        return calls.created(call_id, answer, f"{request.path}/{call_id}")

    async def trickle(request: web.Request) -> web.Response:
        """Take candidates that the client found after its offer."""
        return await calls.take_candidates(request, match_required=True)

    async def options(_: web.Request) -> web.Response:
        """What can be posted, and which STUN and TURN servers there are."""
        return calls.described(SDP)

    app.router.add_post(WHIP, create)
    app.router.add_options(WHIP, options)
    app.router.add_patch(WHIP + "/{call_id}", trickle)
    app.router.add_delete(WHIP + "/{call_id}", calls.end)
