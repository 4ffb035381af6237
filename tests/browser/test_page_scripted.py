"""The page in a real WebRTC call whose other end says, event by event, what the test wants to see shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from playwright.async_api import expect

from agent.realtime import events
from agent.realtime.wire import ErrorBody, InputText, MessageItem
from signaling.page import add_page
from tests.browser.conftest import BrowserPage, OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

Serve = Callable[[web.Application], Awaitable[str]]


class ScriptedServer:
    """Answers one call; sends the events it is given, keeps those that it receives."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.hung_up = asyncio.Event()
        self.peer = RTCPeerConnection()
        self._channel: asyncio.Future[RTCDataChannel] = asyncio.get_running_loop().create_future()
        self.query = ""
        self.recording = False
        self.waiting: list[str] = []
        """what is still being loaded: until then every call is refused"""

    def application(self) -> web.Application:
        app = web.Application()
        add_page(app)
        app.router.add_post("/v1/realtime/calls", self._answer)
        app.router.add_delete("/v1/realtime/calls/{id}", self._end)
        app.router.add_get("/readyz", self._ready)
        return app

    async def send(self, *sent: events.ServerEvent) -> None:
        channel = await self._channel
        for event in sent:
            channel.send(event.model_dump_json())

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            return await self.received.get()

    async def _ready(self, _: web.Request) -> web.Response:
        body = {"waiting": self.waiting, "recording": self.recording}
        return web.json_response(body, status=503 if self.waiting else 200)

    async def _answer(self, request: web.Request) -> web.Response:
        if self.waiting:
            return web.json_response({"error": {"message": "Still loading."}}, status=503)
        self.query = request.query_string
        assert request.content_type == "application/sdp"
        self.peer.on("datachannel", self._opened)
        await self.peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        self.peer.addTrack(AudioStreamTrack())
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        headers = {"Location": "/v1/realtime/calls/rtc_1"}
        sdp = self.peer.localDescription.sdp
        return web.Response(status=201, text=sdp, content_type="application/sdp", headers=headers)

    async def _end(self, _: web.Request) -> web.Response:
        self.hung_up.set()
        return web.Response()

    def _opened(self, channel: RTCDataChannel) -> None:
        assert channel.label == "oai-events"
        channel.on("message", lambda text: self.received.put_nowait(json.loads(text)))
        self._channel.set_result(channel)


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer()
    yield server
    await server.peer.close()
    await asyncio.get_running_loop().shutdown_default_executor()  # aiortc encodes in it


async def call(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage, **context: Any) -> BrowserPage:
    tab = await browser_page(**context)
    await tab.page.goto(await serve(scripted.application()))
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    return tab


def caption(item_id: str, role: Any, text: str, *, final: bool = False, stable: int | None = None) -> events.Caption:
    stable = len(text) if stable is None else stable
    return events.Caption(item_id=item_id, role=role, text=text, stable=stable, final=final)


def delta(text: str, n: int = 1) -> events.TranscriptDelta:
    return events.TranscriptDelta(response_id=f"r{n}", item_id=f"a{n}", delta=text)


def timeline(n: int, audible_ms: int) -> events.Timeline:
    stages = dict.fromkeys(("pause_ms",), 96) | {"endpoint_ms": 340, "transcript_ms": 410, "first_delta_ms": 520}
    return events.Timeline(
        response_id=f"r{n}", **stages, first_clause_ms=600, first_audio_ms=audible_ms - 20, audible_ms=audible_ms
    )


def barge_in() -> list[events.ServerEvent]:
    """A question, its answer, and the user cutting in: the state that shows the most."""
    whole = "The next train to Ghent leaves at ten past four, from platform nine. It calls at Aalst and Wetteren."
    return [
        events.Phase(phase="hearing"),
        events.SpeechStarted(audio_start_ms=500, item_id="u1"),
        caption("u1", "user", "When is the next train to Ghent?", final=True),
        delta(whole),
        events.Phase(phase="speaking"),
        timeline(1, 712),
        caption("a1", "assistant", "The next train to Ghent leaves at ten past four,"),
        events.Phase(phase="hearing"),
        events.SpeechStarted(audio_start_ms=6500, item_id="u2"),
        events.BufferCleared(response_id="r1"),
        caption("a1", "assistant", "The next train to Ghent leaves at ten past four, from", final=True),
        caption("u2", "user", "No, to Bruges ple", stable=13),
    ]


async def test_who_wanted_to_join_while_models_were_loaded_joins_when_they_are(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """Who only looked in is not called."""
    tab = await browser_page()
    async with tab.page.expect_response("**/readyz"):
        await tab.page.goto(await serve(scripted.application()))
    scripted.waiting = ["llm"]
    await tab.page.get_by_test_id("start").click()
    await expect(tab.page.get_by_test_id("problem")).to_have_attribute("data-kind", "loading")
    looks = await tab.page.context.new_page()
    await looks.goto(tab.page.url)
    await expect(looks.get_by_test_id("problem")).to_have_attribute("data-kind", "loading")
    scripted.waiting = []
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    await expect(looks.get_by_test_id("start")).to_be_enabled()
    assert await looks.evaluate("antiphon.connection.value") == "idle"
    assert tab.unexpected(r"Failed to load resource: .* 503") == []


async def test_what_was_said_stays_when_trying_again_fails(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await call(scripted, serve, browser_page)
    await scripted.send(*barge_in())
    await expect(tab.page.get_by_test_id("unheard")).to_be_visible()
    scripted.waiting = ["llm"]
    await scripted.peer.close()
    problem = tab.page.get_by_test_id("problem")
    await expect(problem).to_have_attribute("data-kind", "ended")
    await tab.page.get_by_test_id("again").click()
    await expect(problem).to_have_attribute("data-kind", "loading")
    await expect(tab.page.get_by_test_id("user-transcript").first).to_have_text("When is the next train to Ghent?")


async def test_phase_word_and_mark(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage) -> None:
    tab = await call(scripted, serve, browser_page)
    assert scripted.query == "extensions=antiphon"
    phase = tab.page.get_by_test_id("phase")
    words = {
        "hearing": "You are speaking",
        "paused": "Listening",
        "thinking": "Thinking",
        "speaking": "Speaking",
        "yielding": "Paused for you",
        "idle": "Listening",
    }
    shapes = set()
    for name, word in words.items():
        await scripted.send(events.Phase.model_validate({"phase": name}))
        await expect(phase).to_have_attribute("data-phase", name)
        await expect(phase.get_by_role("status")).to_have_text(word)
        shapes.add(await phase.locator("svg").inner_html())
    assert len(shapes) == len(words), "two phases look the same"
    assert tab.unexpected() == []


async def test_captions_barge_in_and_latency(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage) -> None:
    tab = await call(scripted, serve, browser_page)
    await scripted.send(*barge_in())
    agent = tab.page.get_by_test_id("agent-transcript")
    await expect(agent).to_have_attribute("data-cut", "true")
    await expect(tab.page.get_by_test_id("unheard")).to_have_text("platform nine. It calls at Aalst and Wetteren.")
    user = tab.page.get_by_test_id("user-transcript")
    await expect(user).to_have_text(["When is the next train to Ghent?", "No, to Bruges ple"])
    await expect(user.last.locator(".unsure")).to_have_text(" ple")
    latency = tab.page.get_by_test_id("latency")  # the server's 712 ms, and the way if it was measured in time
    await expect(latency).to_have_attribute("data-audible-ms", "712")
    await expect(latency).to_have_text(f"{int(await latency.get_attribute('data-total-ms') or 0) / 1000:.2f} s")
    await expect(tab.page.get_by_role("log").get_by_test_id("user-transcript")).to_have_count(1)
    assert tab.unexpected() == []


async def test_interrupt_by_key_and_button(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage) -> None:
    tab = await call(scripted, serve, browser_page)
    button = tab.page.get_by_test_id("interrupt")
    await expect(button).to_be_disabled()
    await scripted.send(events.Phase(phase="speaking"))
    await button.click()
    assert [(await scripted.next())["type"] for _ in range(2)] == ["response.cancel", "output_audio_buffer.clear"]
    await tab.page.keyboard.press("Escape")
    assert [(await scripted.next())["type"] for _ in range(2)] == ["response.cancel", "output_audio_buffer.clear"]
    late = ErrorBody(type="invalid_request_error", code="response_cancel_not_active", message="Cancellation failed")
    await scripted.send(events.Error(error=late), events.Phase(phase="idle"))
    await expect(tab.page.get_by_test_id("phase")).to_have_attribute("data-phase", "idle")
    await expect(tab.page.get_by_test_id("refusal")).to_have_count(0)
    assert tab.unexpected() == []


async def test_typed_text(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage) -> None:
    tab = await call(scripted, serve, browser_page)
    await expect(tab.page.get_by_test_id("send")).to_be_disabled()
    await tab.page.get_by_test_id("textbox").fill("  What is the time?  ")
    await tab.page.get_by_test_id("textbox").press("Enter")
    created = await scripted.next()
    assert created["type"] == "conversation.item.create"
    assert created["item"] == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "What is the time?"}],
    }
    assert (await scripted.next())["type"] == "response.create"
    await expect(tab.page.get_by_test_id("textbox")).to_have_value("")
    item = MessageItem(id="u9", status="completed", role="user", content=[InputText(text="What is the time?")])
    await scripted.send(events.ItemAdded(item=item))
    await expect(tab.page.get_by_test_id("user-transcript")).to_have_text("What is the time?")
    assert tab.unexpected() == []


async def test_hang_up_frees_everything(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage) -> None:
    tab = await call(scripted, serve, browser_page)
    await scripted.send(caption("u1", "user", "Goodbye.", final=True))
    await expect(tab.page.get_by_test_id("user-transcript")).to_be_visible()
    await tab.page.get_by_test_id("hangup").click()
    await asyncio.wait_for(scripted.hung_up.wait(), 10)
    await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    await expect(tab.page.get_by_test_id("user-transcript")).to_have_text("Goodbye.")
    assert await tab.page.evaluate("antiphon.microphone.stream.value") is None
    assert tab.unexpected() == []


async def test_leaving_the_page_lets_go_of_the_call_and_does_not_end_it(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """The page may be loaded anew; the server ends the call if it is not."""
    tab = await call(scripted, serve, browser_page)
    await tab.page.goto("about:blank")
    async with asyncio.timeout(10):
        while scripted.peer.connectionState not in ("closed", "failed"):  # noqa: ASYNC110 - the event may be over
            await asyncio.sleep(0.05)
    assert not scripted.hung_up.is_set()


async def test_ended_by_the_server_keeps_the_transcript(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await call(scripted, serve, browser_page)
    expired = ErrorBody(type="invalid_request_error", code="session_expired", message="A call may last 60 minutes.")
    await scripted.send(caption("u1", "user", "Are you there?", final=True), events.Error(error=expired))
    await expect(tab.page.get_by_test_id("refusal")).to_contain_text("60 minutes")
    await scripted.peer.close()
    problem = tab.page.get_by_test_id("problem")
    await expect(problem).to_have_attribute("data-kind", "ended")
    await expect(problem).to_contain_text("A call may last 60 minutes.")
    await expect(tab.page.get_by_test_id("user-transcript")).to_have_text("Are you there?")
    assert not scripted.hung_up.is_set(), "the server was asked to end a call that it had ended"


@pytest.mark.parametrize("width", [360, 1280])
async def test_a_call_fits_the_window(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage, width: int
) -> None:
    tab = await call(scripted, serve, browser_page, viewport={"width": width, "height": 740})
    await scripted.send(*barge_in())
    await expect(tab.page.get_by_test_id("unheard")).to_be_visible()
    assert await tab.page.evaluate("document.documentElement.scrollWidth") <= width
    assert await tab.page.evaluate("document.documentElement.scrollHeight") <= 740
    for control in ("mute", "interrupt", "hangup", "textbox", "send"):
        await expect(tab.page.get_by_test_id(control)).to_be_in_viewport()
        box = await tab.page.get_by_test_id(control).bounding_box()
        assert box is not None and box["height"] >= 44, f"{control} is too small for a finger"
