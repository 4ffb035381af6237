"""The pictures of docs/page.md: made here, and held to what the page looks like.

`ANTIPHON_SCREENSHOTS=1 pytest tests/browser/test_screenshots.py` writes docs/screenshots/; look at them before they are
committed. Without it the page is photographed again and laid over what is committed. Fonts differ between machines, so
the two are compared by the mean of squares, in which a card that has moved shows, and a letter that has does not. What
changes by itself is held still: the address, the levels, the microphone's silence.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiohttp import web
from numpy.typing import NDArray
from playwright.async_api import Route, expect

from agent.audio import WIRE_RATE, write_wav
from agent.realtime.events import SessionCreated
from tests.browser.conftest import BrowserPage, OpenPage
from tests.browser.test_page_offline import problem
from tests.browser.test_page_scripted import ScriptedServer, barge_in, scripted
from tests.browser.test_room_page import crowd, state, talk

__all__ = ["scripted"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

Serve = Callable[[web.Application], Awaitable[str]]
PICTURES = Path(__file__).parents[2] / "docs/screenshots"
WRITE = os.environ.get("ANTIPHON_SCREENSHOTS") == "1"
MOST_BYTES = 60_000
SQUARE = 24
"""px"""
VISIBLE = 10.0
"""Of 255 grey levels: by so much the mean of a square differs where something else is."""
MOST_APART = 0.05
"""How many of the squares may. The same page a line further down has 12 %, another view 17 % or more."""
ADDRESS = "localhost:8080"
LEVELS = """antiphon.levels.read = (source) =>
  source === 'microphone' ? { rms_dbfs: -20, peak_dbfs: -12 } : { rms_dbfs: -60, peak_dbfs: -60 }"""
LAPTOP: dict[str, Any] = {"viewport": {"width": 1100, "height": 780}}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}

Grey = NDArray[np.float64]


async def opened(
    serve: Serve, browser_page: OpenPage, app: web.Application, path: Path, at: str = "", **context: Any
) -> BrowserPage:
    """The page at an address that is always the same, before a microphone that hears nothing."""
    wav = path / "silence.wav"
    await asyncio.to_thread(write_wav, wav, np.zeros(60 * WIRE_RATE, np.int16), WIRE_RATE)
    tab = await browser_page(wav=wav, reduced_motion="reduce", **context)
    real = (await serve(app)).removeprefix("http://").rstrip("/")

    async def pass_on(route: Route) -> None:
        await route.fulfill(response=await route.fetch(url=route.request.url.replace(ADDRESS, real)))

    await tab.page.route(f"http://{ADDRESS}/**", pass_on)
    await tab.page.goto(f"http://{ADDRESS}/{at}")
    await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    return tab


async def in_the_middle_of_a_call(tab: BrowserPage, scripted: ScriptedServer) -> None:
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    await tab.page.evaluate(LEVELS)
    await scripted.send(*barge_in())
    await expect(tab.page.get_by_test_id("user-transcript")).to_have_count(2)
    await expect(tab.page.get_by_test_id("unheard")).to_be_visible()


async def in_a_room(tab: BrowserPage, scripted: ScriptedServer) -> None:
    """Five people, as Anna sees them: one speaks, one is muted, one is away."""
    await tab.page.get_by_test_id("own-name").fill("Anna")
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    await tab.page.evaluate(LEVELS)
    await scripted.send(SessionCreated(session={}), state(*crowd()), *talk())
    await expect(tab.page.get_by_test_id("user-transcript")).to_have_count(3)


async def photographed(tab: BrowserPage, name: str) -> None:
    """Writes docs/screenshots/NAME.png, or compares the page with it."""
    await tab.page.mouse.move(0, 0)
    await tab.until("document.getAnimations().every((one) => one.playState === 'finished')")
    seen = await tab.page.screenshot(caret="hide")
    assert len(np.unique(grey(seen))) > 16, f"{name} is blank"
    path = PICTURES / f"{name}.png"
    if WRITE:
        await asyncio.to_thread(path.write_bytes, light(colours(seen)))
    committed = await asyncio.to_thread(path.read_bytes)
    assert len(committed) <= MOST_BYTES
    share = apart(grey(seen), grey(committed))
    assert share <= MOST_APART, (
        f"{share:.1%} of docs/screenshots/{name}.png are not what the page looks like: "
        "ANTIPHON_SCREENSHOTS=1 pytest tests/browser/test_screenshots.py, and look at them"
    )


def colours(png: bytes) -> NDArray[np.uint8]:
    """A picture as (height, width, 3)."""
    with av.open(io.BytesIO(png), "r") as container:
        frame = next(container.decode(video=0))
    return frame.to_ndarray(format="rgb24").astype(np.uint8)


def grey(png: bytes) -> Grey:
    """A picture as (height, width) of 0 to 255."""
    grey: Grey = colours(png).mean(axis=2)
    return grey


def light(picture: NDArray[np.uint8]) -> bytes:
    """A PNG of its 256 most frequent colours: half of what the browser writes, and the eye sees no difference."""
    found, where, counts = np.unique(picture.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    kept = found[np.argsort(-counts)[:256]].astype(np.int16)
    nearest = np.array([np.abs(kept - colour).sum(axis=1).argmin() for colour in found.astype(np.int16)], np.uint8)
    height, width, _ = picture.shape
    palette = np.full((256, 4), 255, np.uint8)  # opaque, red, green, blue
    palette[: len(kept), 1:] = kept
    out = io.BytesIO()
    with av.open(out, "w", format="image2pipe") as container:
        stream = container.add_stream("png", options={"compression_level": "9", "pred": "none"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "pal8"
        indices = nearest[where.reshape(height, width)]
        frame = av.VideoFrame.from_ndarray((indices, palette), format="pal8")  # type: ignore[arg-type]
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return out.getvalue()


def apart(one: Grey, other: Grey) -> float:
    """The share of squares in which two pictures differ visibly; 1 if their sizes do."""
    if one.shape != other.shape:
        return 1.0
    height, width = (side // SQUARE * SQUARE for side in one.shape)
    shape = (height // SQUARE, SQUARE, width // SQUARE, SQUARE)
    squares = [picture[:height, :width].reshape(shape).mean(axis=(1, 3)) for picture in (one, other)]
    return float((np.abs(squares[0] - squares[1]) >= VISIBLE).mean())


async def test_lobby(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage, tmp_path: Path) -> None:
    tab = await opened(serve, browser_page, scripted.application(), tmp_path, **LAPTOP)
    await photographed(tab, "lobby")


async def test_call(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage, tmp_path: Path) -> None:
    tab = await opened(serve, browser_page, scripted.application(), tmp_path, **LAPTOP)
    await in_the_middle_of_a_call(tab, scripted)
    await photographed(tab, "call")


async def test_mobile(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage, tmp_path: Path) -> None:
    tab = await opened(serve, browser_page, scripted.application(), tmp_path, **PHONE, color_scheme="dark")
    await in_the_middle_of_a_call(tab, scripted)
    await photographed(tab, "mobile")


async def test_refusal(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage, tmp_path: Path) -> None:
    """The one that most people meet: the microphone is blocked."""
    tab = await opened(serve, browser_page, scripted.application(), tmp_path, **LAPTOP)
    denied = "async () => { throw new DOMException('', 'NotAllowedError') }"
    await tab.page.evaluate(f"() => {{ MediaDevices.prototype.getUserMedia = {denied} }}")
    await tab.page.get_by_test_id("start").click()
    await problem(tab, "denied")
    await photographed(tab, "refusal")


async def test_room(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage, tmp_path: Path) -> None:
    tab = await opened(serve, browser_page, scripted.application(), tmp_path, "?room=kitchen", **LAPTOP)
    await in_a_room(tab, scripted)
    await photographed(tab, "room")


async def test_room_mobile(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage, tmp_path: Path) -> None:
    app = scripted.application()
    tab = await opened(serve, browser_page, app, tmp_path, "?room=kitchen", **PHONE, color_scheme="dark")
    await in_a_room(tab, scripted)
    await photographed(tab, "room_mobile")


def test_another_page_is_not_taken_for_the_pictures() -> None:
    """Nor the same one with its dark colours, or pushed down by a line."""
    call, lobby = (grey((PICTURES / f"{name}.png").read_bytes()) for name in ("call", "lobby"))
    assert apart(call, lobby) > MOST_APART
    assert apart(call, 255 - call) > MOST_APART
    assert apart(call, np.roll(call, 24, axis=0)) > MOST_APART
    assert apart(call, np.roll(call, 2, axis=1)) <= MOST_APART / 2, "letters that are not where they were"
