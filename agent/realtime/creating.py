"""What a client puts into a conversation by itself: typed messages, results of functions, and calls of before."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.engines.protocols import Call
from agent.history import Entry, new_id
from agent.realtime import wire
from agent.realtime.config import TEXT_LIMIT
from agent.realtime.items import ROOT, Items
from agent.realtime.requests import RequestError


class _Asked(BaseModel):
    """What all items may have; the fields that we do not act on are left out."""

    model_config = ConfigDict(extra="ignore")
    id: str | None = None


class _Part(BaseModel):
    type: str
    text: str | None = None
    transcript: str | None = None


class _Message(_Asked):
    role: Literal["user", "assistant", "system"]
    content: list[_Part]


class _Call(_Asked):
    call_id: str | None = None
    name: str
    arguments: str


class _Result(_Asked):
    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class Created:
    """A new item, as clients and as the language model know it."""

    item: wire.Item
    entry: Entry
    after: str | None
    """the id of the one before it, or `ROOT`; None for the end"""


def created(event: Mapping[str, Any], items: Items) -> Created:
    """The item of a `conversation.item.create`.

    :raises RequestError: if it can not be one.
    """
    item, after = event.get("item"), event.get("previous_item_id")
    if not isinstance(item, dict):
        raise RequestError("missing_required_parameter", "Missing required parameter: 'item'.", "item")
    make = _KINDS.get(str(item.get("type")))
    if make is None:
        supported = ", ".join(f"'{kind}'" for kind in _KINDS)
        raise RequestError("invalid_value", f"Invalid item type. Supported values are: {supported}.", "item.type")
    if not isinstance(after, str | None):
        raise RequestError("invalid_type", "previous_item_id must be text.", "previous_item_id")
    try:
        made, entry = make(item, items)
    except ValidationError as error:
        where = ".".join(("item", *(str(part) for part in error.errors()[0]["loc"])))
        raise RequestError("invalid_type", f"{where}: {error.errors()[0]['msg']}", where) from error
    if items.find(made.id):
        raise RequestError("item_create_duplicate_item_id", f"There is an item {made.id} already.", "item.id")
    if after is not None and after != ROOT and items.find(after) is None:
        message = f"There is no item {after!r} that this one could come after."
        raise RequestError("item_create_invalid_previous_item_id", message, "previous_item_id")
    return Created(made, entry, after)


def _message(item: Mapping[str, Any], _: Items) -> tuple[wire.Item, Entry]:
    asked = _Message.model_validate(item)
    if any(part.type == "input_image" for part in asked.content):
        raise RequestError("invalid_value", "input_image: pictures are not looked at here; send text.", "item.content")
    parts = (part.transcript if part.type == "output_audio" else part.text for part in asked.content)
    text = " ".join(part for part in parts if part).strip()
    if not text or len(text) > TEXT_LIMIT:
        kind = "output_text" if asked.role == "assistant" else "input_text"
        message = f"A message needs {kind}, 1 to {TEXT_LIMIT} characters."
        raise RequestError("invalid_value", message, "item.content")
    content: wire.Content = wire.InputText(text=text) if asked.role != "assistant" else wire.OutputText(text=text)
    item_id = asked.id or new_id("item")
    made = wire.MessageItem(id=item_id, status="completed", role=asked.role, content=[content])
    return made, Entry(item_id, asked.role, text)


def _call(item: Mapping[str, Any], items: Items) -> tuple[wire.Item, Entry]:
    asked = _Call.model_validate(item)
    try:
        whole = isinstance(json.loads(asked.arguments or "{}"), dict)
    except (ValueError, RecursionError):
        whole = False
    if not whole or not asked.name or len(asked.name) + len(asked.arguments) > TEXT_LIMIT:
        message = f"A call needs a name, and a JSON object as arguments, {TEXT_LIMIT} characters at most."
        raise RequestError("invalid_value", message, "item.arguments")
    call_id = asked.call_id or new_id("call")
    if items.call(call_id) is not None:
        raise RequestError("invalid_value", f"There is a call {call_id[:80]!r} already.", "item.call_id")
    call = Call(call_id, asked.name, asked.arguments or "{}")
    item_id = asked.id or new_id("item")
    made = wire.FunctionCall(id=item_id, status="completed", call_id=call.id, name=call.name, arguments=call.arguments)
    return made, Entry(item_id, "assistant", "", call=call)


def _result(item: Mapping[str, Any], items: Items) -> tuple[wire.Item, Entry]:
    asked = _Result.model_validate(item)
    if items.call(asked.call_id) is None:
        message = f"There is no call {asked.call_id[:80]!r} in this conversation."
        raise RequestError("invalid_value", message, "item.call_id")
    if len(asked.output) > TEXT_LIMIT:
        message = f"An output may have {TEXT_LIMIT} characters: it is part of the prompt. Give what matters of it."
        raise RequestError("invalid_value", message, "item.output")
    item_id = asked.id or new_id("item")
    made = wire.FunctionCallOutput(id=item_id, status="completed", call_id=asked.call_id, output=asked.output)
    return made, Entry(item_id, "tool", asked.output, call_id=asked.call_id)


_KINDS: Mapping[str, Callable[[Mapping[str, Any], Items], tuple[wire.Item, Entry]]] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _result,
}
