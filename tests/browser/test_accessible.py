"""The page under axe-core: nothing serious in any view, in light, in dark and on a small screen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import expect

from agent.realtime import events
from agent.realtime.room_events import RoomTurn
from agent.realtime.wire import ErrorBody, InputText, MessageItem
from tests.browser.conftest import BrowserPage, OpenPage
from tests.browser.test_page_offline import problem, server, start
from tests.browser.test_page_scripted import ScriptedServer, barge_in, call, caption, delta, scripted
from tests.browser.test_room_page import CROWD, crowd, enter, person, state, talk

__all__ = ["scripted"]  # a fixture

AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(60),
    pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not here: make test installs it where npm is"),
]

Serve = Callable[[web.Application], Awaitable[str]]
LOOKS: dict[str, tuple[Any, tuple[int, int]]] = {
    "light": ("light", (1280, 800)),
    "dark": ("dark", (1280, 800)),
    "360 x 740": ("light", (360, 740)),
    "360 x 740, dark": ("dark", (360, 740)),
}
UNFOLD = "document.querySelectorAll('details').forEach((folded) => { folded.open = true })"
AT_REST = """Promise.all(document.getAnimations()
  .filter((animation) => animation.effect.getComputedTiming().iterations !== Infinity)
  .map((animation) => animation.finished.catch(() => null)))"""
"""Half-way through a change of colours no contrast is what it will be."""
FINDINGS = """async () => (await axe.run()).violations.flatMap(({ id, impact, help, nodes }) =>
  nodes.map((node) => ({ impact, what: `${id}: ${help}: ${node.html} ${node.failureSummary}` })))"""


async def findings(tab: BrowserPage) -> dict[str, list[str]]:
    """What axe-core objects to in the view as it is, seriously or critically, by look."""
    source = await asyncio.to_thread(AXE.read_text)
    await tab.page.evaluate(f"() => {{ {source} }}")  # by the debugger: the CSP lets no script in
    await tab.page.evaluate(UNFOLD)
    found: dict[str, list[str]] = {}
    shades = set()
    for name, (scheme, (width, height)) in LOOKS.items():
        await tab.page.emulate_media(color_scheme=scheme)
        await tab.page.set_viewport_size({"width": width, "height": height})
        await tab.page.evaluate(AT_REST)
        shades.add(await tab.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        objections = await tab.page.evaluate(FINDINGS)
        found[name] = [one["what"] for one in objections if one["impact"] in ("serious", "critical")]
    assert len(shades) == 2, "dark looks like light"
    return {name: what for name, what in found.items() if what}


async def dialogs(tab: BrowserPage) -> dict[str, dict[str, list[str]]]:
    """The same of each dialog that this view can open, by its button."""
    found = {}
    for button in await tab.page.locator("[data-testid^=open-]:visible").all():
        await button.click()
        await expect(tab.page.get_by_role("dialog")).to_be_visible()
        found[str(await button.get_attribute("data-testid"))] = await findings(tab)
        await tab.page.keyboard.press("Escape")
        await expect(tab.page.get_by_role("dialog")).to_have_count(0)
    return {name: what for name, what in found.items() if what}


async def test_axe_itself_finds_what_is_wrong(serve: Serve, browser_page: OpenPage) -> None:
    tab = await browser_page()
    await tab.page.goto(await serve(server()))
    await tab.page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    found = await findings(tab)
    assert found.keys() == LOOKS.keys()
    assert all(what[0].startswith("label:") for what in found.values())


async def test_the_lobby(serve: Serve, browser_page: OpenPage) -> None:
    tab = await browser_page()
    await tab.page.goto(await serve(server()))
    await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    assert await findings(tab) == {}
    assert await dialogs(tab) == {}
    await tab.page.get_by_test_id("try-microphone").click()
    await expect(tab.page.get_by_role("meter").first).to_be_visible()
    assert await findings(tab) == {}


async def test_a_refusal(serve: Serve, browser_page: OpenPage) -> None:
    """With a form to fill in: the one for a token."""
    tab = await browser_page()
    await start(tab, await serve(server(status=401, message="Wrong token.")))
    await problem(tab, "unauthorised")
    assert await findings(tab) == {}


async def test_a_call_and_its_end(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage) -> None:
    """With everything in it that can be: both sides, unsure words, unheard ones, typed ones, failures, a banner."""
    tab = await call(scripted, serve, browser_page)
    assert await findings(tab) == {}, "before the first word"
    typed = MessageItem(id="u9", status="completed", role="user", content=[InputText(text="And to Bruges?")])
    refused = ErrorBody(type="invalid_request_error", code="invalid_value", message="There is no such voice.")
    await scripted.send(events.ItemAdded(item=typed), events.Error(error=refused), *barge_in())
    await expect(tab.page.get_by_test_id("unheard")).to_be_visible()
    await expect(tab.page.get_by_test_id("refusal")).to_be_visible()
    assert await findings(tab) == {}, "in the middle"
    assert await dialogs(tab) == {}, "over a call"
    for phase in ("thinking", "speaking", "yielding"):
        await scripted.send(events.Phase.model_validate({"phase": phase}))
        await expect(tab.page.get_by_test_id("phase")).to_have_attribute("data-phase", phase)
        await tab.page.get_by_test_id("mute").click()
        assert await findings(tab) == {}, phase
    whole = caption("a2", "assistant", "At a quarter past four.", final=True)
    await scripted.send(delta(whole.text, 2), whole, caption("u2", "user", "No, to Bruges please.", final=True))
    await scripted.peer.close()
    await problem(tab, "ended")
    assert await findings(tab) == {}, "ended by the server"
    await tab.page.get_by_test_id("back").click()
    await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    assert await findings(tab) == {}, "the lobby after a call"


async def test_the_dialogs(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage) -> None:
    tab = await call(scripted, serve, browser_page)
    await tab.page.get_by_test_id("open-settings").click()
    await tab.page.get_by_test_id("patience").select_option("fixed")
    assert await findings(tab) == {}
    await tab.page.get_by_test_id("turn-ends").select_option("hold")
    await tab.page.get_by_test_id("settings-close").click()
    await tab.page.keyboard.press("?")
    await expect(tab.page.get_by_test_id("keys")).to_be_visible()
    assert await findings(tab) == {}
    await tab.page.get_by_test_id("keys-close").click()
    await tab.page.get_by_test_id("hold").hover()
    await tab.page.mouse.down()
    assert await findings(tab) == {}
    await tab.page.mouse.up()
    await tab.page.keyboard.press("c")
    assert await findings(tab) == {}


async def test_the_door_of_a_room(serve: Serve, browser_page: OpenPage) -> None:
    tab = await browser_page()
    await tab.page.goto(f"{await serve(server())}?room=kitchen#from=Anna")
    await expect(tab.page.get_by_test_id("own-name")).to_be_enabled()
    assert await findings(tab) == {}
    await tab.page.get_by_test_id("invite").click()
    await expect(tab.page.get_by_test_id("invitation")).to_be_visible()
    assert await findings(tab) == {}, "invited"


async def test_a_room(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage) -> None:
    """With as many people as there are colours, each with something to say; muted, speaking, away; and a recording."""
    more = [person(number, f"Person {number}") for number in range(len(CROWD), 8)]
    tab = await enter(scripted, serve, browser_page, state(*crowd(), *more, policy="moderated", recording=True))
    assert await findings(tab) == {}, "before the first word"
    for number in range(8):
        turn = RoomTurn(item_id=f"p{number}", person_id=f"person_{number}")
        await scripted.send(turn, caption(f"p{number}", "user", "I agree.", final=True))
    await scripted.send(*talk())
    await expect(tab.page.locator(".entry")).to_have_count(12)
    assert await findings(tab) == {}, "everybody has spoken"
    await tab.page.set_viewport_size({"width": 360, "height": 740})
    await tab.page.get_by_test_id("volumes").click()
    await tab.page.get_by_test_id("mute").click()
    assert await findings(tab) == {}, "with volumes, muted"
    await tab.page.get_by_test_id("hangup").click()
    await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    assert await findings(tab) == {}, "afterwards"
