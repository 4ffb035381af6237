"""Chromium for tests: one launch per scenario, because the fake microphone is fixed when it starts."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import playwright
import pytest
from aiohttp import web
from blockbuster import BlockBuster
from playwright.async_api import ConsoleMessage, Page, async_playwright
from playwright.async_api import Error as PlaywrightError

from bench.browser import CHROMIUM, HAS_CHROMIUM, KEEP_PEERS, STATS, flags
from bench.server import Server

PLAYWRIGHT_FILES = [path.name for path in (Path(playwright.__file__).parent / "_impl").glob("*.py")]
ARTIFACTS = Path(__file__).parents[1] / "artifacts"
LOOK_S = 5.0
"""How long a page that failed may take to be looked at."""

_outcome = pytest.StashKey[dict[str, pytest.TestReport]]()


@dataclass
class BrowserPage:
    """One tab, and what was observed of it."""

    page: Page
    console: list[str] = field(default_factory=list)
    """``type: text`` of each message, uncaught exceptions included"""
    requests: list[str] = field(default_factory=list)
    """the address of every request"""

    async def until(self, expression: str, within_s: float = 10.0) -> None:
        """Waits until a JavaScript expression is true.

        Not `Page.wait_for_function`: that evaluates a string inside the page, which its CSP forbids.
        """
        poll = f"new Promise(done => {{ (function look() {{ ({expression}) ? done() : setTimeout(look, 20) }})() }})"
        async with asyncio.timeout(within_s):
            await self.page.evaluate(poll)

    def unexpected(self, *expected: str) -> list[str]:
        """Errors and warnings in the console that match none of the regular expressions."""
        bad = [line for line in self.console if line.startswith(("error", "warning", "exception"))]
        return [line for line in bad if not any(re.search(pattern, line) for pattern in expected)]


class OpenPage(Protocol):
    """The `browser_page` fixture."""

    async def __call__(
        self, wav: Path | None = None, *, fake_ui: bool = True, fake_device: bool = True, **context: Any
    ) -> BrowserPage:
        """Launch Chromium and open an empty tab.

        :param wav: absolute path of 48 kHz mono 16-bit sound; played once, from
            getUserMedia on. None: Chromium's beeps.
        :param fake_ui: say yes to the microphone. False: it is refused (`NotAllowedError`).
        :param fake_device: there is a microphone. False: there is none (`NotFoundError`).
        :param context: for ``Browser.new_context``: viewport, color_scheme, has_touch, …
        """
        ...


class _AnyName:
    """Holds the name of every function."""

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __contains__(self, name: object) -> bool:
        return True


@pytest.fixture(autouse=True)
def loop_never_blocks(loop_never_blocks: BlockBuster | None) -> BlockBuster | None:
    """As everywhere, except that Playwright may look for its own driver: it is no part of the product."""
    if loop_never_blocks is not None:
        for function in loop_never_blocks.functions.values():
            for name in PLAYWRIGHT_FILES:
                function.can_block_in(f"playwright/_impl/{name}", _AnyName())
    return loop_never_blocks


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash.setdefault(_outcome, {})[report.when] = report
    return report


@pytest.fixture(autouse=True)  # before the fixtures that start one
def servers(monkeypatch: pytest.MonkeyPatch) -> list[Server]:
    """Every server process that the test starts, also those that have ended."""
    started: list[Server] = []
    usual = Server.__init__

    def begin(self: Server, *args: Any, **kwargs: Any) -> None:
        usual(self, *args, **kwargs)
        started.append(self)

    monkeypatch.setattr(Server, "__init__", begin)
    return started


@pytest.fixture
def traces(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, servers: list[Server]
) -> Iterator[dict[str, bytes]]:
    """What a test leaves behind in ``tests/artifacts/``, by file name; written when its loop has stopped.

    A test that fails leaves what its servers printed, and what those in its own process logged.
    """
    caplog.set_level(logging.INFO)
    left: dict[str, bytes] = {}
    yield left
    if _failed(request.node):
        logged = [report.caplog for report in request.node.stash[_outcome].values()]
        printed = "\n".join([*logged, *(server.log() for server in servers)])
        left[f"{_stem(request.node)}.server.log"] = printed.encode()
    for name, content in left.items():
        ARTIFACTS.mkdir(exist_ok=True)
        (ARTIFACTS / name).write_bytes(content)


def _failed(item: pytest.Item) -> bool:
    return any(report.failed for report in item.stash.get(_outcome, {}).values())


def _stem(item: pytest.Item) -> str:
    return re.sub(r"[^\w.-]+", "_", item.name)


@pytest.fixture
async def browser_page(request: pytest.FixtureRequest, traces: dict[str, bytes]) -> AsyncIterator[OpenPage]:
    """Opens tabs; of each a test that fails leaves screenshot, console and getStats in ``tests/artifacts/``."""
    if not HAS_CHROMIUM:
        pytest.skip(f"no browser: {CHROMIUM} is missing (apt-get install chromium)")
    opened: list[BrowserPage] = []
    async with async_playwright() as library:

        async def open_page(
            wav: Path | None = None, *, fake_ui: bool = True, fake_device: bool = True, **context: Any
        ) -> BrowserPage:
            arguments = flags(wav, fake_ui=fake_ui, fake_device=fake_device)
            browser = await library.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=arguments)
            window = await browser.new_context(**context)
            await window.add_init_script(KEEP_PEERS)
            tab = BrowserPage(await window.new_page())
            opened.append(tab)
            _observe(tab)
            return tab

        yield open_page
        for number, tab in enumerate(opened):
            if _failed(request.node):
                for ending, content in (await _look(tab)).items():
                    traces[f"{_stem(request.node)}-{number}.{ending}"] = content
            if browser := tab.page.context.browser:
                await browser.close()


async def _look(tab: BrowserPage) -> dict[str, bytes]:
    """What can be seen of a tab, by file ending. A tab that is gone leaves why it can not be seen."""
    seen = {"console.log": "\n".join([*tab.console, "", *tab.requests, ""]).encode()}
    try:
        async with asyncio.timeout(LOOK_S):
            seen["png"] = await tab.page.screenshot()
            seen["stats.json"] = json.dumps(await tab.page.evaluate(STATS), indent=1).encode()
    except (TimeoutError, PlaywrightError) as error:
        seen["console.log"] += f"not all could be looked at: {error!r}\n".encode()
    return seen


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[web.Application], Awaitable[str]]]:
    """Serves applications on free loopback ports; calling it returns the address, with a slash at the end."""
    runners: list[web.AppRunner] = []

    async def start(app: web.Application) -> str:
        runner = web.AppRunner(app)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}/"

    yield start
    for runner in runners:
        await runner.cleanup()


def _observe(tab: BrowserPage) -> None:
    def said(message: ConsoleMessage) -> None:
        tab.console.append(f"{message.type}: {message.text}")

    tab.page.on("console", said)
    tab.page.on("pageerror", lambda error: tab.console.append(f"exception: {error}"))
    tab.page.on("request", lambda request: tab.requests.append(request.url))
