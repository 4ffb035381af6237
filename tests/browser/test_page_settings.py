"""Settings: told to the server at once and at the beginning of each call, remembered, and refused one by one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import expect

from agent.realtime import events
from agent.realtime.wire import ErrorBody
from tests.browser.conftest import BrowserPage, OpenPage
from tests.browser.test_page_offline import HTTP_ERROR, server
from tests.browser.test_page_scripted import ScriptedServer, Serve, barge_in, call, scripted
from tests.browser.test_page_talk_keys import DETECTION, SESSION

__all__ = ["scripted"]  # the fixture
pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]


async def updates(scripted: ScriptedServer, count: int) -> list[dict[str, Any]]:
    """What the next `session.update`s change."""
    found = []
    for _ in range(count):
        event = await scripted.next()
        assert event["type"] == "session.update", event
        assert event["session"].pop("type") == "realtime"
        found.append(event["session"])
    return found


async def opened(tab: BrowserPage) -> None:
    await tab.page.get_by_test_id("open-settings").click()
    await expect(tab.page.get_by_role("dialog", name="Settings")).to_be_visible()


async def test_a_change_holds_at_once_and_is_undone_together(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    app = scripted.application()

    async def voices(_: web.Request) -> web.Response:
        return web.json_response({"voices": [{"id": "hibari"}, {"id": "alloy"}]})

    app.router.add_get("/v1/audio/voices", voices)
    tab = await browser_page()
    await tab.page.goto(await serve(app))
    await tab.page.get_by_test_id("start").click()
    await scripted.send(events.SessionCreated(session=SESSION))
    await tab.until("antiphon.state.value.usual !== null", within_s=15)
    await opened(tab)
    await expect(tab.page.get_by_test_id("instructions")).to_have_attribute("placeholder", "Be kind.")
    await tab.page.get_by_test_id("voice").select_option("alloy")
    await tab.page.get_by_test_id("speed").select_option("1.25")
    await tab.page.get_by_test_id("language").select_option("nl")
    await tab.page.get_by_test_id("instructions").fill("Rhyme.")
    await tab.page.get_by_test_id("instructions").press("Tab")
    await tab.page.get_by_test_id("longest").fill("120")
    await tab.page.get_by_test_id("longest").press("Tab")
    await tab.page.get_by_test_id("patience").select_option("patient")
    assert await updates(scripted, 6) == [
        {"audio": {"output": {"voice": "alloy"}}},
        {"audio": {"output": {"speed": 1.25}}},
        {"audio": {"input": {"transcription": {"language": "nl"}}}},
        {"instructions": "Rhyme."},
        {"max_output_tokens": 120},
        {
            "audio": {
                "input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low", "interrupt_response": True}}
            }
        },
    ]
    await tab.page.get_by_test_id("reset").click()
    back = await updates(scripted, 6)
    assert {"instructions": "Be kind."} in back
    assert {"audio": {"output": {"voice": None}}} in back
    assert {"max_output_tokens": "inf"} in back
    assert {"audio": {"input": {"turn_detection": DETECTION}}} in back
    await expect(tab.page.get_by_test_id("instructions")).to_have_value("")
    assert tab.unexpected(HTTP_ERROR) == []


async def test_what_was_chosen_before_a_call_is_its_beginning(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """Also after the page was closed; and a number that can not be is not taken."""
    tab = await browser_page()
    await tab.page.goto(await serve(scripted.application()))
    await opened(tab)
    await tab.page.get_by_test_id("patience").select_option("fixed")
    await tab.page.get_by_test_id("silence").fill("900")
    await tab.page.get_by_test_id("silence").press("Tab")
    await tab.page.get_by_test_id("longest").fill("3")
    await tab.page.get_by_test_id("longest").press("Tab")
    await tab.page.get_by_test_id("instructions").fill("Rhyme.")
    await tab.page.keyboard.press("Escape")
    await expect(tab.page.get_by_role("dialog")).to_have_count(0)
    await tab.page.reload()
    await opened(tab)
    await expect(tab.page.get_by_test_id("instructions")).to_have_value("Rhyme.")
    await expect(tab.page.get_by_test_id("longest")).to_have_value("")
    await tab.page.keyboard.press("Escape")
    await tab.page.get_by_test_id("start").click()
    await scripted.send(events.SessionCreated(session=SESSION))
    detection = {**DETECTION, "silence_duration_ms": 900}
    assert await updates(scripted, 2) == [
        {"instructions": "Rhyme."},
        {"audio": {"input": {"turn_detection": detection}}},
    ]
    assert tab.unexpected(HTTP_ERROR) == []


async def test_what_is_being_typed_stays_while_the_call_goes_on(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await call(scripted, serve, browser_page)
    await scripted.send(events.SessionCreated(session=SESSION))
    await opened(tab)
    await tab.page.get_by_test_id("instructions").fill("Rhy")
    await scripted.send(*barge_in(), events.SessionUpdated(session=SESSION))
    await expect(tab.page.get_by_test_id("unheard")).to_be_attached()
    await tab.page.get_by_test_id("instructions").press_sequentially("me.")
    await expect(tab.page.get_by_test_id("instructions")).to_have_value("Rhyme.")
    await tab.page.keyboard.press("Escape")
    assert await updates(scripted, 1) == [{"instructions": "Rhyme."}]
    assert tab.unexpected(HTTP_ERROR) == []


async def test_a_refused_setting_is_told_in_the_dialog(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await call(scripted, serve, browser_page)
    await scripted.send(events.SessionCreated(session=SESSION))
    await opened(tab)
    await tab.page.get_by_test_id("language").select_option("ja")
    message = "The recogniser does not know 'ja'."
    error = ErrorBody(type="invalid_request_error", code="invalid_value", message=message)
    await scripted.send(events.Error(error=error))
    await expect(tab.page.get_by_role("dialog").get_by_role("alert")).to_have_text(message)
    assert tab.unexpected(HTTP_ERROR) == []


async def test_the_page_speaks_the_browser_s_language_or_the_chosen_one(serve: Serve, browser_page: OpenPage) -> None:
    tab = await browser_page(locale="de-AT")
    await tab.page.goto(await serve(server()))
    await expect(tab.page.get_by_test_id("start")).to_have_text("Jetzt sprechen")
    await expect(tab.page.locator("html")).to_have_attribute("lang", "de")
    await tab.page.get_by_test_id("open-settings").click()
    await tab.page.get_by_test_id("page-language").select_option("en")
    await expect(tab.page.get_by_role("heading", name="Settings")).to_be_visible()
    await tab.page.reload()
    await expect(tab.page.get_by_test_id("start")).to_have_text("Start talking")
    await expect(tab.page.locator("html")).to_have_attribute("lang", "en")
    assert tab.unexpected(HTTP_ERROR) == []


async def test_chosen_colours_are_there_before_the_page_is(serve: Serve, browser_page: OpenPage) -> None:
    """With the page's script held back, nothing but the background can be seen, and it is the chosen one."""
    background = "getComputedStyle(document.body).backgroundColor"
    tab = await browser_page(color_scheme="light")
    await tab.page.goto(await serve(server()))
    light = await tab.page.evaluate(background)
    await opened(tab)
    await tab.page.get_by_test_id("theme").select_option("dark")
    dark = await tab.page.evaluate(background)
    assert dark != light
    held = asyncio.Event()

    async def hold(route: Any) -> None:
        await held.wait()
        await route.continue_()

    await tab.page.route("**/app.js", hold)
    await tab.page.reload(wait_until="commit")
    await tab.until("document.body !== null && document.styleSheets.length > 0")
    assert await tab.page.evaluate(background) == dark
    assert await tab.page.evaluate("document.getElementById('app').childElementCount") == 0
    held.set()
    await expect(tab.page.get_by_test_id("start")).to_be_visible()
    assert await tab.page.evaluate(background) == dark
    assert tab.unexpected(HTTP_ERROR) == []


async def test_words_are_as_large_and_as_loud_as_they_were_chosen(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """Screen readers read the agent's words only if they are asked to: the voice says them already."""
    tab = await call(scripted, serve, browser_page)
    await scripted.send(*barge_in())
    said = tab.page.get_by_test_id("agent-transcript")
    entry = tab.page.locator("article.entry.agent")
    await expect(entry).to_have_attribute("aria-live", "off")
    size = "parseFloat(getComputedStyle(document.querySelector('[data-testid=agent-transcript]')).fontSize)"
    before = await tab.page.evaluate(size)
    await opened(tab)
    await tab.page.get_by_test_id("caption-size").select_option("larger")
    await tab.page.get_by_test_id("caption-place").select_option("before")
    await tab.page.get_by_test_id("announce").check()
    await tab.page.get_by_test_id("settings-close").click()
    await expect(said).to_be_visible()
    assert await tab.page.evaluate(size) > 1.5 * before
    words, phase = await said.bounding_box(), await tab.page.get_by_test_id("phase").bounding_box()
    assert words is not None
    assert phase is not None
    assert words["x"] < phase["x"]
    await expect(entry).not_to_have_attribute("aria-live", "off")
    assert tab.unexpected(HTTP_ERROR) == []
