"""How a client wants its next answer: what is in a `response.create`, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.asked import Asked
from agent.realtime.config import Config
from agent.realtime.requests import RequestError


class _Response(BaseModel):
    """The parts of it that we act on."""

    model_config = ConfigDict(extra="ignore")

    instructions: str | None = None
    output_modalities: list[str] | None = None
    metadata: dict[str, str] | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    max_output_tokens: int | str | None = None


class _Create(BaseModel):
    response: _Response = _Response()


@dataclass(frozen=True, slots=True)
class Wanted:
    """An answer that a client asks for."""

    asked: Asked
    metadata: dict[str, str] | None
    """the client's, echoed"""
    most_tokens: int | Literal["inf"] | None
    """that it may have, echoed; None for as many as the session's answers"""


def wanted(event: Mapping[str, Any], config: Config) -> Wanted:
    """What a `response.create` asks for, in the session that it is for.

    :raises RequestError: if no answer can be so.
    """
    try:
        response = _Create.model_validate({"response": event.get("response") or {}}).response
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise RequestError("invalid_type", f"{where}: {error.errors()[0]['msg']}", where) from error
    if response.output_modalities not in (None, ["audio"], ["text"]):
        where = "response.output_modalities"
        raise RequestError("invalid_value", f"{where} must be ['audio'] or ['text'].", where)
    most = response.max_output_tokens
    asked = Asked(
        spoken=config.spoken if response.output_modalities is None else response.output_modalities == ["audio"],
        instructions=response.instructions,
        scope=config.scope_of(response.tools, response.tool_choice, most),
    )
    return Wanted(asked, response.metadata, cast("int | Literal['inf'] | None", most))
