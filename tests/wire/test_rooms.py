"""Rooms over the wire: people and one agent, who hears whom, who is answered, and what is remembered."""

from __future__ import annotations

import asyncio

import pytest

from agent.caller import trimmed
from bench.speech import spoken
from tests.people import models_missing
from tests.roommates import history, remembered, rooms, together, until

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

GO = trimmed(spoken("We could go to the park tomorrow.").pcm)
YES = trimmed(spoken("I would like that very much.").pcm)
TIME = trimmed(spoken("Antiphon, what time is it?").pcm)
DAY = trimmed(spoken("Antiphon, and what day is it?").pcm)
FRANCE = trimmed(spoken("What is the capital of France?").pcm)
STOP = trimmed(spoken("Stop, please.").pcm)


async def test_people_see_each_other_come_speak_and_go() -> None:
    async with rooms() as (url, _, _), together(url, "Ann", "Ben") as (ann, ben):
        state = next(e for e in ben.events if e["type"] == "antiphon.room.state")
        assert [person["name"] for person in state["people"]] == ["Ann", "Ben"]
        assert state["you"] == state["people"][1]["id"]
        await until(ann, "antiphon.room.joined", lambda e: e["person"]["name"] == "Ben")
        await ben.say(GO)
        await until(ann, "antiphon.room.changed", lambda e: e["person"]["name"] == "Ben" and e["person"]["speaking"])
        await ben.hang_up()
        left = await until(ann, "antiphon.room.left")
        assert left["person_id"] == state["you"]


async def test_the_agent_is_silent_until_it_is_named_and_knows_who_said_what() -> None:
    async with rooms() as (url, worker, llm), together(url, "Ann", "Ben") as (ann, ben):
        await ann.say(GO)
        await remembered(worker, "Ann", "park")
        await ben.say(YES)
        await remembered(worker, "Ben", "like that")
        assert not llm.requests
        ended = await ann.say(TIME)
        await ann.hears(ended, within_s=10.0)
        await ben.hears(ended, within_s=10.0)
        [request] = llm.requests
        told = "\n".join(message["content"] for message in request["messages"])
        assert "Ann: We could go to the park" in told
        assert 0 < told.index("Ben: I") < told.index("like that") < told.rindex("Ann: ")


async def test_what_two_say_at_once_is_each_ones_own() -> None:
    async with rooms() as (url, worker, _), together(url, "Ann", "Ben") as (ann, ben):
        async with asyncio.TaskGroup() as group:
            group.create_task(ann.say(GO))
            group.create_task(ben.say(YES))
        await remembered(worker, "Ann", "park")
        await remembered(worker, "Ben", "like that")
        said = [(who, text) for who, text in history(worker) if who in ("Ann", "Ben")]
        assert len(said) == 2


async def test_somebody_who_is_not_spoken_to_does_not_cut_the_agent_off() -> None:
    story = "One is a number. Two is a number. Three is a number. Four is a number. Five is a number."
    async with rooms(story) as (url, worker, _), together(url, "Ann", "Ben") as (ann, ben):
        await ann.say(TIME)
        await until(ann, "output_audio_buffer.started")
        await ben.say(GO)
        await remembered(worker, "Ben", "park")
        assert not [e for e in ann.events if e["type"] == "output_audio_buffer.cleared"]
        await ann.say(STOP)
        await until(ann, "output_audio_buffer.cleared")


async def test_who_asks_while_the_agent_answers_another_is_answered_after() -> None:
    async with rooms("Ten and twelve are numbers.") as (url, worker, llm), together(url, "Ann", "Ben") as (ann, ben):
        await ann.say(TIME)
        await until(ann, "output_audio_buffer.started")
        await ben.say(DAY)
        await remembered(worker, "Ben", "day")
        async with asyncio.timeout(15.0):
            while len(llm.requests) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert "Ben: " in llm.requests[-1]["messages"][-1]["content"]


async def test_a_line_that_is_written_is_read_by_all_and_answered_if_it_names_the_agent() -> None:
    async with rooms() as (url, _, llm), together(url, "Ann", "Ben") as (ann, ben):
        ann.send({"type": "antiphon.room.say", "text": "<b>Hello</b> all"})
        event = await until(ben, "conversation.item.added")
        assert event["item"]["content"] == [{"type": "input_text", "text": "<b>Hello</b> all"}]
        whose = next(e for e in ben.events if e["type"] == "antiphon.room.turn" and e["item_id"] == event["item"]["id"])
        me = next(e for e in ann.events if e["type"] == "antiphon.room.state")["you"]
        assert whose["person_id"] == me
        assert not llm.requests
        ben.send({"type": "antiphon.room.say", "text": "Antiphon, what time is it?"})
        await until(ann, "output_audio_buffer.started")


async def test_an_answer_to_a_written_line_is_not_timed_from_what_was_said_to_others() -> None:
    async with rooms("Yes.") as (url, worker, llm), together(url, "Ann", "Ben") as (ann, ben):
        await ann.say(GO)
        await remembered(worker, "Ann", "park")
        assert not llm.requests
        ben.send({"type": "antiphon.room.say", "text": "Antiphon, what time is it?"})
        written = await until(ben, "antiphon.timeline")
        assert (written.get("pause_ms"), written["endpoint_ms"]) == (None, 0)
        after = len(ben.events)
        await ben.say(FRANCE)
        spoken = await ben.event("antiphon.timeline", after=after, within_s=15.0)
        assert 0 < spoken["pause_ms"] < spoken["audible_ms"]


async def test_in_a_moderated_room_the_button_is_what_asks() -> None:
    async with rooms(policy="moderated") as (url, worker, llm), together(url, "Ann", "Ben") as (ann, ben):
        await ann.say(TIME)
        await remembered(worker, "Ann", "time")
        assert not llm.requests
        ben.send({"type": "antiphon.room.mute", "muted": True})
        ben.send({"type": "antiphon.room.address", "on": True})
        ended = await ben.say(FRANCE)
        ben.send({"type": "antiphon.room.address", "on": False})
        await ben.hears(ended, within_s=10.0)
        told = [
            event["person"]["muted"] for event in ann.of("antiphon.room.changed") if event["person"]["name"] == "Ben"
        ]
        assert told[0] and told[-1] and False in told, "muted, heard while holding the button, muted again"


async def test_a_scribe_never_speaks() -> None:
    async with rooms(policy="scribe") as (url, worker, llm), together(url, "Ann", "Ben") as (ann, _):
        await ann.say(TIME)
        await remembered(worker, "Ann", "time")
        assert not llm.requests


async def test_a_room_is_over_when_the_last_person_leaves() -> None:
    async with rooms() as (url, worker, _):
        async with together(url, "Ann", "Ann") as (ann, _):
            people = next(e for e in reversed(ann.events) if e["type"] == "antiphon.room.joined")
            assert people["person"]["name"] == "Ann 2"
            assert len(worker._rooms) == 2
        async with asyncio.timeout(10.0):
            while len(worker._rooms):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert not worker._rooms._named
