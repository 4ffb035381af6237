"""The functions that a client offers, and how long answers may be: as clients write it, checked, for the model.

The client calls the functions itself; what the server calls is named in its settings (`agent.tools`), so tools of type
``mcp`` are refused.
"""

from __future__ import annotations

import json
from typing import Any, Literal, cast

from agent.engines.protocols import Scope, Tool
from agent.realtime.requests import RequestError

MOST_TOOLS = 128
"""in one session; servers of language models take no more"""
TOOLS_CHARS = 100_000
"""of all of them as JSON: they are part of every prompt"""
NAME_CHARS = 64
"""of a function's name"""


def scope(tools: Any, choice: Any, most: Any, where: str) -> Scope:
    """What the language model may do.

    :param tools: the list of tools; None for none.
    :param choice: ``auto``, ``none``, ``required`` or ``{"type": "function", "name"}``; None for ``auto``.
    :param most: the longest answer, in tokens; ``inf`` or None for as long as the server lets it be.
    :param where: "session" or "response", for messages.
    :raises RequestError: if that is not what they are.
    """
    offered = _tools(tools, f"{where}.tools")
    least, only = _choice(choice, {tool.name for tool in offered}, f"{where}.tool_choice")
    return Scope(tools=offered, choice=least, only=only, most_tokens=_most(most, f"{where}.max_output_tokens"))


def _tools(tools: Any, where: str) -> tuple[Tool, ...]:
    if tools is None:
        return ()
    if not isinstance(tools, list):
        raise RequestError("invalid_type", f"{where} must be a list.", where)
    if len(tools) > MOST_TOOLS or len(json.dumps(tools)) > TOOLS_CHARS:
        message = f"{where} may be {MOST_TOOLS} tools of {TOOLS_CHARS} characters of JSON together at most."
        raise RequestError("invalid_value", message, where)
    return tuple(_tool(tool, f"{where}[{n}]") for n, tool in enumerate(tools))


def _tool(tool: Any, where: str) -> Tool:
    if not isinstance(tool, dict) or tool.get("type", "function") != "function":
        message = f"{where}.type: only 'function' is supported: tools that the client itself calls."
        raise RequestError("invalid_value", message, f"{where}.type")
    name, description, parameters = tool.get("name"), tool.get("description"), tool.get("parameters")
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARS:
        raise RequestError("invalid_value", f"{where}.name must have 1 to {NAME_CHARS} characters.", f"{where}.name")
    if not isinstance(description, str | None):
        raise RequestError("invalid_type", f"{where}.description must be text.", f"{where}.description")
    if not isinstance(parameters, dict | None):
        raise RequestError("invalid_type", f"{where}.parameters must be a JSON schema.", f"{where}.parameters")
    return Tool(name, description or "", parameters)


def _choice(choice: Any, names: set[str], where: str) -> tuple[Literal["auto", "none", "required"], str]:
    if choice is None:
        return "auto", ""
    if choice in ("auto", "none", "required"):
        return cast("Literal['auto', 'none', 'required']", choice), ""
    named = choice.get("name") if isinstance(choice, dict) and choice.get("type") == "function" else None
    if isinstance(named, str) and named in names:
        return "auto", named
    message = f"{where} must be 'auto', 'none', 'required', or name one of the functions."
    raise RequestError("invalid_value", message, where)


def _most(most: Any, where: str) -> int | None:
    if most is None or most == "inf":
        return None
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise RequestError("integer_below_min_value", f"{where} must be 1 or more, or 'inf'.", where)
    return most
