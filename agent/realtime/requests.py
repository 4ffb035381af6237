"""What a client sends, before anybody acts on it: JSON that can be trusted to be an object, and how it is refused."""

from __future__ import annotations

import json
import math
from typing import Any

MOST_VALUES = 10_000
"""in a client's message; a session with tools has some hundred"""
DEEPEST = 32
"""Levels of nesting in a client's message; a session with tools has about ten."""


class RequestError(Exception):
    """A client event that is refused, as an `error` event says it."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


def parsed(text: str) -> dict[str, Any]:
    """A client's message as an object that can be sent back as it is.

    :raises RequestError: if it is no JSON object with a type, is nested too deeply, or holds what UTF-8 can not.
    """
    if not text:
        raise RequestError("invalid_event", "Expected a text message; binary ones are not supported.")
    event = json_object(text)
    if not isinstance(event.get("type"), str):
        raise RequestError("missing_required_parameter", "Missing required parameter: 'type'.", "type")
    return event


def json_object(text: str) -> dict[str, Any]:
    """A JSON object from outside.

    :raises RequestError: if it is none, is nested too deeply, holds too much, or what UTF-8 can not.
    """
    # Behind each value but the first stands one of these. Ten million empty lists, which 30 MB hold, would take 10 s.
    if len(text) > MOST_VALUES and sum(map(text.count, ",[{")) > MOST_VALUES:
        raise RequestError("invalid_json", f"The message holds more than {MOST_VALUES} values.")
    try:
        # Python reads NaN and 1e999, and JSON does not know them: they would fail only when we send them back.
        value = json.loads(text, parse_constant=_refused, parse_float=_finite)
        # A lone surrogate, which JSON can write and UTF-8 can not, would fail only when we send it back.
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise RequestError("invalid_json", f"The message is not JSON: {str(error)[:200]}") from error
    if not isinstance(value, dict):
        raise RequestError("invalid_json", "The message is not a JSON object.")
    if _depth(value) > DEEPEST:
        raise RequestError("invalid_json", f"The message is nested more than {DEEPEST} levels deep.")
    return value


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON's")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refused(digits[:20])


def required(event: dict[str, Any], name: str) -> str:
    """A text that an event must have.

    :raises RequestError: if it has not.
    """
    value = event.get(name)
    if not isinstance(value, str):
        raise RequestError("missing_required_parameter", f"Missing required parameter: '{name}'.", name)
    return value


def _depth(value: object) -> int:
    """Levels of nesting, without recursion."""
    level, deepest = [value], 0
    while level:
        deepest += 1
        inner = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = [item for items in inner for item in items]
    return deepest
