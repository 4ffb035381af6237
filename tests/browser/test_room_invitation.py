"""How others come into a room: its address, made in the lobby, and invitations with a token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import expect

from signaling.tokens import Tokens
from tests.browser.conftest import OpenPage
from tests.browser.test_page_offline import HTTP_ERROR
from tests.browser.test_page_scripted import ScriptedServer
from tests.browser.test_room_page import enter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

Serve = Callable[[web.Application], Awaitable[str]]
CLIPBOARD: dict[str, Any] = {"permissions": ["microphone", "clipboard-read", "clipboard-write"]}
PASTED = "navigator.clipboard.readText()"


class Inviting(ScriptedServer):
    """Hands out invitations, or refuses to."""

    def __init__(self) -> None:
        super().__init__()
        self.token: str | None = None
        self.asked: list[str] = []

    def application(self) -> web.Application:
        app = super().application()
        app.router.add_post("/v1/rooms/{room}/invitations", self._invite)
        return app

    async def _invite(self, request: web.Request) -> web.Response:
        assert json.loads(await request.text()) == {"minutes": 60}
        self.asked.append(request.match_info["room"])
        if self.token is None:
            error = {"message": "Not you.", "type": "invalid_request_error", "param": None, "code": None}
            return web.json_response({"error": error}, status=403)
        url = f"/?room={request.match_info['room']}#token={self.token}"
        return web.json_response({"token": self.token, "url": url, "expires_at": 1_800_000_000})


@pytest.fixture
async def inviting() -> AsyncIterator[Inviting]:
    server = Inviting()
    yield server
    await server.peer.close()
    await asyncio.get_running_loop().shutdown_default_executor()  # aiortc encodes in it


async def test_a_room_is_made_in_the_lobby_and_its_address_shown(
    inviting: Inviting, serve: Serve, browser_page: OpenPage
) -> None:
    """And the way back leads to a call of one's own, which joins no room."""
    url = await serve(inviting.application())
    tab = await browser_page(**CLIPBOARD)
    await tab.page.goto(url)
    await tab.page.get_by_test_id("others").click()
    await expect(tab.page.get_by_test_id("own-name")).to_be_visible()
    name = tab.page.url.removeprefix(f"{url}?room=")
    assert len(name) == 10
    await tab.page.get_by_test_id("invite").click()
    await expect(tab.page.get_by_text("Copied, without a token")).to_be_visible()
    await expect(tab.page.get_by_test_id("invitation")).to_have_value(tab.page.url)
    assert inviting.asked == [name]
    assert await tab.page.evaluate(PASTED) == tab.page.url
    await tab.page.get_by_test_id("alone").click()
    await expect(tab.page.get_by_test_id("others")).to_be_visible()
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    assert inviting.query == "extensions=antiphon"
    await tab.page.get_by_test_id("hangup").click()
    await asyncio.wait_for(inviting.hung_up.wait(), 10)
    assert tab.unexpected(HTTP_ERROR) == []


async def test_an_invitation_has_a_token_and_says_who_invited(
    inviting: Inviting, serve: Serve, browser_page: OpenPage
) -> None:
    """Whoever opens it comes under the name that it was made for, and has the token out of sight."""
    token, _ = Tokens(["k" * 16]).issue(room="kitchen", name="Zoë")
    inviting.token = token
    tab = await enter(inviting, serve, browser_page, **CLIPBOARD)
    await tab.page.get_by_test_id("invite").click()
    await expect(tab.page.get_by_text("It lets them in until")).to_be_visible()
    link = await tab.page.evaluate(PASTED)
    assert link == f"{tab.page.url}#token={token}&from=Anna"
    guest = await tab.page.context.new_page()
    await guest.goto(link)
    await expect(guest.get_by_test_id("invited-by")).to_contain_text("Anna invites you.")
    await expect(guest.get_by_test_id("as-named")).to_contain_text("Zoë")
    await expect(guest.get_by_test_id("own-name")).to_have_count(0)
    await expect(guest.get_by_test_id("alone")).to_have_count(0)
    assert token not in guest.url
    assert await guest.evaluate("antiphon.server.token") == token
    assert tab.unexpected() == []


async def test_an_invitation_that_can_not_be_copied_is_shown(
    inviting: Inviting, serve: Serve, browser_page: OpenPage
) -> None:
    inviting.token = "ek_1"
    tab = await enter(inviting, serve, browser_page)
    refuse = "async () => { throw new DOMException('', 'NotAllowedError') }"
    await tab.page.evaluate(f"() => {{ Clipboard.prototype.writeText = {refuse} }}")
    await expect(tab.page.get_by_test_id("invitation")).to_have_count(0)
    await tab.page.get_by_test_id("invite").click()
    await expect(tab.page.get_by_test_id("invitation")).to_have_value(f"{tab.page.url}#token=ek_1&from=Anna")
    assert tab.unexpected() == []
