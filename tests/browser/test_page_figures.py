"""What a call leaves to read: where the time went, how the connection is, how loud it is, the transcript to keep."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from agent.realtime import events
from tests.browser.conftest import BrowserPage, OpenPage
from tests.browser.test_page_offline import HTTP_ERROR, server
from tests.browser.test_page_offline import start as try_to_call
from tests.browser.test_page_scripted import ScriptedServer, Serve, barge_in, call, caption, delta, scripted, timeline

__all__ = ["scripted"]  # the fixture
pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

SECRET = "What is the word that nobody may read in a report?"


async def test_the_waterfall_adds_up_from_mouth_to_ear(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """The server's stages, with the turn detector's, and the way that the browser measured."""
    tab = await call(scripted, serve, browser_page)
    await tab.until("antiphon.stats.value?.rtt_ms !== undefined && antiphon.stats.value.jitterBuffer_ms !== null")
    whole = {"pause_ms": 100, "judged_ms": 180, "endpoint_ms": 320, "transcript_ms": 330, "first_delta_ms": 420}
    whole |= {"first_clause_ms": 500, "first_audio_ms": 560, "audible_ms": 580}
    await scripted.send(*(timeline(n, 600 + 100 * n) for n in range(2, 7)))
    await scripted.send(events.Timeline(response_id="r7", **whole))
    number = tab.page.get_by_test_id("latency")
    await expect(number).to_have_attribute("data-audible-ms", "580")
    total_ms = int(await number.get_attribute("data-total-ms") or 0)
    assert total_ms > 580, "the way there and back takes no time"
    shown = await number.inner_text()
    assert shown.endswith(" s")
    assert abs(float(shown.removesuffix(" s")) - total_ms / 1000) < 0.0051
    stages = tab.page.get_by_test_id("stages").get_by_role("listitem")
    await expect(stages.filter(has_text="judging whether you finished")).to_contain_text("80 ms")
    await expect(stages.last).to_have_text(re.compile("the way there and back"))
    took = [int(re.findall(r"(\d+) ms", each)[0]) for each in await stages.all_inner_texts()]
    assert sum(took) == total_ms
    await expect(tab.page.get_by_test_id("turn")).to_have_count(4)
    assert tab.unexpected() == []


async def test_a_report_has_the_figures_and_not_a_word(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await browser_page(permissions=["clipboard-read", "clipboard-write", "microphone"])
    await tab.page.add_init_script(
        f"localStorage.setItem('antiphon.settings', '{json.dumps({'instructions': SECRET})}')"
    )
    await tab.page.goto(await serve(scripted.application()))
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.stats.value?.codec === 'opus'", within_s=15)
    await scripted.send(caption("u1", "user", SECRET, final=True), *barge_in())
    await expect(tab.page.get_by_test_id("unheard")).to_be_attached()
    figures = tab.page.get_by_test_id("quality")
    await figures.locator("summary").click()
    for name in ("Round trip", "Jitter buffer", "Lost packets", "Codec", "Path"):
        value = figures.locator("div", has=tab.page.get_by_text(name, exact=True)).locator("dd")
        await expect(value).not_to_have_text("–")
    await tab.page.get_by_test_id("copy-report").click()
    await expect(figures.get_by_role("status")).to_contain_text("Copied")
    text = await tab.page.evaluate("navigator.clipboard.readText()")
    report: dict[str, Any] = json.loads(text)
    assert report["connection"] == "live"
    assert report["stats"][-1]["codec"] == "opus"
    assert report["turns"][-1]["response_id"] == "r1"
    assert report["settings"] == {"instructions": f"{len(SECRET)} characters"}
    for word in ("nobody", "Ghent", "Bruges"):
        assert word not in text
    assert tab.unexpected() == []


async def test_a_report_can_be_read_where_it_can_not_be_copied(serve: Serve, browser_page: OpenPage) -> None:
    tab = await browser_page()
    await tab.page.add_init_script("Clipboard.prototype.writeText = async () => { throw new DOMException('no') }")
    await try_to_call(tab, await serve(server(status=418, message="I am a teapot.")))
    problem = tab.page.get_by_test_id("problem")
    await expect(problem).to_have_attribute("data-kind", "refused")
    await problem.get_by_test_id("copy-report").click()
    report = json.loads(await problem.get_by_role("textbox").input_value())
    assert report["problem"] == {"kind": "refused", "status": 418, "message": "I am a teapot."}
    assert tab.unexpected(HTTP_ERROR) == []


@pytest.mark.parametrize(
    ("form", "holds"),
    [
        ("txt", "Agent: The next train to Ghent leaves at ten past four, from [not heard: platform nine."),
        ("vtt", "--> "),
        ("json", '"heard": "The next train to Ghent leaves at ten past four, from"'),
    ],
)
async def test_a_transcript_can_be_kept(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage, tmp_path: Path, form: str, holds: str
) -> None:
    """During the call and after it."""
    tab = await call(scripted, serve, browser_page)
    await scripted.send(*barge_in())
    await expect(tab.page.get_by_test_id("unheard")).to_be_attached()
    if form == "json":
        await tab.page.get_by_test_id("hangup").click()
        await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    await tab.page.get_by_test_id("save").click()
    async with tab.page.expect_download() as download:
        await tab.page.get_by_test_id(f"save-{form}").click()
    file = await download.value
    assert re.fullmatch(rf"antiphon-\d{{4}}-\d\d-\d\d-\d{{4}}\.{form}", file.suggested_filename)
    await file.save_as(tmp_path / "saved")
    assert holds in await asyncio.to_thread((tmp_path / "saved").read_text)
    await expect(tab.page.get_by_test_id(f"save-{form}")).not_to_be_visible()
    assert tab.unexpected() == []


async def test_lines_say_their_language_and_only_finished_ones_are_announced(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await call(scripted, serve, browser_page)
    session = {"audio": {"input": {"transcription": {"language": "ar"}}}}
    await scripted.send(
        events.SessionCreated(session=session),
        caption("u1", "user", "مرحبا", final=True),
        delta("أهلا بك."),
        caption("a1", "assistant", "أهلا بك.", final=True),
        caption("u2", "user", "شكرا جز", stable=4),
    )
    words = tab.page.get_by_test_id("user-transcript")
    await expect(words).to_have_count(2)
    assert await words.first.evaluate("(line) => [line.lang, line.dir, getComputedStyle(line).direction]") == [
        "ar",
        "auto",
        "rtl",
    ]
    announced = tab.page.get_by_role("log")
    await expect(announced.get_by_test_id("user-transcript")).to_have_count(1)
    await expect(announced.get_by_test_id("agent-transcript")).to_have_count(1)
    growing = tab.page.locator("[aria-live=off]", has=tab.page.get_by_text("شكرا"))
    await expect(growing.first).to_be_attached()
    await scripted.send(caption("u2", "user", "شكرا جزيلا", final=True))
    await expect(announced.get_by_test_id("user-transcript")).to_have_count(2)
    assert tab.unexpected() == []


async def test_meters_are_read_out_and_not_too_often(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab: BrowserPage = await call(scripted, serve, browser_page)
    for name in ("You", "Agent"):
        meter = tab.page.get_by_role("meter", name=name)
        await expect(meter).to_have_attribute("aria-valuetext", re.compile(r"^(−?\d+ dB|too loud)$"))
    changes = await tab.page.get_by_role("meter", name="You").evaluate(
        """(meter) => new Promise((done) => {
            let seen = 0;
            new MutationObserver((all) => { seen += all.length })
              .observe(meter, { attributes: true, attributeFilter: ["aria-valuetext"] });
            setTimeout(() => done(seen), 2000);
        })"""
    )
    assert 1 <= changes <= 5, f"{changes} changes in two seconds"
    assert tab.unexpected() == []


async def test_the_whole_call_is_there_for_the_keyboard(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """From the lobby over settings and the call to the transcript that stays, without a mouse."""
    tab = await browser_page()
    await tab.page.goto(await serve(scripted.application()))
    keyboard = tab.page.keyboard

    async def tab_to(name: str) -> None:
        wanted = tab.page.get_by_test_id(name)
        for _ in range(30):
            if await wanted.evaluate("(element) => element === document.activeElement"):
                return
            await keyboard.press("Tab")
        raise AssertionError(f"{name} can not be reached with Tab")

    await tab_to("open-settings")
    await keyboard.press("Enter")
    await expect(tab.page.get_by_role("dialog", name="Settings")).to_be_visible()
    await keyboard.press("Escape")
    await expect(tab.page.get_by_test_id("open-settings")).to_be_focused()
    await keyboard.press("Shift+Tab")
    await tab_to("start")
    await keyboard.press("Enter")
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    await scripted.send(*barge_in())
    await expect(tab.page.get_by_test_id("unheard")).to_be_visible()
    await tab_to("textbox")
    await keyboard.type("And to Bruges?")
    await keyboard.press("Enter")
    assert (await scripted.next())["type"] == "conversation.item.create"
    await tab_to("mute")
    await keyboard.press("Enter")
    await tab.until("antiphon.talk.muted.value")
    await tab_to("hangup")
    await keyboard.press("Enter")
    await expect(tab.page.get_by_test_id("start")).to_be_focused()
    await tab_to("save")
    await keyboard.press("Enter")
    await expect(tab.page.get_by_test_id("save-txt")).to_be_visible()
    await tab_to("save-txt")
    await keyboard.press("Escape")
    await expect(tab.page.get_by_test_id("save-txt")).not_to_be_visible()
    await expect(tab.page.get_by_test_id("save")).to_be_focused()
    assert tab.unexpected(HTTP_ERROR) == []
