"""What the page asks of a real server, with the embedded models: push to talk, and answers in writing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from bench.server import Server
from tests.browser.conftest import OpenPage
from tests.browser.test_call import screenplay
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


async def test_a_pause_is_no_end_while_space_is_held(server: Server, browser_page: OpenPage, tmp_path: Path) -> None:
    """Two seconds of silence would have been answered twice over; letting go is answered at once, and the next turn
    is the ear's again."""
    wav = await asyncio.to_thread(screenplay, tmp_path / "mic.wav", 2.5, "What is the capital of France?", 40.0)
    tab = await browser_page(wav=wav)
    await tab.page.goto(server.url)
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    await tab.page.keyboard.down(" ")
    await tab.until("antiphon.state.value.phase === 'hearing'", within_s=10)
    await tab.until("antiphon.state.value.phase === 'paused'", within_s=10)
    await asyncio.sleep(2.5)
    assert await tab.page.evaluate("antiphon.state.value.phase") == "paused", "the pause ended the turn"
    await tab.page.keyboard.up(" ")
    await tab.until("antiphon.levels.read('agent').rms_dbfs > -50", within_s=15)
    await expect(tab.page.get_by_test_id("user-transcript").first).to_contain_text("capital of France", timeout=10_000)
    await expect(tab.page.get_by_test_id("agent-transcript").first).to_contain_text("Paris", timeout=10_000)
    await tab.until("antiphon.state.value.session.audio.input.turn_detection !== null")
    await tab.page.get_by_test_id("hangup").click()
    await expect(tab.page.get_by_test_id("start")).to_be_visible(timeout=10_000)
    assert tab.unexpected() == []


async def test_settings_of_the_page_are_taken_by_the_server(
    server: Server, browser_page: OpenPage, tmp_path: Path
) -> None:
    """All of them together, one after the other, none refused; and an answer in writing can be read."""
    wav = await asyncio.to_thread(screenplay, tmp_path / "mic.wav", 20.0)
    tab = await browser_page(wav=wav)
    await tab.page.goto(server.url)
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.state.value.session !== null", within_s=15)
    await tab.page.get_by_test_id("open-settings").click()
    voice = tab.page.get_by_test_id("voice")
    await expect(voice.locator("option").nth(1)).to_be_attached()
    await voice.select_option(index=1)
    await tab.page.get_by_test_id("speed").select_option("1.25")
    await tab.page.get_by_test_id("instructions").fill("Answer in one word.")
    for patience in ("quick", "calm", "patient", "fixed"):
        await tab.page.get_by_test_id("patience").select_option(patience)
    await tab.page.get_by_test_id("idle").fill("30")
    await tab.page.get_by_test_id("longest").fill("60")
    await tab.page.get_by_test_id("interruptible").uncheck()
    await tab.page.get_by_test_id("written").check()
    detection = "antiphon.state.value.session.audio.input.turn_detection"
    await tab.until(f"{detection}.silence_duration_ms === 700 && {detection}.idle_timeout_ms === 30000")
    await tab.until(f"{detection}.interrupt_response === false")
    await tab.until("antiphon.state.value.session.audio.output.speed === 1.25")
    await tab.until("antiphon.state.value.session.max_output_tokens === 60")
    await tab.until("antiphon.state.value.session.output_modalities[0] === 'text'")
    await tab.until("antiphon.state.value.session.instructions === 'Answer in one word.'")
    await tab.page.get_by_test_id("settings-close").click()
    await tab.page.get_by_test_id("textbox").fill("What is the capital of France?")
    await tab.page.get_by_test_id("textbox").press("Enter")
    await expect(tab.page.get_by_test_id("agent-transcript").first).to_contain_text("Paris", timeout=15_000)
    await expect(tab.page.get_by_test_id("refusal")).to_have_count(0)
    assert await tab.page.evaluate("antiphon.levels.read('agent').rms_dbfs") < -60
    await tab.page.get_by_test_id("open-settings").click()
    await tab.page.get_by_test_id("reset").click()
    await tab.until("antiphon.state.value.session.output_modalities[0] === 'audio'")
    await tab.until(f"{detection}.silence_duration_ms !== 700")
    await expect(tab.page.get_by_role("dialog").get_by_role("alert")).to_have_count(0)
    assert tab.unexpected() == []
