"""`GET /v1/realtime`: a conversation over a WebSocket, its sound inside its events; or a further client of one.

With ``?intent=transcription`` it only listens. With ``?call_id=rtc_…`` the WebSocket is one more client of a call that
is running, whatever that call's own transport is: it hears of everything, and may ask for everything.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from contextlib import suppress

from aiohttp import WSMsgType, web

from agent.errors import SignalingError, no_such_call
from signaling.calls import CALL_ID, MOST_S
from signaling.door import GRANT
from signaling.lines import Lines, Origin
from signaling.rooms import refuse_listeners, refuse_rooms
from signaling.workers import AgentWorker

PATH = "/v1/realtime"
PROTOCOL = "realtime"
"""the subprotocol that is chosen of those a browser offers; one of them is its key"""
MESSAGE_BYTES = 32 << 20
"""of a client's message: 15 MiB of sound, the API's own limit, are 20 in base64"""
PING_S = 20.0
MODELS = re.compile(r"antiphon|gpt-[\w.-]*(realtime|audio)[\w.-]*|")
"""names that clients ask for; all of them are us"""
UNAUTHORISED, INVALID, BUSY = 3000, 4000, 1013
"""closing codes: OpenAI's two, and RFC 6455's registry for one that may try again"""
logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)  # its warning quotes the protocols, a key among them


class AiohttpSocket:
    """aiohttp's WebSocket as the agent wants it (`agent.transports.socket.Socket`)."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def receive(self) -> str | None:
        """The next message, "" for one that is no text; None when the client is gone. Others get the loop before: of
        messages and pings that came together none waits."""
        while True:
            message = await self._socket.receive()
            await asyncio.sleep(0)
            match message.type:
                case WSMsgType.TEXT:
                    return str(message.data)
                case WSMsgType.BINARY:
                    return ""
                case WSMsgType.PING:
                    with suppress(ConnectionError):
                        await self._socket.pong(message.data)
                case WSMsgType.PONG:
                    pass
                case _:
                    return None

    async def send(self, text: str) -> None:
        """Send a message; waits while the client reads slowly.

        :raises ConnectionError: if it is gone.
        """
        await self._socket.send_str(text)

    async def close(self, code: int, reason: str) -> None:
        """Say why, and close."""
        await self._socket.close(code=code, message=reason.encode()[:120])


class Sockets:
    """The route of conversations over WebSockets.

    :param inside: this is a process behind the one that callers reach (`signaling.processes`), and believes it.
    """

    def __init__(self, worker: AgentWorker, lines: Lines, *, inside: bool = False) -> None:
        self._worker = worker
        self._lines = lines
        self._inside = inside

    def add_to(self, app: web.Application) -> None:
        """Register the route."""
        app.router.add_get(PATH, self.converse)

    async def converse(self, request: web.Request) -> web.WebSocketResponse:
        """Hold a conversation until one side ends it."""
        if not is_upgrade(request):
            raise SignalingError(426, "This is a WebSocket; connect with a client that speaks it.", code="upgrade")
        if "call_id" in request.query:
            return await self._attach(request, request.query["call_id"])
        grant = request[GRANT]
        listens = request.query.get("intent") == "transcription"
        if not listens and not MODELS.fullmatch(request.query.get("model", "")):
            raise SignalingError(404, f"There is no model {request.query['model'][:60]!r}.", code="invalid_model")
        call_id = request.headers.get(CALL_ID, "") if self._inside else f"rtc_{secrets.token_hex(12)}"
        self._lines.begin(call_id, Origin(grant.who, request.remote or ""))
        try:
            socket = await accepted(request)
            kind = {"type": "transcription"} if listens else {}
            session = json.dumps({**grant.session, **kind})
            most_s = 60 * grant.most_minutes
            if self._inside:
                session, most_s = await socket.receive_str(), float(request.headers.get(MOST_S, "0"))
            extensions = request.query.get("extensions") == "antiphon"
            try:
                if not self._inside:
                    refuse_rooms(request)
                await self._worker.converse(
                    call_id, AiohttpSocket(socket), extensions=extensions, session=session, most_s=most_s
                )
            except SignalingError as error:
                await refuse(socket, error)
        finally:
            self._lines.end(call_id)
        return socket

    async def _attach(self, request: web.Request, call_id: str) -> web.WebSocketResponse:
        """One more client of a running call: for who began it, or has a key of the server's."""
        grant, origin = request[GRANT], self._lines.origin(call_id)
        if origin is None or not (grant.server or grant.who == origin.who):
            raise no_such_call(call_id)  # who may not know does not learn that there is one
        socket = await accepted(request)
        extensions = request.query.get("extensions") == "antiphon"
        try:
            refuse_listeners(grant)
            await self._worker.attach(call_id, AiohttpSocket(socket), extensions=extensions)
        except SignalingError as error:
            await refuse(socket, error)
        return socket


def is_upgrade(request: web.Request) -> bool:
    """Whether this request wants to become a WebSocket, and can."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        return False
    try:
        return _socket().can_prepare(request).ok
    except UnicodeEncodeError:  # aiohttp quotes a header that is none, and stumbles where that is no text
        return False


async def accepted(request: web.Request) -> web.WebSocketResponse:
    """The request as a WebSocket."""
    socket = _socket()
    await socket.prepare(request)
    return socket


def _socket() -> web.WebSocketResponse:
    return web.WebSocketResponse(
        protocols=(PROTOCOL,), heartbeat=PING_S, max_msg_size=MESSAGE_BYTES, compress=False, autoping=False
    )


async def refuse(socket: web.WebSocketResponse, error: SignalingError) -> None:
    """Say why in an event, and close: a browser can not read the answer to a failed upgrade."""
    body = {"event_id": f"event_{secrets.token_hex(12)}", "type": "error", **error.body()}
    await socket.send_json(body)
    code = UNAUTHORISED if error.status == 401 else BUSY if error.status in (429, 503) else INVALID
    kind = error.body()["error"]
    await socket.close(code=code, message=f"{kind['type']}.{kind['code']}".encode()[:120])
