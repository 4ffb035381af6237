"""`POST /v1/realtime/client_secrets`: a short-lived token that a server gives to a browser."""

from __future__ import annotations

from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import SignalingError
from signaling.body import json_of
from signaling.tokens import LONGEST_S, SHORTEST_S, USUAL_S, Role, Tokens

OBJECTS = {"realtime": "realtime.session", "transcription": "realtime.transcription_session"}
"""a session's type, and what it is as an object"""


class Expiry(BaseModel):
    """From when on the token starts no call."""

    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(USUAL_S, ge=SHORTEST_S, le=LONGEST_S)


class Extras(BaseModel):
    """What OpenAI's tokens can not say."""

    model_config = ConfigDict(extra="forbid")

    room: str = Field("", max_length=64)
    name: str = Field("", max_length=64)
    role: Role = "talk"
    most_minutes: float = Field(0.0, ge=0)


class Wanted(BaseModel):
    """The request's body; all of it is optional."""

    expires_after: Expiry = Expiry()
    session: dict[str, Any] = {}
    antiphon: Extras = Extras()


def add_client_secrets(app: web.Application, tokens: Tokens) -> None:
    """Register the route."""

    async def create(request: web.Request) -> web.Response:
        try:
            wanted = Wanted.model_validate(await json_of(request))
        except ValidationError as error:
            first = error.errors()[0]
            param = ".".join(str(part) for part in first["loc"])
            raise SignalingError(400, f"{param}: {first['msg']}.", code="invalid_value", param=param) from error
        kind = wanted.session.get("type", "realtime")
        if not isinstance(kind, str) or kind not in OBJECTS:
            message = f"session.type must be one of {', '.join(OBJECTS)}."
            raise SignalingError(400, message, code="invalid_value", param="session.type")
        value, expires_at = tokens.issue(
            seconds=wanted.expires_after.seconds, session=wanted.session, **wanted.antiphon.model_dump()
        )
        session = {"type": kind, "object": OBJECTS[kind], **wanted.session}
        return web.json_response({"value": value, "expires_at": expires_at, "session": session})

    app.router.add_post("/v1/realtime/client_secrets", create)
