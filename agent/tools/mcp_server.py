"""One MCP server: a session with it for as long as ours runs, what it offers, and its calls.

It may be slow, or die, or come back: calls go on without its tools meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import TextIO

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client import IncomingMessage
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, CallToolResult, TextContent, ToolListChangedNotification
from mcp_types import Tool as Listed

from agent.engines.protocols import Call, Tool
from agent.errors import OUTSPOKEN
from agent.settings import McpSettings

log = logging.getLogger(__name__)
import_module("jsonschema")  # which the client would import in the middle of a call
for name in ("mcp", "httpx2", "httpcore2"):
    logging.getLogger(name).setLevel(logging.WARNING)  # below it they quote what is sent, also with --verbose

CONNECT_S = 15.0
"""until a server has said what it offers"""
REFRESH_S = 30.0
"""between two looks at what a server offers, and whether it is there"""
RETRY_S, MOST_RETRY_S = 1.0, 30.0
"""between two attempts to reach a server: the first, doubled up to the second"""
STREAM_S = 300.0
"""an answer's stream may be silent for so long"""
PAGES = 20
"""of a server's list of tools"""
NAME_CHARS = 64
"""of a tool's name, as servers of language models take it"""


class McpServer:
    """One server, and whatever it offers now.

    :param errors: where a server that is a program writes its errors; None drops them, for they may quote what people
        say. `antiphon doctor` shows them.
    """

    def __init__(self, settings: McpSettings, errors: TextIO | None = None) -> None:
        self.name = settings.name
        self.tools: list[Tool] = []
        """none while it is not there"""
        self.ready = asyncio.Event()
        """set while it is there"""
        self.tried = asyncio.Event()
        """set when it is known whether it was there at first"""
        self.listening = False
        """it says by itself when its tools change"""
        self._settings = settings
        self._errors = errors
        self._client: Client | None = None
        self._names: dict[str, str] = {}  # as the model knows them to as the server does
        self._look = asyncio.Event()

    async def run(self) -> None:
        """Keep a session until cancelled; one that breaks is made anew."""
        wait_s, said = RETRY_S, ""
        while True:
            try:
                async with self.connected():
                    log.info("mcp server is there server=%s tools=%d", self.name, len(self.tools))
                    wait_s, said = RETRY_S, ""
                    await self._follow()
            except Exception as error:  # foreign code, over a network
                self.tried.set()
                if (why := reason(error)) != said:
                    said = why
                    log.warning("mcp server is not there: calls go on without its tools server=%s %s", self.name, why)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, MOST_RETRY_S)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """A session, whose tools are known.

        :raises Exception: if there can be none; `reason` says why.
        """
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(CONNECT_S):
                    self._client = await stack.enter_async_context(await self._made(stack))
                    await self._refresh()
                self.ready.set()
                self.tried.set()
                yield
            finally:
                self.ready.clear()
                self.listening = False
                self._client, self.tools = None, []

    async def call(self, call: Call) -> str:
        """What a tool answers, as the model reads it.

        :raises ConnectionError: if the server is not there.
        :raises RuntimeError: if the tool failed; the message is the server's.
        """
        client = self._client
        if client is None:
            raise ConnectionError(f"{self.name} is not there now")
        try:
            result = await client.call_tool(self._names.get(call.name, call.name), json.loads(call.arguments))
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                self._look.set()
                raise ConnectionError(f"{self.name} broke the call off") from error
            raise
        if result.is_error:
            raise RuntimeError(_text(result))
        return _text(result)

    async def _made(self, stack: AsyncExitStack) -> Client:
        """A client that is not connected yet."""
        chosen = self._settings
        if chosen.command:
            errors = self._errors
            if errors is None:
                errors = stack.enter_context(await asyncio.to_thread(open, os.devnull, "w", encoding="utf-8"))
            environment = {name: value.get_secret_value() for name, value in chosen.env.items()}
            program = StdioServerParameters(command=chosen.command, args=chosen.args, env=environment)
            return Client(stdio_client(program, errors), message_handler=self._heard)
        secret = chosen.authorization.get_secret_value()
        http = await asyncio.to_thread(  # it reads the machine's certificates
            httpx2.AsyncClient,
            headers={"Authorization": secret} if secret else {},
            timeout=httpx2.Timeout(CONNECT_S, read=STREAM_S),
        )
        await stack.enter_async_context(http)
        return Client(streamable_http_client(chosen.url, http_client=http), message_handler=self._heard)

    async def _follow(self) -> None:
        """Keep the list of tools fresh; returns, or raises, when the session is broken."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name=f"mcp changes {self.name}")
            while True:
                try:
                    async with asyncio.timeout(REFRESH_S):
                        await self._look.wait()
                except TimeoutError:
                    pass
                self._look.clear()
                async with asyncio.timeout(CONNECT_S):
                    await self._refresh()

    async def _listen(self) -> None:
        """Of protocols from 2026 on changes are asked for; others send them to `_heard`."""
        assert self._client is not None
        while True:
            try:
                async with self._client.listen(tools_list_changed=True) as changes:
                    self.listening = True
                    self._look.set()  # there may have been a change meanwhile
                    async for _ in changes:
                        self._look.set()
            except ListenNotSupportedError:
                self.listening = True
                return
            except (SubscriptionLost, MCPError, TimeoutError) as error:
                self._look.set()  # is the server itself gone?
                if isinstance(error, MCPError) and error.code != CONNECTION_CLOSED:
                    return  # it tells nobody of changes
            await asyncio.sleep(RETRY_S)

    async def _heard(self, message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            self._look.set()

    async def _refresh(self) -> None:
        assert self._client is not None
        listed, cursor = list[Listed](), None
        for _ in range(PAGES):
            page = await self._client.list_tools(cursor=cursor, cache_mode="refresh")
            listed += page.tools
            cursor = page.next_cursor
            if cursor is None:
                break
        allowed = self._settings.allowed_tools
        names: dict[str, str] = {}
        tools: list[Tool] = []
        for tool in listed:
            name = re.sub(r"[^a-zA-Z0-9_-]", "_", tool.name)[:NAME_CHARS]
            if (allowed is None or tool.name in allowed) and name not in names:
                names[name] = tool.name
                tools.append(Tool(name, tool.description or "", tool.input_schema))
        self._names, self.tools = names, tools


def reason(error: BaseException) -> str:
    """Why a server is not there, and what to do."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case FileNotFoundError() | PermissionError():
            return f"its program can not be started ({error}); correct the command in tools.mcp"
        case TimeoutError():
            return f"it did not answer within {CONNECT_S:g} s; start it, or correct its address in tools.mcp"
        case MCPError():
            return f"it refused, or ended ({error.message}); `antiphon doctor` shows what it says"
        case httpx2.HTTPStatusError():
            return f"it answered HTTP {error.response.status_code}; correct tools.mcp"
        case httpx2.HTTPError():
            return f"it can not be reached ({error}); start it, or correct its address in tools.mcp"
    what = str(error) if isinstance(error, OUTSPOKEN) else ""
    return f"{type(error).__name__} {what}; `antiphon doctor` shows what it says"


def _text(result: CallToolResult) -> str:
    """The texts of a result; its structure, where there is no text; what else it has by name only."""
    parts = [block.text if isinstance(block, TextContent) else f"[{block.type}]" for block in result.content]
    if not any(isinstance(block, TextContent) for block in result.content) and result.structured_content is not None:
        parts.append(json.dumps(result.structured_content, ensure_ascii=False))
    return "\n".join(parts)
