"""A whole call by keyboard: what has the focus can be seen, and nothing needs a mouse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from playwright.async_api import expect

from agent.realtime import events
from agent.realtime.wire import InputText, MessageItem
from tests.browser.conftest import BrowserPage, OpenPage
from tests.browser.test_page_scripted import ScriptedServer, caption, delta, scripted
from tests.browser.test_room_page import crowd, state

__all__ = ["scripted"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

Serve = Callable[[web.Application], Awaitable[str]]
MOST_STOPS = 40
"""More stops than any view has."""
FOCUSED = """(() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return { on: document.activeElement.outerHTML.slice(0, 200),
           id: document.activeElement.closest('[data-testid]')?.dataset.testid ?? document.activeElement.className,
           seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
})()"""


async def tab_to(tab: BrowserPage, wanted: str, *, key: str = "Tab") -> None:
    """Presses Tab until the element of this test id or class has the focus; every stop on the way shows that it has."""
    stops = []
    for _ in range(MOST_STOPS):
        await tab.page.keyboard.press(key)
        focused = await tab.page.evaluate(FOCUSED)
        if focused["on"].startswith("<body"):
            continue  # around the window's own bar
        assert focused["seen"], f"the focus is not to be seen on {focused['on']}"
        if focused["id"] == wanted:
            return
        stops.append(focused["id"])
    pytest.fail(f"Tab does not come to {wanted}, but to {stops}")


async def test_from_the_lobby_to_the_transcript(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage) -> None:
    """With Tab, Enter and Space: the microphone tried, a call, muted, a question typed, its answer read and stopped."""
    tab = await browser_page()
    await tab.page.goto(await serve(scripted.application()))
    await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    press = tab.page.keyboard.press

    await tab.page.get_by_text("Check the microphone").evaluate("(summary) => { summary.className = 'check-it' }")
    await tab_to(tab, "check-it")
    await press("Space")
    await tab_to(tab, "try-microphone")
    await press("Enter")
    await tab.until("antiphon.levels.read('microphone').rms_dbfs > -40")
    await tab_to(tab, "device")
    await tab_to(tab, "start", key="Shift+Tab")
    await press("Enter")
    await tab.until("antiphon.connection.value === 'live'", within_s=15)

    await tab_to(tab, "mute")
    for muted in ("true", "false"):
        await press("Space")
        await expect(tab.page.get_by_test_id("mute")).to_have_attribute("data-on", muted)

    await tab_to(tab, "textbox", key="Shift+Tab")
    await tab.page.keyboard.type("When is the next train to Ghent?")
    await press("Enter")
    created = await scripted.next()
    assert created["item"]["content"][0]["text"] == "When is the next train to Ghent?"
    assert (await scripted.next())["type"] == "response.create"
    item = MessageItem(id="u1", status="completed", role="user", content=[InputText(text="When is the next train?")])
    answer = "The next train to Ghent leaves at ten past four, from platform nine. " * 40
    await scripted.send(events.ItemAdded(item=item), events.Phase(phase="speaking"), delta(answer.strip()))
    await scripted.send(caption("a1", "assistant", answer.strip()))

    await tab_to(tab, "transcript", key="Shift+Tab")
    await expect(tab.page.get_by_test_id("agent-transcript")).to_contain_text("from platform nine")
    box = tab.page.locator(".transcript")
    await tab.until("document.querySelector('.transcript').scrollTop > 0")
    await press("Home")
    await tab.until("document.querySelector('.transcript').scrollTop === 0")
    await expect(tab.page.get_by_test_id("user-transcript")).to_be_in_viewport()
    await press("PageDown")
    await tab.until("document.querySelector('.transcript').scrollTop > 0")
    await expect(box).to_be_focused()

    await tab_to(tab, "interrupt")
    await press("Enter")
    assert [(await scripted.next())["type"] for _ in range(2)] == ["response.cancel", "output_audio_buffer.clear"]
    await scripted.send(caption("a1", "assistant", answer[:48], final=True), events.Phase(phase="idle"))
    await expect(tab.page.get_by_test_id("unheard")).to_be_attached()

    await tab_to(tab, "hangup")
    await press("Enter")
    await asyncio.wait_for(scripted.hung_up.wait(), 10)
    await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    await tab_to(tab, "transcript")
    await expect(tab.page.get_by_test_id("user-transcript")).to_have_text("When is the next train?")
    assert tab.unexpected() == []


async def test_from_the_door_of_a_room_to_its_end(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """A name typed, somebody made louder, the agent asked while the key is held, a line written, an invitation, out."""
    tab = await browser_page()
    await tab.page.goto(f"{await serve(scripted.application())}?room=kitchen")
    press = tab.page.keyboard.press
    await tab_to(tab, "own-name")
    await tab.page.keyboard.type("Anna")
    await tab_to(tab, "start")
    await press("Enter")
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    await scripted.send(events.SessionCreated(session={}), state(*crowd()))
    await expect(tab.page.get_by_test_id("member")).to_have_count(5)
    await tab_to(tab, "volume")
    await press("ArrowRight")
    told = await scripted.next()
    assert (told["type"], told["person_id"], told["volume"]) == ("antiphon.room.volume", "person_1", 1.1)
    await tab_to(tab, "invite")
    await tab_to(tab, "textbox")
    await tab.page.keyboard.type("Hello")
    await press("Enter")
    assert await scripted.next() == {"type": "antiphon.room.say", "text": "Hello"}
    await tab_to(tab, "hold")
    await tab.page.keyboard.down("Enter")
    assert await scripted.next() == {"type": "antiphon.room.address", "on": True}
    await tab.page.keyboard.up("Enter")
    assert await scripted.next() == {"type": "antiphon.room.address", "on": False}
    await tab_to(tab, "hangup")
    await press("Enter")
    await asyncio.wait_for(scripted.hung_up.wait(), 10)
    await expect(tab.page.get_by_test_id("own-name")).to_be_visible()
    assert tab.unexpected() == []
