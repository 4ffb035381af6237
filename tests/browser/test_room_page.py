"""The page in a room: a real WebRTC call whose other end says who is there, who speaks, and whose words are whose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import web
from playwright.async_api import expect

from agent.realtime import events
from agent.realtime.room_events import (
    RoomChanged,
    RoomJoined,
    RoomLeft,
    RoomPerson,
    RoomRecording,
    RoomState,
    RoomTurn,
)
from agent.realtime.wire import InputText, MessageItem
from tests.browser.conftest import BrowserPage, OpenPage
from tests.browser.test_page_offline import HTTP_ERROR, problem, server, start
from tests.browser.test_page_scripted import ScriptedServer, caption, scripted

__all__ = ["scripted"]  # a fixture
pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

Serve = Callable[[web.Application], Awaitable[str]]
CROWD = ("Anna", "Ben", "Carla Cornelia von Kesselstatt", "Dör", "Ελένη")


def person(number: int, name: str, **told: Any) -> RoomPerson:
    usual = {"role": "talk", "muted": False, "speaking": False, "here": True}
    return RoomPerson(id=f"person_{number}", name=name, **(usual | told))


def state(*people: RoomPerson, **told: Any) -> RoomState:
    usual: dict[str, Any] = {"room": "kitchen", "policy": "addressed", "agent": "Antiphon", "you": "person_0"}
    return RoomState(**(usual | {"people": list(people), "capacity": 10, "recording": False} | told))


def crowd() -> list[RoomPerson]:
    """Five people, of whom one speaks, one is muted, one is away."""
    looks: list[dict[str, bool]] = [{}, {"speaking": True}, {"muted": True}, {"here": False}, {}]
    return [person(number, name, **look) for number, (name, look) in enumerate(zip(CROWD, looks, strict=True))]


def talk() -> list[events.ServerEvent]:
    """Two people, and the agent that one of them has asked."""
    said = "Antiphon, when is the next train to Ghent?"
    return [
        RoomTurn(item_id="u1", person_id="person_1"),
        caption("u1", "user", "Shall we take the train?", final=True),
        RoomTurn(item_id="u2", person_id="person_0"),
        caption("u2", "user", said, final=True),
        events.Phase(phase="speaking"),
        events.TranscriptDelta(response_id="r1", item_id="a1", delta="At ten past four, Anna."),
        caption("a1", "assistant", "At ten past four, Anna.", final=True),
        events.Phase(phase="hearing"),
        RoomTurn(item_id="u3", person_id="person_1"),
        caption("u3", "user", "That is a bit la", stable=10),
    ]


async def enter(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage, *told: events.ServerEvent, **context: Any
) -> BrowserPage:
    """A page that has joined the room, as Anna, and knows who is there."""
    tab = await browser_page(**context)
    await tab.page.goto(f"{await serve(scripted.application())}?room=kitchen")
    await tab.page.get_by_test_id("own-name").fill("Anna")
    await tab.page.get_by_test_id("start").click()
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    await scripted.send(events.SessionCreated(session={}), *(told or [state(*crowd())]))
    await expect(tab.page.get_by_test_id("people")).to_be_visible()
    return tab


async def test_the_door_says_where_it_leads_and_who_invited(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """The name is asked for once, and goes along with the call; nobody brings settings of the agent into a room."""
    tab = await browser_page()
    await tab.page.add_init_script('localStorage.setItem(\'antiphon.settings\', \'{"voice":"alloy","hold":true}\')')
    url = f"{await serve(scripted.application())}?room=kitchen#from=Tom+%3Ci%3E"
    await tab.page.goto(url)
    await expect(tab.page.get_by_test_id("room-title")).to_have_text("Room kitchen")
    await expect(tab.page.get_by_test_id("invited-by")).to_have_text("Tom <i> invites you. ")
    await tab.page.keyboard.press("Tab")
    await expect(tab.page.get_by_test_id("own-name")).to_be_focused()
    await tab.page.keyboard.type(" Zoë  <i> ")
    await tab.page.keyboard.press("Enter")
    await tab.until("antiphon.connection.value === 'live'", within_s=15)
    assert scripted.query == "extensions=antiphon&room=kitchen&name=Zoë <i>"
    await scripted.send(events.SessionCreated(session={}), state(person(0, "Zoë <i>")))
    await expect(tab.page.get_by_test_id("member")).to_contain_text("Zoë <i> (you)")
    assert await tab.page.evaluate("antiphon.talk.open"), "the others do not hear whoever ends turns by hand elsewhere"
    await tab.page.get_by_test_id("open-settings").click()
    await expect(tab.page.get_by_test_id("settings-of-all")).to_be_visible()
    assert scripted.received.empty(), await scripted.next()
    again = await tab.page.context.new_page()
    await again.goto(url)
    await expect(again.get_by_test_id("own-name")).to_have_value("Zoë <i>")
    assert tab.unexpected() == []


async def test_people_are_seen_to_come_speak_fall_silent_drop_and_leave(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await enter(scripted, serve, browser_page, state(person(0, "Anna"), person(1, "Ben")))
    page = tab.page
    ben = page.locator("[data-person=person_1]")
    await expect(page.get_by_test_id("count")).to_have_text("2 of 10")
    looks: list[tuple[dict[str, bool], str, str]] = [
        ({"speaking": True}, "data-speaking", "speaking"),
        ({"muted": True}, "data-muted", "muted"),
        ({"here": False}, "data-here", "connection lost"),
    ]
    for told, attribute, word in looks:
        await scripted.send(RoomChanged(person=person(1, "Ben", **told)))
        await expect(ben).to_have_attribute(attribute, "false" if attribute == "data-here" else "true")
        await expect(ben).to_contain_text(word)
    await scripted.send(RoomChanged(person=person(1, "Ben", speaking=True)), events.Phase(phase="hearing"))
    await expect(page.get_by_test_id("phase")).to_contain_text("Ben is speaking")
    await scripted.send(RoomJoined(person=person(2, "Carla")))
    await expect(page.get_by_test_id("member")).to_have_count(3)
    await expect(page.get_by_test_id("news")).to_have_text("Carla has come in.")
    await expect(page.get_by_test_id("news")).to_have_role("status")
    await scripted.send(RoomLeft(person_id="person_1", reason="hung_up"))
    await expect(page.get_by_test_id("news")).to_have_text("Ben has left.")
    await expect(ben).to_have_count(0)
    assert tab.unexpected() == []


async def test_captions_stand_under_names_and_are_saved_with_them(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await enter(scripted, serve, browser_page)
    await scripted.send(*talk())
    entries = tab.page.locator(".entry")
    await expect(entries).to_have_count(4)
    await expect(entries.get_by_role("heading")).to_have_text(["Ben", "You", "Antiphon", "Ben"])
    tones = [
        await entries.nth(n).get_by_role("heading").evaluate("one => getComputedStyle(one).color") for n in (0, 1, 2)
    ]
    assert len(set(tones)) == 3, "two of them look the same"
    await expect(tab.page.get_by_role("log").locator(".entry")).to_have_count(3)
    await tab.page.get_by_test_id("save").click()
    async with tab.page.expect_download() as download:
        await tab.page.get_by_test_id("save-srt").click()
    saved = await (await download.value).path()
    text = await asyncio.to_thread(saved.read_text)
    assert text.startswith("1\n00:00:00,000 --> 00:00:0")
    assert "\nBen: Shall we take the train?\n" in text
    assert "\nAnna: Antiphon, when is the next train to Ghent?\n" in text
    assert tab.unexpected() == []


async def test_who_may_only_listen_is_offered_nothing_else(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """Neither a button nor a key sends anything; others see why this person is silent."""
    tab = await enter(scripted, serve, browser_page, state(person(0, "Anna", role="listen"), person(1, "Ben")))
    for control in ("mute", "hold", "interrupt", "textbox"):
        await expect(tab.page.get_by_test_id(control)).to_have_count(0)
    own = tab.page.get_by_test_id("member").filter(has_text="Anna")
    await expect(own).to_contain_text("listening only")
    await expect(tab.page.get_by_test_id("volume")).to_have_count(1)
    await tab.page.keyboard.press(" ")
    await tab.page.keyboard.press("m")
    await expect(own).to_have_attribute("data-muted", "false")
    assert scripted.received.empty(), await scripted.next()
    await expect(tab.page.get_by_test_id("hangup")).to_be_visible()
    assert tab.unexpected() == []


async def test_what_is_written_goes_to_everybody(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await enter(scripted, serve, browser_page)
    box = tab.page.get_by_label("Write to everybody")
    await box.fill("  Hello all  ")
    await box.press("Enter")
    said = await scripted.next()
    assert (said.pop("type"), said) == ("antiphon.room.say", {"text": "Hello all"})
    item = MessageItem(id="u9", status="completed", role="user", content=[InputText(text="Hello back")])
    await scripted.send(RoomTurn(item_id="u9", person_id="person_4"), events.ItemAdded(item=item))
    await expect(tab.page.locator(".entry")).to_contain_text(CROWD[4])
    await expect(tab.page.get_by_test_id("user-transcript")).to_have_text("Hello back")
    assert scripted.received.empty(), "an answer was asked for"


async def test_each_of_the_others_can_be_louder_or_quieter(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """By keyboard, too; and a server that has lost it is told again."""
    tab = await enter(scripted, serve, browser_page)
    await expect(tab.page.get_by_test_id("volume")).to_have_count(4)
    volume = tab.page.get_by_label("Volume of Ben")
    await volume.focus()
    await tab.page.keyboard.press("ArrowLeft")
    wanted = {"type": "antiphon.room.volume", "person_id": "person_1", "volume": 0.9}
    assert await scripted.next() == wanted
    await expect(volume).to_have_attribute("aria-valuetext", "90 %")
    await scripted.send(events.SessionCreated(session={}), state(*crowd()))
    assert await scripted.next() == wanted
    await volume.press("m")
    await tab.until("antiphon.talk.muted.value")
    await volume.press("?")
    await expect(tab.page.get_by_test_id("keys")).to_contain_text("Hold to ask the agent")


async def test_in_a_scribes_room_nothing_is_offered_that_asks_the_agent(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await enter(scripted, serve, browser_page, state(*crowd(), policy="scribe"))
    await expect(tab.page.get_by_test_id("mute")).to_be_visible()
    for control in ("hold", "interrupt"):
        await expect(tab.page.get_by_test_id(control)).to_have_count(0)
    await tab.page.keyboard.press("?")
    await expect(tab.page.get_by_test_id("keys")).to_be_visible()
    await expect(tab.page.get_by_test_id("keys")).not_to_contain_text("Hold")


async def test_names_are_text_and_none_breaks_the_page(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    """Markup, 10 kB, signs that turn the line around, empty lines: in the list, the transcript and the phase."""
    names = [
        "<img src=x onerror=alert(1)>",
        "x" * 10_000,
        "\u202eevil\u202c",
        "a\n\n\nb",
        "Z\u0351\u036b\u0343" * 900,
        "",
    ]
    people = [person(n, name, speaking=True) for n, name in enumerate(names, 1)]
    viewport = {"width": 360, "height": 740}
    tab = await enter(scripted, serve, browser_page, state(person(0, "Anna"), *people), viewport=viewport)
    await scripted.send(events.Phase(phase="hearing"))
    for n in range(1, len(names) + 1):
        told = RoomTurn(item_id=f"u{n}", person_id=f"person_{n}")
        await scripted.send(told, caption(f"u{n}", "user", "<b>bold</b>", final=True))
    await expect(tab.page.locator(".entry")).to_have_count(len(names))
    await expect(tab.page.get_by_test_id("phase")).to_contain_text("<img src=x")
    await tab.page.get_by_test_id("volumes").click()
    assert await tab.page.evaluate("document.querySelectorAll('#app :is(img, b, script)').length") == 0
    assert await tab.page.evaluate("document.documentElement.scrollWidth") <= 360
    shown = await tab.page.locator(".member .name").all_inner_texts()
    assert max(map(len, shown)) <= 40
    assert shown[3:5] == ["evil", "a b"]
    assert tab.unexpected() == []


async def test_mute_is_told_and_the_agent_is_asked_by_key_and_button(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    tab = await enter(scripted, serve, browser_page, state(person(0, "Anna"), policy="moderated"))
    page = tab.page
    await page.keyboard.press("m")
    assert await scripted.next() == {"type": "antiphon.room.mute", "muted": True}
    await expect(page.get_by_test_id("member")).to_have_attribute("data-muted", "true")
    on, off = ({"type": "antiphon.room.address", "on": value} for value in (True, False))
    await page.keyboard.down(" ")
    assert await scripted.next() == on
    assert await page.evaluate("antiphon.talk.open"), "muted, and yet held: it should be heard"
    await page.keyboard.up(" ")
    assert await scripted.next() == off
    assert not await page.evaluate("antiphon.talk.open")
    button = page.get_by_test_id("hold")
    await expect(button).to_contain_text("Hold to ask Antiphon")
    await button.hover()
    await page.mouse.down()
    await expect(button).to_contain_text("Let go")
    assert await scripted.next() == on
    await page.mouse.up()
    assert await scripted.next() == off
    await scripted.send(events.SessionCreated(session={}), state(person(0, "Anna"), policy="scribe"))
    assert await scripted.next() == {"type": "antiphon.room.mute", "muted": True}, "the server had forgotten it"
    await expect(button).to_have_count(0)
    await expect(page.get_by_text("Antiphon writes along")).to_be_visible()
    assert tab.unexpected() == []


async def test_a_recording_is_announced_for_as_long_as_it_goes(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage
) -> None:
    scripted.recording = True
    door = await browser_page()
    await door.page.goto(f"{await serve(scripted.application())}?room=kitchen")
    await expect(door.page.get_by_test_id("records")).to_have_text("What is said there is recorded.")
    tab = await enter(scripted, serve, browser_page)
    banner = tab.page.get_by_test_id("recording")
    await expect(banner).to_have_count(0)
    await scripted.send(RoomRecording(on=True))
    await expect(tab.page.get_by_role("status").filter(has=banner)).to_have_text("This room is being recorded.")
    await scripted.send(RoomRecording(on=False))
    await expect(banner).to_have_count(0)


@pytest.mark.parametrize(("code", "kind"), [("room_full", "room-full"), ("wrong_room", "wrong-room")])
async def test_a_closed_door_says_why(serve: Serve, browser_page: OpenPage, code: str, kind: str) -> None:
    tab = await browser_page()
    await start(tab, f"{await serve(server(status=403, message='Not here.', code=code))}?room=kitchen")
    assert "Not here." in await problem(tab, kind)
    await expect(tab.page.get_by_test_id("token")).to_have_count(1 if code == "wrong_room" else 0)
    assert tab.unexpected(HTTP_ERROR) == []


@pytest.mark.parametrize("name", ["", "a b", "<img src=x onerror=alert(1)>"])
async def test_an_address_that_leads_to_no_room_says_so_at_once(
    serve: Serve, browser_page: OpenPage, name: str
) -> None:
    tab = await browser_page()
    url = await serve(server())
    await tab.page.goto(f"{url}?{urlencode({'room': name})}")
    assert (name or "is empty") in await problem(tab, "no-room")
    await expect(tab.page.get_by_test_id("again")).to_have_count(0)
    await tab.page.get_by_test_id("alone").click()
    await expect(tab.page.get_by_test_id("start")).to_be_enabled()
    assert tab.page.url == url
    assert tab.unexpected() == []


@pytest.mark.parametrize("people", [2, 5])
@pytest.mark.parametrize("width", [360, 1280])
async def test_a_room_fits_the_window(
    scripted: ScriptedServer, serve: Serve, browser_page: OpenPage, width: int, people: int
) -> None:
    here = state(*crowd()[:people])
    tab = await enter(scripted, serve, browser_page, here, viewport={"width": width, "height": 740})
    await scripted.send(*talk())
    await expect(tab.page.locator(".entry")).to_have_count(4)
    assert await tab.page.evaluate("document.documentElement.scrollWidth") <= width
    assert await tab.page.evaluate("document.documentElement.scrollHeight") <= 740
    for n in range(people):
        await expect(tab.page.get_by_test_id("member").nth(n)).to_be_in_viewport(ratio=1)
    for control in ("mute", "hold", "interrupt", "hangup", "textbox", "send", "invite"):
        await expect(tab.page.get_by_test_id(control)).to_be_in_viewport()
        box = await tab.page.get_by_test_id(control).bounding_box()
        assert box is not None and box["height"] >= 44, f"{control} is too small for a finger"
