"""Keys in a call: mute, push to talk, captions, the list of keys; and what they do not do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import expect

from agent.audio import WIRE_RATE, write_wav
from agent.realtime import events
from tests.browser.conftest import BrowserPage, OpenPage
from tests.browser.test_page_offline import HTTP_ERROR
from tests.browser.test_page_scripted import ScriptedServer, Serve, call, caption, scripted

__all__ = ["scripted"]  # the fixture
pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

DETECTION = {"type": "server_vad", "silence_duration_ms": 300, "interrupt_response": True, "idle_timeout_ms": None}
SESSION = {"instructions": "Be kind.", "audio": {"input": {"turn_detection": DETECTION}, "output": {"voice": "hibari"}}}
UNPROCESSED = "localStorage.setItem('antiphon.processing', 'echoCancellation noiseSuppression autoGainControl')"


def turns(event: dict[str, Any]) -> Any:
    """The turn detection that a `session.update` asks for."""
    assert event["type"] == "session.update", event
    return event["session"]["audio"]["input"]["turn_detection"]


async def types(scripted: ScriptedServer, count: int) -> list[str]:
    """The types of the next events."""
    return [(await scripted.next())["type"] for _ in range(count)]


async def test_who_speaks_while_muted_is_told(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage, tmp_path: Path
) -> None:
    tone = 8000 * np.sin(2 * np.pi * 300 * np.arange(30 * WIRE_RATE) / WIRE_RATE)
    write_wav(tmp_path / "tone.wav", tone.astype(np.int16), WIRE_RATE)
    tab = await browser_page(wav=tmp_path / "tone.wav")
    await tab.page.add_init_script(UNPROCESSED)
    await tab.page.goto(await serve(scripted.application()))
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    hint = tab.page.get_by_test_id("unheard-speech")
    await expect(hint).to_have_count(0)
    await tab.page.keyboard.press("m")
    await expect(tab.page.get_by_test_id("phase")).to_contain_text("Your microphone is muted.")
    await expect(hint).to_have_role("alert")
    await expect(hint).to_contain_text("You are muted.")
    await expect(tab.page.get_by_role("meter", name="You")).to_have_attribute("data-held-back", "true")
    await tab.page.keyboard.press("M")
    await expect(hint).to_have_count(0)
    await expect(tab.page.get_by_test_id("mute")).to_contain_text("Mute")
    assert tab.unexpected() == []


async def test_space_is_held_to_talk(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage) -> None:
    """The turn is the hand's while the key is down, and the ear's again when it is closed."""
    tab = await call(scripted, serve, browser_page)
    await scripted.send(events.SessionCreated(session=SESSION), events.Phase(phase="speaking"))
    await expect(tab.page.get_by_test_id("phase")).to_have_attribute("data-phase", "speaking")
    await tab.page.keyboard.press("m")
    await tab.page.keyboard.down(" ")
    assert turns(await scripted.next()) is None
    assert await types(scripted, 2) == ["response.cancel", "output_audio_buffer.clear"]
    assert await tab.page.evaluate("antiphon.talk.open"), "muted, and yet held: it should be heard"
    await scripted.send(events.Phase(phase="hearing"))
    await expect(tab.page.get_by_test_id("phase")).to_have_attribute("data-phase", "hearing")
    await tab.page.keyboard.up(" ")
    assert await types(scripted, 2) == ["input_audio_buffer.commit", "response.create"]
    assert not await tab.page.evaluate("antiphon.talk.open")
    await scripted.send(events.Committed(item_id="u1", previous_item_id=None))
    assert turns(await scripted.next()) == DETECTION
    assert tab.unexpected() == []


async def test_a_button_is_held_where_turns_are_the_hand_s(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await browser_page()
    await tab.page.add_init_script("localStorage.setItem('antiphon.settings', '{\"hold\":true}')")
    await tab.page.goto(await serve(scripted.application()))
    await tab.page.get_by_test_id("start").click()
    await scripted.send(events.SessionCreated(session=SESSION), events.Phase(phase="idle"))
    assert turns(await scripted.next()) is None
    await expect(tab.page.get_by_test_id("mute")).to_have_count(0)
    await expect(tab.page.get_by_test_id("phase")).to_contain_text("Hold to talk")
    assert not await tab.page.evaluate("antiphon.talk.open")
    button = tab.page.get_by_test_id("hold")
    await button.hover()
    await tab.page.mouse.down()
    await expect(button).to_contain_text("Let go to send")
    assert await tab.page.evaluate("antiphon.talk.open")
    await scripted.send(events.Phase(phase="hearing"))
    await expect(tab.page.get_by_test_id("phase")).to_have_attribute("data-phase", "hearing")
    await tab.page.mouse.move(5, 5)  # beside the button
    await tab.page.mouse.up()
    assert await types(scripted, 2) == ["input_audio_buffer.commit", "response.create"]
    await scripted.send(events.Phase(phase="idle"))
    await expect(tab.page.get_by_test_id("phase")).to_have_attribute("data-phase", "idle")
    await button.focus()
    await tab.page.keyboard.down("Enter")
    await tab.page.keyboard.up("Enter")
    assert await types(scripted, 1) == ["input_audio_buffer.clear"], "nobody spoke: there is nothing to answer"
    assert tab.unexpected() == []


async def test_c_hides_the_words_and_shows_them(scripted: ScriptedServer, serve: Serve, browser_page: OpenPage) -> None:
    tab = await call(scripted, serve, browser_page)
    await scripted.send(caption("u1", "user", "Hello.", final=True))
    words = tab.page.get_by_test_id("user-transcript")
    await expect(words).to_be_visible()
    await tab.page.keyboard.press("c")
    await expect(words).to_have_count(0)
    await expect(tab.page.get_by_test_id("textbox")).to_be_visible()
    await tab.page.keyboard.press("c")
    await expect(words).to_be_visible()
    assert tab.unexpected() == []


async def test_keys_are_listed_and_esc_in_a_dialog_interrupts_nobody(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await call(scripted, serve, browser_page)
    await tab.page.keyboard.press("?")
    listed = tab.page.get_by_role("dialog", name="Keys")
    for key in ("Esc", "Space", "M", "C", "?"):
        await expect(listed.get_by_text(key, exact=True)).to_be_visible()
    await tab.page.keyboard.press("m")
    assert not await tab.page.evaluate("antiphon.talk.muted.value"), "a key behind the dialog did something"
    await tab.page.keyboard.press("Escape")
    await expect(listed).to_have_count(0)
    await tab.page.get_by_test_id("textbox").fill("Hello")
    await tab.page.get_by_test_id("send").click()
    assert (await scripted.next())["type"] == "conversation.item.create", "Esc in the dialog was sent"
    assert tab.unexpected() == []


async def test_keys_in_a_field_are_letters_and_can_be_switched_off(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await call(scripted, serve, browser_page)
    box = tab.page.get_by_test_id("textbox")
    await box.click()
    await tab.page.keyboard.type("Mm, c? ")
    await expect(box).to_have_value("Mm, c? ")
    await expect(tab.page.get_by_role("dialog")).to_have_count(0)
    assert not await tab.page.evaluate("antiphon.talk.muted.value")
    await tab.page.get_by_test_id("open-settings").click()
    await tab.page.get_by_test_id("letters").uncheck()
    await tab.page.get_by_test_id("settings-close").click()
    await tab.page.get_by_test_id("phase").click()
    await tab.page.keyboard.press("m")
    await tab.page.keyboard.press(" ")
    assert not await tab.page.evaluate("antiphon.talk.muted.value")
    assert scripted.received.empty()
    assert tab.unexpected(HTTP_ERROR) == []


async def test_a_mouse_leaves_space_to_the_voice_and_a_keyboard_to_the_button(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """Space presses the button that has the focus; one that was clicked with a mouse has not."""
    tab: BrowserPage = await call(scripted, serve, browser_page)
    await scripted.send(events.SessionCreated(session=SESSION))
    mute = tab.page.get_by_test_id("mute")
    await mute.click()
    await expect(mute).to_have_text(re.compile("Unmute"))
    await tab.page.keyboard.press(" ")
    assert turns(await scripted.next()) is None
    await expect(mute).to_have_text(re.compile("Unmute"))
    await mute.focus()
    await tab.page.keyboard.press(" ")
    await expect(mute).to_have_text(re.compile("^Mute"))
    assert tab.unexpected() == []
