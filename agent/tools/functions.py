"""Python functions as tools: found by their import path, described by their docstring and type hints."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import to_json

from agent.engines.protocols import Tool
from agent.engines.threads import call
from agent.errors import ConfigError


class Function:
    """A function that a language model can call.

    :param where: its import path, ``module:function``.
    :raises ConfigError: if there is none, or it can not be called with named arguments.
    """

    def __init__(self, where: str) -> None:
        function: Any = _imported(where)
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(function)
            schema = self._adapter.json_schema()
        except (PydanticUserError, NameError, TypeError) as error:
            raise ConfigError(f"tools.functions: {where} has no schema ({error}); give it plain type hints") from error
        if schema.get("type") != "object":
            raise ConfigError(f"tools.functions: {where} takes arguments without names; drop the / and the *")
        self._waits = inspect.iscoroutinefunction(function)
        self.tool = Tool(function.__name__, inspect.getdoc(function) or "", schema)

    async def __call__(self, arguments: str, threads: Executor) -> str:
        """The result, as the model reads it: a text as it is, anything else as JSON.

        :param arguments: a JSON object.
        :param threads: where it runs, if it is not a coroutine function.
        :raises ValueError: if the arguments do not fit; the message says which, and what would.
        :raises Exception: whatever the function raises.
        """
        try:
            if self._waits:
                result = await self._adapter.validate_json(arguments)
            else:
                result = await call(threads, self._adapter.validate_json, arguments)
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
            raise ValueError("; ".join(wrong)) from error
        return result if isinstance(result, str) else to_json(result, fallback=str).decode()


def _imported(where: str) -> Callable[..., Any]:
    module, _, name = where.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # as `python -m` has it; a command that was installed has not
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"tools.functions: {where!r} can not be imported ({error}); write module:function, of a module that is "
            "installed, or stands in the working directory"
        ) from error
    if not callable(found) or not hasattr(found, "__name__"):
        raise ConfigError(f"tools.functions: {where} is no function; name one")
    function: Callable[..., Any] = found
    return function
