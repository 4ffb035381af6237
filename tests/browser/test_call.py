"""A real call from Chromium: a recording is the microphone, the embedded models answer."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import expect

from agent.audio import WIRE_RATE, write_wav
from agent.caller import trimmed
from bench.server import Server
from bench.speech import spoken
from signaling.tokens import Tokens
from tests.browser.conftest import OpenPage
from tests.people import models_missing

pytestmark = [
    pytest.mark.browser,
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as running:
        yield running


def screenplay(path: Path, *scenes: float | str) -> Path:
    """Seconds of silence and sentences, as one recording."""
    parts = [
        np.zeros(round(scene * WIRE_RATE), np.int16) if isinstance(scene, float) else trimmed(spoken(scene).pcm)
        for scene in scenes
    ]
    write_wav(path, np.concatenate(parts), WIRE_RATE)
    return path


async def test_a_question_is_answered_aloud(server: Server, browser_page: OpenPage, tmp_path: Path) -> None:
    wav = await asyncio.to_thread(screenplay, tmp_path / "mic.wav", 1.5, "What is the capital of France?", 20.0)
    tab = await browser_page(wav=wav)
    await tab.page.goto(server.url)
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    await tab.until("antiphon.levels.read('agent').rms_dbfs > -50", within_s=20)
    await expect(tab.page.get_by_test_id("user-transcript").first).to_contain_text("capital of France", timeout=10_000)
    await expect(tab.page.get_by_test_id("agent-transcript").first).to_contain_text("Paris", timeout=10_000)
    latency = tab.page.get_by_test_id("latency")
    await expect(latency).to_have_attribute("data-audible-ms", re.compile(r"^\d+$"), timeout=20_000)
    await tab.page.screenshot(path="tests/artifacts/call.png")
    await tab.page.get_by_test_id("hangup").click()
    await expect(tab.page.get_by_test_id("start")).to_be_visible(timeout=10_000)
    assert tab.unexpected() == []


async def test_speaking_over_the_answer_stops_it(server: Server, browser_page: OpenPage, tmp_path: Path) -> None:
    wav = await asyncio.to_thread(
        screenplay,
        tmp_path / "mic.wav",
        *(1.5, "Please tell me a long story about the sea.", 3.5),
        *("Stop, please. I have heard enough of that now.", 20.0),
    )
    tab = await browser_page(wav=wav)
    await tab.page.goto(server.url)
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.levels.read('agent').rms_dbfs > -50", within_s=20)
    cut = tab.page.locator('[data-testid="agent-transcript"][data-cut="true"]')
    await expect(cut.first).to_be_attached(timeout=20_000)
    await expect(tab.page.get_by_test_id("unheard").first).to_be_attached()
    await tab.page.screenshot(path="tests/artifacts/barge-in.png")
    assert tab.unexpected() == []


async def test_a_page_that_is_loaded_anew_goes_on(server: Server, browser_page: OpenPage, tmp_path: Path) -> None:
    """In the middle of an answer: what was said is there again, and the answer is heard to its end."""
    wav = await asyncio.to_thread(
        screenplay, tmp_path / "mic.wav", 4.0, "Please tell me a long story about the sea.", 20.0
    )
    tab = await browser_page(wav=wav)
    await tab.page.goto(server.url)
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.levels.read('agent').rms_dbfs > -50", within_s=20)
    await tab.page.reload()
    await tab.until("antiphon.connection.value === 'live'", within_s=10)
    await expect(tab.page.get_by_test_id("user-transcript").first).to_contain_text("the sea", timeout=5_000)
    await tab.until("antiphon.state.value.lines.some((line) => line.kind === 'agent' && line.text)", within_s=5)
    assert await server.counter("antiphon_calls_active") == 1
    await tab.page.screenshot(path="tests/artifacts/reload.png")
    await tab.page.get_by_test_id("hangup").click()
    await expect(tab.page.get_by_test_id("start")).to_be_visible(timeout=10_000)
    await server.calls_over(5.0)
    assert tab.unexpected() == []


async def test_a_page_that_had_no_time_to_say_goodbye_goes_on_and_its_copy_does_not(
    server: Server, browser_page: OpenPage, tmp_path: Path
) -> None:
    """As after a crash: nothing is told to the page before. A tab that was duplicated leaves the call to the first."""
    wav = await asyncio.to_thread(screenplay, tmp_path / "mic.wav", 30.0)
    tab = await browser_page(wav=wav)
    await tab.page.add_init_script("addEventListener('pagehide', (event) => event.stopImmediatePropagation(), true)")
    await tab.page.goto(server.url)
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    calls = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/calls'))"
    address = await tab.page.evaluate("JSON.parse(sessionStorage.getItem('antiphon.call')).location")
    async with tab.page.context.expect_page() as opened:
        await tab.page.evaluate("void window.open(location.href)")
    copy = await opened.value
    await expect(copy.get_by_test_id("start")).to_be_enabled()
    await asyncio.sleep(1.0)  # it would ask for the call within half of that
    assert await copy.evaluate(calls) == []
    assert await tab.page.evaluate("antiphon.connection.value") == "live"
    await tab.page.reload()
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    assert await tab.page.evaluate("JSON.parse(sessionStorage.getItem('antiphon.call')).location") == address
    assert await server.counter("antiphon_calls_active") == 1
    await tab.page.get_by_test_id("hangup").click()
    await tab.page.reload()
    await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    await server.calls_over(5.0)
    assert tab.unexpected() == []


async def test_a_server_with_keys_lets_in_who_has_one(browser_page: OpenPage, tmp_path: Path) -> None:
    """A wrong token, an expired one, an invitation: the page says which, and shows none in its address."""
    key = "a key of sixteen"
    tokens = Tokens([key])
    wav = await asyncio.to_thread(screenplay, tmp_path / "mic.wav", 20.0)
    async with Server({"ANTIPHON__SERVER__KEYS": json.dumps([key])}) as server:
        tab = await browser_page(wav=wav)
        await tab.page.goto(server.url)
        await tab.page.get_by_test_id("start").click()
        problem = tab.page.get_by_test_id("problem")
        await expect(problem).to_contain_text("answers only callers that it knows", timeout=10_000)
        for token, words in (("wrong", "not one of the server's"), (tokens.issue(seconds=-1)[0], "has expired")):
            await tab.page.get_by_test_id("token").fill(token)
            await tab.page.get_by_test_id("token").press("Enter")
            await expect(problem).to_contain_text(words, timeout=10_000)
        await tab.page.screenshot(path="tests/artifacts/token.png")
        await tab.page.goto(f"{server.url}/#token={tokens.issue()[0]}")
        await tab.page.reload()
        assert "token" not in tab.page.url
        await tab.page.get_by_test_id("start").click()
        await tab.until("antiphon.connection.value === 'live'", within_s=15)
        await tab.page.get_by_test_id("hangup").click()
