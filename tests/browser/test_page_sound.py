"""What the agent hears and where its voice comes out: devices, processing, a shared tab, plugs pulled and put in."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import BrowserPage, OpenPage
from tests.browser.test_page_offline import server
from tests.browser.test_page_scripted import ScriptedServer, Serve, call, scripted

__all__ = ["scripted"]  # the fixture
pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

TRACK = "antiphon.microphone.stream.value.getAudioTracks()[0]"
SHARED = """
window.video = null;
MediaDevices.prototype.getDisplayMedia = async () => {
  const context = new AudioContext();
  const sound = new MediaStreamAudioDestinationNode(context);
  const tone = new OscillatorNode(context, { frequency: 400 });
  tone.connect(sound);
  tone.start();
  window.video = document.createElement("canvas").captureStream().getVideoTracks()[0];
  return new MediaStream([...sound.stream.getAudioTracks(), window.video]);
};
"""
"""A tab whose sound is a steady tone."""
HEADSET = """
window.plugged = false;
const list = MediaDevices.prototype.enumerateDevices;
MediaDevices.prototype.enumerateDevices = async function () {
  const all = await list.call(this);
  const [first] = all.filter((device) => device.kind === "audioinput" && device.deviceId !== "default");
  return window.plugged ? all : all.filter((device) => device.deviceId !== first.deviceId);
};
"""
"""The first microphone is a headset, which is plugged in only when the test says so."""
LOCKS = """
window.locks = [];
const request = WakeLock.prototype.request;
WakeLock.prototype.request = async function (type) {
  const lock = await request.call(this, type);
  window.locks.push(lock);
  return lock;
};
"""


async def checking(tab: BrowserPage, url: str) -> None:
    """Unfolds the check in the lobby and opens the microphone."""
    await tab.page.goto(url)
    await tab.page.get_by_text("Check the microphone").click()
    await tab.page.get_by_test_id("try-microphone").click()
    await tab.until("antiphon.microphone.stream.value !== null")


async def test_the_test_sound_plays_through_the_chosen_speaker(serve: Serve, browser_page: OpenPage) -> None:
    tab = await browser_page()
    await tab.page.add_init_script(
        "window.sinks = [];"
        "const set = HTMLMediaElement.prototype.setSinkId;"
        "HTMLMediaElement.prototype.setSinkId ="
        " async function (id) { window.sinks.push(id); return set.call(this, id) }"
    )
    await checking(tab, await serve(server()))
    speaker = tab.page.get_by_test_id("speaker")
    chosen = await speaker.locator("option").nth(1).get_attribute("value")
    assert chosen
    await speaker.select_option(chosen)
    await tab.page.evaluate("window.sinks.length = 0")
    button = tab.page.get_by_test_id("test-sound")
    await button.click()
    await expect(button).to_be_disabled()
    await expect(button).to_be_enabled(timeout=10_000)
    assert await tab.page.evaluate("window.sinks") == [chosen]
    await expect(tab.page.get_by_role("alert")).to_have_count(0)
    assert tab.unexpected() == []


async def test_processing_is_switched_off_for_headsets_and_stays_off(serve: Serve, browser_page: OpenPage) -> None:
    tab = await browser_page()
    url = await serve(server())
    await checking(tab, url)
    assert await tab.page.evaluate(f"{TRACK}.getSettings().echoCancellation")
    await tab.page.get_by_test_id("echoCancellation").uncheck()
    await tab.until(f"antiphon.microphone.stream.value && {TRACK}.getSettings().echoCancellation === false")
    await checking(tab, url)
    await expect(tab.page.get_by_test_id("echoCancellation")).not_to_be_checked()
    assert await tab.page.evaluate(f"{TRACK}.getSettings().echoCancellation") is False
    assert await tab.page.evaluate(f"{TRACK}.getSettings().noiseSuppression")
    assert tab.unexpected() == []


async def test_a_tab_s_sound_is_heard_in_place_of_the_microphone(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """And when it is no longer shared, the call goes on with the microphone, muted."""
    tab = await browser_page()
    await tab.page.add_init_script(SHARED)
    await tab.page.goto(await serve(scripted.application()))
    await tab.page.get_by_text("Check the microphone").click()
    await tab.page.get_by_test_id("origin").select_option("screen")
    await expect(tab.page.get_by_text("tick that its sound is shared")).to_be_visible()
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    await tab.until("antiphon.levels.read('microphone').rms_dbfs > -6")
    assert await tab.page.evaluate("window.video.readyState") == "ended", "the picture is still recorded"
    await tab.page.evaluate(f"{TRACK}.stop(); {TRACK}.dispatchEvent(new Event('ended'))")
    await tab.until("antiphon.microphone.origin.value === 'microphone' && antiphon.microphone.stream.value !== null")
    await tab.until(f"{TRACK}.label.includes('Fake')")
    assert await tab.page.evaluate("antiphon.connection.value") == "live"
    assert await tab.page.evaluate("antiphon.muted.value"), "who shared a tab is overheard without having said so"
    assert tab.unexpected() == []


@pytest.mark.parametrize(
    ("share", "kind"),
    [
        ("throw new DOMException('Permission denied', 'NotAllowedError')", "nothing-shared"),
        ("return document.createElement('canvas').captureStream()", "no-sound-shared"),
    ],
)
async def test_a_share_without_sound_is_told(serve: Serve, browser_page: OpenPage, share: str, kind: str) -> None:
    tab = await browser_page()
    await tab.page.add_init_script(f"MediaDevices.prototype.getDisplayMedia = async () => {{ {share} }}")
    await tab.page.goto(await serve(server()))
    await tab.page.get_by_text("Check the microphone").click()
    await tab.page.get_by_test_id("origin").select_option("screen")
    await tab.page.get_by_test_id("start").click()
    await expect(tab.page.get_by_test_id("problem")).to_have_attribute("data-kind", kind)
    assert tab.unexpected() == []


async def test_a_chosen_microphone_is_the_one_that_records_while_it_is_there(
    serve: Serve, browser_page: OpenPage
) -> None:
    """One that is gone is replaced by the standard one, and nobody is asked."""
    tab = await browser_page()
    url = await serve(server())
    await checking(tab, url)
    device = tab.page.get_by_test_id("device")
    chosen = await device.locator("option").last.get_attribute("value")
    assert chosen
    await device.select_option(chosen)
    await tab.until(f"antiphon.microphone.stream.value && {TRACK}.getSettings().deviceId === '{chosen}'")
    await tab.page.evaluate("localStorage.setItem('antiphon.microphone', 'gone')")
    await checking(tab, url)
    assert await tab.page.evaluate(f"{TRACK}.readyState") == "live"
    assert tab.unexpected() == []


async def test_a_headset_is_used_again_as_soon_as_it_is_plugged_in(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await browser_page()
    await tab.page.add_init_script(HEADSET)
    await tab.page.goto(await serve(scripted.application()))
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    await tab.page.evaluate(
        "(async () => { const all = await navigator.mediaDevices.enumerateDevices.call(navigator.mediaDevices);"
        " window.plugged = true;"
        " const more = await navigator.mediaDevices.enumerateDevices();"
        " window.headset = more.find((device) => !all.some((other) => other.deviceId === device.deviceId)).deviceId;"
        " antiphon.microphone.chosen.value = window.headset;"
        " navigator.mediaDevices.dispatchEvent(new Event('devicechange')) })()"
    )
    await tab.until(
        f"antiphon.microphone.stream.value && {TRACK}.getSettings().deviceId === window.headset"
        f" && {TRACK}.readyState === 'live'"
    )
    assert await tab.page.evaluate("antiphon.connection.value") == "live"
    assert tab.unexpected() == []


async def test_a_microphone_that_is_pulled_out_does_not_end_the_call(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await call(scripted, serve, browser_page)
    await tab.page.evaluate(f"window.before = {TRACK}; before.stop(); before.dispatchEvent(new Event('ended'))")
    await tab.until(f"antiphon.microphone.stream.value && {TRACK} !== window.before && {TRACK}.readyState === 'live'")
    assert await tab.page.evaluate("antiphon.connection.value") == "live"
    assert tab.unexpected() == []


async def test_the_screen_stays_on_during_a_call(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await browser_page()
    await tab.page.add_init_script(LOCKS)
    await tab.page.goto(await serve(scripted.application()))
    assert await tab.page.evaluate("window.locks.length") == 0
    await tab.page.get_by_test_id("start").click()
    await tab.until("window.locks.length === 1 && !window.locks[0].released", within_s=15)
    await tab.page.get_by_test_id("hangup").click()
    await tab.until("window.locks[0].released")
    await expect(tab.page.locator("audio")).to_have_attribute("playsinline", "")
    assert tab.unexpected() == []
