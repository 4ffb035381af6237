"""MCP servers as processes of their own, over both transports: what they offer, what they answer, and their end."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import DEVNULL

import pytest
from mcp import Client

from agent.engines.protocols import Call
from agent.settings import McpSettings
from agent.tools import mcp_server
from agent.tools.mcp_server import McpServer

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]
PROGRAM = str(Path(__file__).parents[1] / "mcp_tools.py")
NAMES = ["where_is", "orders_cancel", "count", "learn", "die"]
Restart = Callable[[], Awaitable[None]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lost is looked for soon."""
    monkeypatch.setattr(mcp_server, "RETRY_S", 0.2)
    monkeypatch.setattr(mcp_server, "MOST_RETRY_S", 0.4)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def over_http() -> AsyncIterator[tuple[McpSettings, Restart]]:
    port = free_port()
    running: list[asyncio.subprocess.Process] = []

    async def start() -> None:
        command = (sys.executable, PROGRAM, str(port))
        running.append(await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=DEVNULL))

    await start()
    try:
        yield McpSettings(url=f"http://127.0.0.1:{port}/mcp"), start
    finally:
        for process in running:
            if process.returncode is None:
                process.kill()
            await process.wait()


@asynccontextmanager
async def on_stdio() -> AsyncIterator[tuple[McpSettings, Restart]]:
    yield McpSettings(command=sys.executable, args=[PROGRAM]), lambda: asyncio.sleep(0)


@pytest.fixture(params=[on_stdio, over_http], ids=["stdio", "http"])
async def running(request: pytest.FixtureRequest) -> AsyncIterator[tuple[McpServer, Restart]]:
    """A server, and what starts it again if it died."""
    async with request.param() as (settings, restart), asyncio.TaskGroup() as group:
        server = McpServer(settings)
        task = group.create_task(server.run())
        async with asyncio.timeout(20):
            await server.ready.wait()
        yield server, restart
        task.cancel()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_what_it_offers_is_offered_and_called(running: tuple[McpServer, Restart]) -> None:
    server, _ = running
    assert [tool.name for tool in server.tools] == NAMES
    tool = server.tools[0]
    assert tool.description == "Where an order is."
    assert tool.parameters is not None and tool.parameters["required"] == ["order"]
    assert await server.call(Call("1", "where_is", '{"order": "7"}')) == "Order 7 is in Oslo"
    with pytest.raises(RuntimeError, match="order 7 has left"):
        await server.call(Call("2", "orders_cancel", '{"order": "7"}'))
    both = [server.call(Call(str(n), "count", '{"seconds": 0.2}')) for n in range(2)]
    assert await asyncio.gather(*both) == ["seven", "seven"]


@pytest.fixture(params=["auto", "legacy"])
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of 2026, or as servers have spoken it before."""
    monkeypatch.setattr(mcp_server, "Client", partial(Client, mode=request.param))


@pytest.mark.usefixtures("protocol")
async def test_what_it_learns_is_offered_at_once(running: tuple[McpServer, Restart]) -> None:
    server, _ = running
    await until(lambda: server.listening)
    await server.call(Call("1", "learn", "{}"))
    await until(lambda: "weigh" in [tool.name for tool in server.tools])
    assert await server.call(Call("2", "weigh", "{}")) == "a box"


async def test_a_call_that_is_cancelled_leaves_the_session_as_it_was(running: tuple[McpServer, Restart]) -> None:
    server, _ = running
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await server.call(Call("1", "count", '{"seconds": 60}'))
    assert await server.call(Call("2", "where_is", '{"order": "7"}')) == "Order 7 is in Oslo"


async def test_one_that_dies_is_missed_said_and_found_again(
    running: tuple[McpServer, Restart], caplog: pytest.LogCaptureFixture
) -> None:
    server, restart = running
    with caplog.at_level(logging.INFO), pytest.raises(ConnectionError, match="broke the call off"):
        await server.call(Call("1", "die", "{}"))
    await until(lambda: not server.ready.is_set())
    assert server.tools == []
    with pytest.raises(ConnectionError, match="is not there now"):
        await server.call(Call("2", "where_is", '{"order": "7"}'))
    await restart()
    await until(server.ready.is_set)
    assert await server.call(Call("3", "where_is", '{"order": "7"}')) == "Order 7 is in Oslo"
    assert "calls go on without its tools" in caplog.text


@pytest.mark.parametrize(
    ("settings", "fix"),
    [
        (McpSettings(command="/nowhere/a-server"), "correct the command"),
        (McpSettings(url="http://127.0.0.1:9/mcp"), "start it, or correct its address"),
        (McpSettings(command=sys.executable, args=["-c", "raise SystemExit"]), "antiphon doctor"),
    ],
)
async def test_one_that_is_not_there_is_said_once_with_the_fix(
    settings: McpSettings, fix: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = McpServer(settings)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        await until(lambda: fix in caplog.text)
        await asyncio.sleep(0.5)  # a second attempt, which says nothing
        task.cancel()
    assert caplog.text.count("mcp server is not there") == 1
    assert not server.ready.is_set()
