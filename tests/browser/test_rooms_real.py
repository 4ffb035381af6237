"""Two pages in one room of a real server: they hear and read each other, and the agent answers who names it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import expect

from bench.server import Server
from tests.browser.conftest import BrowserPage, OpenPage
from tests.browser.test_call import screenplay
from tests.people import models_missing

pytestmark = [
    pytest.mark.browser,
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

TURNS = "antiphon.state.value.room.turns.size"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as running:
        yield running


async def enter(browser_page: OpenPage, server: Server, name: str, wav: Path) -> BrowserPage:
    tab = await browser_page(wav=wav, permissions=["microphone", "clipboard-read", "clipboard-write"])
    await tab.page.goto(f"{server.url}/?room=kitchen")
    await tab.page.get_by_test_id("own-name").fill(name)
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.connection.value === 'live'", within_s=20)
    await expect(tab.page.get_by_test_id("people")).to_contain_text(f"{name} (you)")
    return tab


async def test_two_people_and_the_agent(server: Server, browser_page: OpenPage, tmp_path: Path) -> None:
    """Words under names on both pages, an answer for both to hear, a line to all, mute, a reload, an invitation."""
    parts: list[tuple[float | str, ...]] = [
        (0.5, "Antiphon, what is the capital of France?", 60.0),
        (8.0, "We could go to the park tomorrow.", 60.0),
    ]
    wavs = [await asyncio.to_thread(screenplay, tmp_path / f"{n}.wav", *part) for n, part in enumerate(parts)]
    ben = await enter(browser_page, server, "Ben", wavs[1])
    anna = await enter(browser_page, server, "Anna", wavs[0])
    await expect(ben.page.get_by_test_id("news")).to_have_text("Anna has come in.")
    await ben.until("antiphon.levels.read('agent').rms_dbfs > -50", within_s=20)
    theirs = ben.page.locator(".entry", has_text="Anna")
    await expect(theirs.get_by_test_id("user-transcript").first).to_contain_text("capital of France", timeout=20_000)
    for tab in (anna, ben):
        await expect(tab.page.get_by_test_id("agent-transcript").first).to_contain_text("Paris", timeout=20_000)
    await expect(anna.page.locator(".entry", has_text="Ben").first).to_contain_text("park", timeout=20_000)
    await anna.page.get_by_test_id("textbox").fill("See <b>you</b>")
    await anna.page.get_by_test_id("textbox").press("Enter")
    await expect(ben.page.locator(".entry.user", has_text="Anna").last).to_contain_text("See <b>you</b>")
    await anna.page.get_by_test_id("mute").click()
    await expect(ben.page.get_by_test_id("member").filter(has_text="Anna")).to_have_attribute("data-muted", "true")
    await anna.page.get_by_test_id("invite").click()
    await expect(anna.page.get_by_text("It lets them in until")).to_be_visible()
    assert "?room=kitchen#token=ek_" in await anna.page.evaluate("navigator.clipboard.readText()")
    you, turns = await anna.page.evaluate(f"[antiphon.state.value.room.you, {TURNS}]")
    await anna.page.reload()
    await anna.page.reload()  # before the first has gone on with the call
    await anna.until("antiphon.state.value.room?.you && antiphon.connection.value === 'live'", within_s=20)
    assert await anna.page.evaluate("antiphon.state.value.room.you") == you, "came back as somebody else"
    assert await anna.page.evaluate(TURNS) >= turns
    await expect(anna.page.locator(".entry", has_text="Ben").first).to_contain_text("park")
    await expect(anna.page.get_by_test_id("mute")).to_have_attribute("data-on", "true")
    await expect(ben.page.get_by_test_id("member")).to_have_count(2)
    await ben.page.get_by_test_id("hangup").click()
    await expect(anna.page.get_by_test_id("member")).to_have_count(1)
    assert anna.unexpected() == []
    assert ben.unexpected() == []


async def test_a_page_that_is_loaded_anew_twice_keeps_its_call(
    server: Server, browser_page: OpenPage, tmp_path: Path
) -> None:
    """However far the first had come when the second began: without a call yet, asking for it, or going on with it."""
    anna = await enter(browser_page, server, "Anna", await asyncio.to_thread(screenplay, tmp_path / "mic.wav", 60.0))
    you = await anna.page.evaluate("antiphon.state.value.room.you")
    for after_s in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
        await anna.page.reload(wait_until="commit")
        await asyncio.sleep(after_s)
        await anna.page.reload()
        await anna.until("antiphon.state.value.room?.you && antiphon.connection.value === 'live'", within_s=20)
        assert await anna.page.evaluate("antiphon.state.value.room.you") == you, "came back as somebody else"
    await expect(anna.page.get_by_test_id("member")).to_have_count(1)
    assert anna.unexpected() == []


async def test_the_other_one_stops_the_answer(server: Server, browser_page: OpenPage, tmp_path: Path) -> None:
    """Anna is told a story; Ben, whom it is not told to, says the agent's name and "stop". Both pages show what was
    never said struck through, and Ben's words are under his name."""
    asks: list[float | str] = [0.5, "Antiphon, please tell me a long story about the sea.", 60.0]
    stops: list[float | str] = [
        part for _ in range(25) for part in ("Antiphon, stop.", 1.0)
    ]  # whenever it speaks, and however briefly
    wavs = [await asyncio.to_thread(screenplay, tmp_path / f"{n}.wav", *part) for n, part in enumerate((asks, stops))]
    ben = await enter(browser_page, server, "Ben", wavs[1])
    await ben.page.get_by_test_id("mute").click()
    await expect(ben.page.get_by_test_id("mute")).to_have_attribute("data-on", "true")
    anna = await enter(browser_page, server, "Anna", wavs[0])
    await ben.until("antiphon.levels.read('agent').rms_dbfs > -50", within_s=20)
    await ben.page.get_by_test_id("mute").click()
    for tab in (ben, anna):
        cut = tab.page.locator('[data-testid="agent-transcript"][data-cut="true"]')
        await expect(cut.first).to_be_attached(timeout=15_000)
        await expect(tab.page.get_by_test_id("unheard").first).to_be_attached()
    await expect(anna.page.locator(".entry", has_text="Ben").first).to_contain_text(
        re.compile("stop", re.I), timeout=10_000
    )
    await anna.page.screenshot(path="tests/artifacts/room-interrupted.png")
    assert anna.unexpected() == []
    assert ben.unexpected() == []


async def test_who_listens_is_asked_for_no_microphone(server: Server, browser_page: OpenPage, tmp_path: Path) -> None:
    """The token says it: the door, too, and the others are heard."""
    says: list[float | str] = [part for _ in range(20) for part in (1.0, "Let us take the train.")]
    wav = await asyncio.to_thread(screenplay, tmp_path / "mic.wav", *says)
    await enter(browser_page, server, "Ben", wav)
    wanted = {"antiphon": {"room": "kitchen", "name": "Zoë", "role": "listen"}}
    async with aiohttp.ClientSession(server.url) as http:
        token = (await (await http.post("/v1/realtime/client_secrets", json=wanted)).json())["value"]
    tab = await browser_page(fake_ui=False)
    await tab.page.goto(f"{server.url}/?room=kitchen#token={token}")
    await expect(tab.page.get_by_test_id("listens")).to_contain_text("nobody hears you")
    await expect(tab.page.get_by_test_id("try-microphone")).to_have_count(0)
    await tab.page.get_by_test_id("start").click()
    await expect(tab.page.get_by_test_id("people")).to_contain_text("Zoë (you) listening only", timeout=20_000)
    await tab.until("antiphon.levels.read('agent').rms_dbfs > -50", within_s=20)
    await expect(tab.page.locator(".entry", has_text="Ben").first).to_contain_text("train", timeout=20_000)
    assert await tab.page.evaluate("antiphon.microphone.stream.value") is None
    assert tab.unexpected() == []


async def test_a_page_that_crashes_is_missed_and_nothing_else_happens(
    server: Server, browser_page: OpenPage, tmp_path: Path
) -> None:
    """Who stays sees it, is answered, and meets again who opens another page."""
    parts: list[tuple[float | str, ...]] = [(14.0, "Antiphon, what is the capital of France?", 60.0), (60.0,)]
    wavs = [await asyncio.to_thread(screenplay, tmp_path / f"{n}.wav", *part) for n, part in enumerate(parts)]
    anna = await enter(browser_page, server, "Anna", wavs[0])
    ben = await enter(browser_page, server, "Ben", wavs[1])
    with pytest.raises(PlaywrightError):
        await ben.page.goto("chrome://crash")
    members = anna.page.get_by_test_id("member")
    await expect(members.filter(has_text="Ben")).to_contain_text("connection lost", timeout=20_000)
    await anna.until("antiphon.levels.read('agent').rms_dbfs > -50", within_s=30)
    again = await ben.page.context.new_page()
    await again.goto(f"{server.url}/?room=kitchen")
    await again.get_by_test_id("own-name").fill("Ben")
    await again.get_by_test_id("start").click()
    await expect(members.filter(has_text="Ben 2")).to_be_visible(timeout=20_000)
    await expect(again.get_by_test_id("people")).to_contain_text("Ben 2 (you)")
    assert anna.unexpected() == []
