"""A browser in networks that do not help: one breaks under the call, through the other only TURN gets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.async_api import expect

from bench.server import Server
from tests.browser.conftest import BrowserPage, OpenPage
from tests.browser.test_call import screenplay
from tests.coturn import SECRET, coturn, free_port, needs_coturn
from tests.people import models_missing
from tests.scripted_llm import ScriptedLLM, scripted_llm

pytestmark = [
    pytest.mark.browser,
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
COUNT = " ".join(f"Here comes number {number}." for number in NUMBERS)


@pytest.fixture
async def llm() -> AsyncIterator[ScriptedLLM]:
    async with scripted_llm(lambda _: COUNT) as running:
        yield running


def network_service() -> psutil.Process:
    """The process in which the Chromium of this test has all its sockets; it starts another when it dies."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if any("network.mojom.NetworkService" in part for part in process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    assert len(found) == 1, found
    return found[0]


async def test_a_network_that_breaks_is_left_behind(llm: ScriptedLLM, browser_page: OpenPage, tmp_path: Path) -> None:
    """In the middle of an answer every socket of the browser is gone, without a goodbye, as between two networks: the
    page connects anew by itself, what was said stays, and the answer is heard to its end."""
    wav = await asyncio.to_thread(screenplay, tmp_path / "mic.wav", 1.5, "Please count up to twelve for me.", 60.0)
    settings = {
        "ANTIPHON__LLM__URL": llm.url,
        "ANTIPHON__LLM__MODEL": "scripted",
        "ANTIPHON__LIMITS__PEER_GONE_S": "1.5",
    }
    async with Server(settings) as server:
        tab = await browser_page(wav=wav)
        await tab.page.goto(server.url)
        await tab.page.get_by_test_id("start").click()
        answer = tab.page.get_by_test_id("agent-transcript").first
        await expect(answer).to_contain_text("number two", timeout=30_000)
        await asyncio.to_thread(lambda: network_service().kill())
        await tab.until("antiphon.connection.value === 'interrupted'", within_s=20)
        await tab.until("antiphon.levels.read('agent').rms_dbfs < -60", within_s=5)
        await tab.until("antiphon.connection.value === 'live'", within_s=10)
        await tab.until("antiphon.levels.read('agent').rms_dbfs > -50", within_s=10)
        await expect(answer).to_contain_text("number twelve", timeout=40_000)
        assert await answer.get_attribute("data-cut") in (None, "false")
        question = tab.page.get_by_test_id("user-transcript")
        await expect(question).to_have_count(1)
        await expect(question).to_contain_text("count")
        assert len(llm.requests) < 4, "the answer was begun again"
        assert await server.counter("antiphon_calls_active") == 1
        await tab.page.get_by_test_id("hangup").click()
        await server.calls_over(5.0)
        assert tab.unexpected("net::ERR_") == []


def asked(tab: BrowserPage) -> list[tuple[str, str]]:
    """Requests to the server from now on: method and address."""
    seen: list[tuple[str, str]] = []
    tab.page.on("request", lambda request: seen.append((request.method, request.url)))
    return seen


IMPATIENT = """
const usual = window.setTimeout;
window.setTimeout = (run, ms, ...rest) => usual(run, ms === 1000 ? 0 : ms, ...rest);
"""
"""The page waits a second for candidates; so it does not wait for any."""


@pytest.fixture
def turn_port() -> Iterator[int]:
    port = free_port()
    with coturn(port, options=["--allow-loopback-peers"]):
        yield port


@needs_coturn
@pytest.mark.parametrize("late", [False, True], ids=["in the offer", "after the offer"])
async def test_a_call_goes_by_turn_alone(browser_page: OpenPage, tmp_path: Path, turn_port: int, late: bool) -> None:
    """Both ends have nothing but a TURN server; the page learns of it, and of its password, from the server."""
    wav = await asyncio.to_thread(screenplay, tmp_path / "mic.wav", 4.0, "What is the capital of France?", 20.0)
    settings = {
        "ANTIPHON__ICE__SERVERS": json.dumps([f"turn:127.0.0.1:{turn_port}?transport=udp"]),
        "ANTIPHON__ICE__TURN_SECRET": SECRET,
        "ANTIPHON__ICE__RELAY_ONLY": "true",
    }
    async with Server(settings) as server:
        tab = await browser_page(wav=wav)
        seen = asked(tab)
        if late:
            await tab.page.add_init_script(IMPATIENT)
        await tab.page.goto(server.url)
        await tab.page.get_by_test_id("start").click()
        await tab.until("antiphon.connection.value === 'live'", within_s=15)
        await expect(tab.page.get_by_test_id("agent-transcript").first).to_contain_text("Paris", timeout=30_000)
        await tab.until("antiphon.stats.value?.path === 'relay'")
        methods = [method for method, url in seen if "/v1/realtime/calls" in url]
        assert methods.count("OPTIONS") == 1
        assert ("PATCH" in methods) == late
        await tab.page.get_by_test_id("hangup").click()
        assert tab.unexpected() == []
