"""`POST /v1/realtime/client_secrets`: a short-lived token that a server gives to a browser."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.errors import SignalingError
from signaling.body import json_of
from signaling.names import ROOM_RULE, is_room, person_name
from signaling.tokens import LONGEST_S, SHORTEST_S, USUAL_S, Role, Tokens

OBJECTS = {"realtime": "realtime.session", "transcription": "realtime.transcription_session"}
"""a session's type, and what it is as an object"""


class Expiry(BaseModel):
    """From when on the token starts no call."""

    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(USUAL_S, ge=SHORTEST_S, le=LONGEST_S)


def _room(name: str) -> str:
    if name and not is_room(name):
        raise ValueError(ROOM_RULE)
    return name


def _person(name: str) -> str:
    return person_name(name) if name else ""


class Extras(BaseModel):
    """What OpenAI's tokens can not say."""

    model_config = ConfigDict(extra="forbid")

    room: Annotated[str, AfterValidator(_room)] = ""
    """the only one that the token joins; "" for calls of one's own"""
    name: Annotated[str, AfterValidator(_person)] = ""
    """of the person; "" leaves it to them"""
    role: Role = "talk"
    most_minutes: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _listens_to_somebody(self) -> Self:
        if self.role == "listen" and not self.room:
            raise ValueError("a listener wants a room")
        return self


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
