"""One chat completion: the conversation and the tools as such servers want them, and what their chunks say.

Servers differ in how they stream calls. OpenAI, vLLM and llama.cpp number them and send their arguments in parts;
others send each call whole, number all of them 0, or give no id. A call is complete when the next one begins, or the
reply ends.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from agent.engines.protocols import Call, CallDelta, Message, Piece, Scope, Usage
from agent.errors import EngineError

SHORT: Mapping[str, Literal["max_output_tokens", "content_filter"]] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}
"""finish reasons of a reply that is not whole"""
_NO_PARAMETERS = {"type": "object", "properties": {}}


def sent(messages: Sequence[Message], scope: Scope) -> dict[str, Any]:
    """The fields of a request that say what is asked."""
    request: dict[str, Any] = {"messages": [_message(message) for message in messages]}
    if scope.tools:
        request["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters or _NO_PARAMETERS,
                },
            }
            for tool in scope.tools
        ]
        request["tool_choice"] = {"type": "function", "function": {"name": scope.only}} if scope.only else scope.choice
    return request


def usage(told: Mapping[str, Any]) -> Usage:
    """From a chunk's ``usage``."""
    details = told.get("prompt_tokens_details") or {}
    return Usage(
        prompt_tokens=int(told.get("prompt_tokens") or 0),
        cached_tokens=int(details.get("cached_tokens") or 0),
        tokens=int(told.get("completion_tokens") or 0),
    )


class Completion:
    """What the chunks of one reply have said so far."""

    def __init__(self) -> None:
        self.finished = False
        """the server has said that this is all"""
        self.short: Literal["max_output_tokens", "content_filter"] | None = None
        """why there is less of it than there would be"""
        self.usage = Usage()
        self._index = -1
        self._id = ""
        self._call: CallDelta | None = None
        """the one that is not complete, with all of its arguments so far"""

    def take(self, chunk: Mapping[str, Any]) -> Iterator[Piece]:
        """What a ``chat.completion.chunk`` adds.

        :raises ValueError: if it is none.
        :raises EngineError: if it completes a call whose arguments are no JSON object.
        """
        try:
            if told := chunk.get("usage"):
                self.usage = usage(told)
            for choice in chunk["choices"][:1]:
                delta = choice["delta"]
                if text := delta.get("content"):
                    yield text
                for part in delta.get("tool_calls") or ():
                    yield from self._grow(part)
                if reason := choice.get("finish_reason"):
                    self.finished = True
                    self.short = SHORT.get(reason)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"{str(chunk)[:80]} is no chunk of one") from error

    def close(self) -> Iterator[Call]:
        """The last call, if the reply ended with one and is whole.

        :raises EngineError: if its arguments are no JSON object.
        """
        if self._call is not None and self.finished and self.short is None:
            yield self._complete(self._call)

    def _grow(self, part: Mapping[str, Any]) -> Iterator[Piece]:
        function = part.get("function") or {}
        index, call_id, more = int(part.get("index") or 0), part.get("id") or "", function.get("arguments") or ""
        if not isinstance(more, str):
            more = json.dumps(more)  # an object, from servers that send calls whole
        current = self._call
        if current is None or index != self._index or (call_id and self._id and call_id != self._id):
            if current is not None:
                yield self._complete(current)
            self._index, self._id = index, call_id
            current = CallDelta(call_id or f"call_{secrets.token_hex(12)}", str(function["name"]), "")
            yield current
        if more:
            yield CallDelta(current.id, current.name, more)
        self._call = CallDelta(current.id, current.name, current.arguments + more)

    @staticmethod
    def _complete(call: CallDelta) -> Call:
        arguments = call.arguments.strip() or "{}"
        try:
            whole = isinstance(json.loads(arguments), dict)
        except ValueError:
            whole = False
        if not whole:
            what = f"the model called {call.name[:60]} with arguments that are no JSON object"
            raise EngineError("openai", "reply", f"{what}; describe its parameters better, or use a larger model")
        return Call(call.id, call.name, arguments)


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.text}
    if not message.calls:
        return {"role": message.role, "content": message.text}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.calls
    ]
    return {"role": message.role, "content": message.text or None, "tool_calls": calls}
