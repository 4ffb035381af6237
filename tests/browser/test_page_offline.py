"""The page without an agent: the lobby, and every way in which a call can fail to start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import expect

from signaling.app import Access
from signaling.page import add_page
from tests.browser.conftest import BrowserPage, OpenPage
from tests.wire.test_door import Answering, served

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

Serve = Callable[[web.Application], Awaitable[str]]

HTTP_ERROR = r"Failed to load resource: the server responded with a status of \d+"
"""Chromium writes this for every refusal; the page can not keep it from doing so."""


def server(
    status: int = 500,
    message: str = "The server failed at this request.",
    waiting: list[str] | None = None,
    code: str | None = None,
) -> web.Application:
    """The page, and a server that refuses every call."""

    async def refuse(_: web.Request) -> web.Response:
        body = {"error": {"message": message, "type": "server_error", "param": None, "code": code}}
        return web.json_response(body, status=status)

    async def readyz(_: web.Request) -> web.Response:
        return web.json_response({"waiting": waiting or []}, status=503 if waiting else 200)

    app = web.Application()
    add_page(app)
    app.router.add_post("/v1/realtime/calls", refuse)
    app.router.add_get("/readyz", readyz)
    return app


async def problem(tab: BrowserPage, kind: str) -> str:
    """Waits for a problem of this kind; returns its words, after checking that it has a remedy."""
    shown = tab.page.get_by_test_id("problem")
    await expect(shown).to_have_attribute("data-kind", kind)
    await expect(shown).to_have_role("alert")
    assert await shown.get_by_role("listitem").count() >= 1, "a problem without a remedy"
    return await shown.inner_text()


async def start(tab: BrowserPage, url: str) -> None:
    await tab.page.goto(url)
    await tab.page.get_by_test_id("start").click()


# -- what the server sends ---------------------------------------------------------------------------------


async def test_files_are_revalidated_and_guarded(serve: Serve) -> None:
    url = await serve(server())
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as first:
            assert first.content_type == "text/html"
            assert first.headers["Cache-Control"] == "no-cache"
            assert first.headers["X-Content-Type-Options"] == "nosniff"
            assert first.headers["Referrer-Policy"] == "no-referrer"
            assert first.headers["Permissions-Policy"] == "microphone=(self)"
            assert "default-src 'self'" in first.headers["Content-Security-Policy"]
            etag = first.headers["ETag"]
        async with session.get(url, headers={"If-None-Match": etag}) as again:
            assert again.status == 304
            assert await again.read() == b""
        async with session.get(url + "app.js", headers={"Accept-Encoding": "identity"}) as plain:
            assert plain.content_type == "text/javascript"
            assert "Content-Encoding" not in plain.headers
            assert plain.headers["ETag"] != etag
        for missing in ("nothing.js", "..%2f__init__.py", "page.py"):
            async with session.get(url + missing) as none:
                assert none.status == 404


# -- the lobby ---------------------------------------------------------------------------------------------


async def test_lobby_asks_nobody_else_and_opens_no_microphone(serve: Serve, browser_page: OpenPage) -> None:
    url = await serve(server())
    tab = await browser_page()
    await tab.page.goto(url)
    await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    assert await tab.page.evaluate("antiphon.microphone.stream.value") is None
    assert {urlsplit(request).netloc for request in tab.requests} == {urlsplit(url).netloc}
    assert tab.unexpected() == []


async def test_the_meter_moves_before_a_call(serve: Serve, browser_page: OpenPage) -> None:
    tab = await browser_page()
    await tab.page.goto(await serve(server()))
    await tab.page.get_by_text("Check the microphone").click()
    await tab.page.get_by_test_id("try-microphone").click()
    meter = tab.page.get_by_role("meter")
    await expect(meter).to_be_visible()
    # Chromium's fake microphone beeps once a second.
    await tab.until("antiphon.levels.read('microphone').rms_dbfs > -40")
    assert await tab.page.get_by_test_id("device").locator("option").count() >= 2
    await tab.page.get_by_text("Check the microphone").click()
    await tab.until("antiphon.microphone.stream.value === null")
    assert tab.unexpected() == []


async def test_a_microphone_that_is_allowed_too_late_stays_closed(serve: Serve, browser_page: OpenPage) -> None:
    """The check was folded away while the browser was asking: nothing records unseen."""
    tab = await browser_page()
    await tab.page.add_init_script(
        "const open = MediaDevices.prototype.getUserMedia;"
        "MediaDevices.prototype.getUserMedia = async function (wanted) {"
        "  await new Promise((allow) => { window.allow = allow });"
        "  window.stream = await open.call(this, wanted); return window.stream }"
    )
    await tab.page.goto(await serve(server()))
    await tab.page.get_by_text("Check the microphone").click()
    await tab.page.get_by_test_id("try-microphone").click()
    await tab.until("window.allow !== undefined")
    await tab.page.get_by_text("Check the microphone").click()
    await expect(tab.page.get_by_test_id("try-microphone")).not_to_be_visible()
    await tab.page.evaluate("window.allow()")
    await tab.until("window.stream?.getAudioTracks()[0].readyState === 'ended'")
    assert tab.unexpected() == []


# -- problems ----------------------------------------------------------------------------------------------


async def test_microphone_denied(serve: Serve, browser_page: OpenPage) -> None:
    tab = await browser_page(fake_ui=False)
    await start(tab, await serve(server()))
    assert "allow the microphone" in await problem(tab, "denied")
    await tab.page.get_by_test_id("back").click()
    await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    assert tab.unexpected() == []


async def test_no_microphone(serve: Serve, browser_page: OpenPage) -> None:
    tab = await browser_page(fake_device=False)
    await start(tab, await serve(server()))
    assert "Plug in" in await problem(tab, "no-microphone")
    assert tab.unexpected() == []


@pytest.mark.parametrize(
    ("script", "kind", "sentence"),
    [
        ("delete Navigator.prototype.mediaDevices; window.isSecureContext = false", "insecure", "https"),
        (
            "MediaDevices.prototype.getUserMedia = async () => { throw new DOMException('', 'NotReadableError') }",
            "microphone-busy",
            "another program",
        ),
        ("delete window.RTCPeerConnection", "unsupported", "WebRTC"),
    ],
)
async def test_what_the_browser_lacks(
    serve: Serve, browser_page: OpenPage, script: str, kind: str, sentence: str
) -> None:
    tab = await browser_page()
    # A loopback address is secure by definition: only a script can make the browser look otherwise.
    lacking = "Object.defineProperty(window, 'isSecureContext', {value: true, writable: true});" + script
    await tab.page.add_init_script(lacking)
    await start(tab, await serve(server()))
    assert sentence in await problem(tab, kind)
    assert tab.unexpected() == []


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        ({"status": 503, "message": "All 4 places are taken."}, "full", "All 4 places are taken."),
        ({"status": 415, "message": "Send an offer."}, "refused", "Send an offer. (HTTP 415)"),
        ({"status": 401, "message": "Wrong token."}, "unauthorised", "answers only callers that it knows"),
    ],
)
async def test_refused_by_the_server(
    serve: Serve, browser_page: OpenPage, answer: dict[str, Any], kind: str, sentence: str
) -> None:
    tab = await browser_page()
    await start(tab, await serve(server(**answer)))
    assert sentence in await problem(tab, kind)
    assert await tab.page.evaluate("antiphon.microphone.stream.value") is None, "the microphone stays open"
    assert tab.unexpected(HTTP_ERROR) == []


async def test_loading_is_said_at_once_and_goes_by_itself(serve: Serve, browser_page: OpenPage) -> None:
    waiting = ["asr", "tts"]
    tab = await browser_page()
    await tab.page.goto(await serve(server(waiting=waiting)))
    assert "asr, tts" in await problem(tab, "loading")
    waiting.clear()
    await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    assert tab.unexpected(HTTP_ERROR) == []


async def test_server_unreachable(serve: Serve, browser_page: OpenPage) -> None:
    tab = await browser_page()
    await tab.page.goto(await serve(server()))
    await tab.page.route("**/v1/realtime/calls*", lambda route: route.abort("connectionrefused"))
    await tab.page.get_by_test_id("start").click()
    assert "antiphon serve" in await problem(tab, "unreachable")
    assert tab.unexpected("ERR_CONNECTION_REFUSED") == []


async def test_a_proxy_that_hides_the_address_is_named(serve: Serve, browser_page: OpenPage) -> None:
    """It passes the Origin on and not the Host, as many do, so the server takes the page for another site's."""
    async with served(Answering(), Access()) as (behind, _):

        async def pass_on(request: web.Request) -> web.Response:
            headers = {"Content-Type": request.content_type, "Origin": request.headers["Origin"]}
            async with (
                aiohttp.ClientSession() as http,
                http.post(f"{behind}/v1/realtime/calls", data=await request.read(), headers=headers) as response,
            ):
                return web.Response(status=response.status, body=await response.read(), content_type="application/json")

        async def ready(_: web.Request) -> web.Response:
            return web.json_response({"waiting": []})

        app = web.Application()
        add_page(app)
        app.router.add_post("/v1/realtime/calls", pass_on)
        app.router.add_get("/readyz", ready)
        url = await serve(app)
        tab = await browser_page()
        await start(tab, url)
        words = await problem(tab, "forbidden")
        assert f"Pages of {url.rstrip('/')} may not call this server; add the origin to server.origins." in words
        assert "Host header" in words
        await expect(tab.page.get_by_test_id("token")).to_have_count(0)
        assert tab.unexpected(HTTP_ERROR) == []


# -- looks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 768, 1280])
async def test_nothing_sticks_out_sideways(serve: Serve, browser_page: OpenPage, width: int) -> None:
    tab = await browser_page(viewport={"width": width, "height": 740})
    await start(tab, await serve(server(status=418, message="x" * 300)))
    await problem(tab, "refused")
    assert await tab.page.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.unexpected(HTTP_ERROR) == []


async def test_by_keyboard_alone(serve: Serve, browser_page: OpenPage) -> None:
    tab = await browser_page()
    await tab.page.goto(await serve(server(status=503, message="Full.")))
    await tab.page.keyboard.press("Tab")
    await expect(tab.page.get_by_test_id("start")).to_be_focused()
    await tab.page.keyboard.press("Enter")
    await problem(tab, "full")
    await expect(tab.page.get_by_role("heading", level=2)).to_be_focused()
    await tab.page.keyboard.press("Tab")
    await expect(tab.page.get_by_test_id("again")).to_be_focused()
    assert tab.unexpected(HTTP_ERROR) == []
