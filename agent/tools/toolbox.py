"""All the tools that the server itself runs, and the limits that they run under."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

from agent.engines.protocols import Call, Scope, Tool
from agent.engines.threads import pool
from agent.errors import ConfigError
from agent.settings import ToolsSettings
from agent.tools.functions import Function

if TYPE_CHECKING:
    from agent.tools.mcp_server import McpServer

log = logging.getLogger(__name__)

THREADS = 8
"""functions that are no coroutines, at a time"""
MOST_OFFERED = 128
"""with those of the client; servers of language models take no more"""
ERROR_CHARS = 500
"""of a failure, as the model is told of it"""

Fate = Literal["answered", "failed", "late", "cancelled"]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a call."""

    text: str
    """as the model reads it"""
    fate: Fate


class Toolbox:
    """The server's tools; one per process that holds calls.

    :param settings: its limits.
    """

    def __init__(
        self,
        settings: ToolsSettings | None = None,
        functions: Sequence[Function] = (),
        servers: Sequence[McpServer] = (),
    ) -> None:
        self.settings = settings or ToolsSettings()
        self.servers = servers
        self._functions = {function.tool.name: function for function in functions}
        self._threads = pool("tools", THREADS)
        self._threads.stuck_s = self.settings.timeout_s

    @classmethod
    def load(cls, settings: ToolsSettings) -> Self:
        """What the settings name. Blocks: it imports.

        :raises ConfigError: if a function is none, two have one name, or MCP is wanted and not installed.
        """
        functions = [Function(where) for where in settings.functions]
        names = [function.tool.name for function in functions]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"tools.functions: two are called {name!r}; rename one")
        servers: list[McpServer] = []
        if settings.mcp:
            try:
                from agent.tools.mcp_server import McpServer
            except ImportError as error:
                raise ConfigError(f"tools.mcp needs a package ({error}): pip install 'antiphon[mcp]'") from error
            servers = [McpServer(server) for server in settings.mcp]
        return cls(settings, functions, servers)

    async def run(self) -> None:
        """Keep the sessions with MCP servers until cancelled."""
        async with asyncio.TaskGroup() as group:
            for server in self.servers:
                group.create_task(server.run(), name=f"mcp {server.name}")

    async def ready(self, within_s: float) -> None:
        """Wait until every MCP server has said what it can do, or has failed to; but not for longer."""
        try:
            async with asyncio.timeout(within_s):
                for server in self.servers:
                    await server.tried.wait()
        except TimeoutError:
            for server in self.servers:
                if not server.tried.is_set():
                    log.warning("calls begin without the tools of a slow mcp server server=%s", server.name)

    def close(self) -> None:
        """No more calls; what runs in threads is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def tools(self) -> list[Tool]:
        """Those that can be called now. Of two with one name the first counts."""
        found = {function.tool.name: function.tool for function in self._functions.values()}
        for server in self.servers:
            for tool in server.tools:
                found.setdefault(tool.name, tool)
        return list(found.values())

    def offered(self, scope: Scope, *, last: bool = False) -> Scope:
        """A client's scope and our tools, as far as the client has none of that name.

        :param last: the model has called often enough, and is to answer.
        """
        theirs = {tool.name for tool in scope.tools}
        ours = [tool for tool in self.tools if tool.name not in theirs]
        if not ours:
            return scope
        scope = replace(scope, tools=(*scope.tools, *ours)[:MOST_OFFERED])
        return replace(scope, choice="none", only="") if last else scope

    def names(self, scope: Scope) -> frozenset[str]:
        """Of our tools in `offered`."""
        return frozenset(tool.name for tool in self.offered(scope).tools[len(scope.tools) :])

    async def call(self, call: Call) -> Result:
        """Run one. It never fails: what went wrong is the result."""
        try:
            async with asyncio.timeout(self.settings.timeout_s) as limit:
                text = await self._run(call)
        except Exception as error:  # foreign code; the model is told, and makes something of it
            if limit.expired():
                log.warning("a tool did not answer tool=%s within_s=%g", call.name, self.settings.timeout_s)
                return Result(f"Error: no answer within {self.settings.timeout_s:g} s.", "late")
            log.warning("a tool failed tool=%s error=%s", call.name, type(error).__name__)
            return Result(f"Error: {str(error) or type(error).__name__}"[:ERROR_CHARS], "failed")
        most = self.settings.result_chars
        if len(text) > most:
            text = f"{text[:most]} … (cut off: {len(text)} characters in all)"
        return Result(text, "answered")

    async def _run(self, call: Call) -> str:
        if (function := self._functions.get(call.name)) is not None:
            return await function(call.arguments, self._threads)
        for server in self.servers:
            if any(tool.name == call.name for tool in server.tools):
                return await server.call(call)
        raise LookupError(f"there is no tool {call.name} any more")
