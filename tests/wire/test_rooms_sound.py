"""What people in a room hear: all the others and the agent, whole, and never themselves; and what is written down."""

from __future__ import annotations

import asyncio

import pytest

from agent.audio import I16, TICK_SAMPLES, dbfs
from agent.caller import Caller, trimmed
from agent.worker import Worker
from bench.speech import spoken
from bench.turn_cases import recorded
from bench.wer import Errors, word_errors
from tests.people import models_missing, second_ears, transcribed
from tests.roommates import history, remembered, rooms, together, until

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(180),
]

WORSE = 0.2
"""of the words that somebody else may hear wrong"""
QUIET_DBFS = -60.0
AFTER_S = 0.4
"""for the last word to arrive"""
CLIPS = [clip for clip in recorded(longest_s=6.0) if len(clip.text.split()) >= 5][:5]
SAID = [trimmed(clip.pcm) for clip in CLIPS]
ASK = trimmed(spoken("Antiphon, what time is it?").pcm)


async def said(talker: Caller, pcm: I16) -> tuple[float, float]:
    """From when until when the others hear it."""
    await talker.say(pcm)
    await asyncio.sleep(AFTER_S)
    return talker.began_at, asyncio.get_running_loop().time()


def loud(caller: Caller, since: float, until: float) -> int:
    """Packets that can be heard."""
    return sum(frame.dbfs > QUIET_DBFS for frame in caller.ear.frames if since < frame.at <= until)


async def test_three_people_in_turn_hear_each_others_words_and_not_their_own() -> None:
    ears = await asyncio.to_thread(second_ears)
    errors = Errors()
    async with rooms(policy="scribe") as (url, worker, _), together(url, "Ann", "Ben", "Cid") as people:
        for n, talker in enumerate(people):
            since, until_then = await said(talker, SAID[n])
            for other in people:
                if other is talker:
                    assert loud(other, since, until_then) == 0, "one hears oneself"
                else:
                    heard = await asyncio.to_thread(transcribed, ears, other.ear.sound(since, until_then))
                    errors += word_errors(CLIPS[n].text, heard)
            await remembered(worker, ("Ann", "Ben", "Cid")[n], "")
        assert errors.rate <= WORSE, errors
        await settled(worker, 3)
        told = [(who, text) for who, text in history(worker) if who in ("Ann", "Ben", "Cid")]
    assert [who for who, _ in told] == ["Ann", "Ben", "Cid"], told
    wrong = sum((word_errors(clip.text, text) for clip, (_, text) in zip(CLIPS, told, strict=False)), Errors())
    assert wrong.rate <= WORSE, told


async def settled(worker: Worker, turns: int) -> None:
    """Wait until the agent remembers so many turns of people."""
    async with asyncio.timeout(15.0):
        while sum(who not in ("user", "assistant") for who, _ in history(worker)) < turns:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_five_people_over_each_other_are_heard_by_all_and_written_down_each_once() -> None:
    names = ("Ann", "Ben", "Cid", "Dan", "Eve")
    async with rooms(policy="scribe", capacity=5) as (url, worker, llm), together(url, *names) as people:

        async def later(n: int) -> None:
            await asyncio.sleep(0.8 * n)
            await people[n].say(SAID[n])

        async with asyncio.TaskGroup() as group:
            for n in range(5):
                group.create_task(later(n))
        await settled(worker, 5)
        for n, talker in enumerate(people):
            others = [other for other in people if other is not talker]
            # While all speak, each hears the others: more than silence, and as loud as a voice.
            assert all(heard_while(other, talker) > -40.0 for other in others), names[n]
        told = history(worker)
        assert not llm.requests, "a scribe does not think"
    for n, name in enumerate(names):
        theirs = " ".join(text for who, text in told if who == name)
        assert word_errors(CLIPS[n].text, theirs).rate <= 2 * WORSE, (CLIPS[n].text, theirs)


def heard_while(other: Caller, talker: Caller) -> float:
    """The loudest half second, dBFS, that one heard while another spoke."""
    sound = other.ear.sound(talker.began_at, talker.said_at + AFTER_S)
    size = 25 * TICK_SAMPLES
    return max((dbfs(sound[at : at + size]) for at in range(0, max(1, len(sound) - size), size)), default=-100.0)


async def test_all_hear_the_agent_and_whoever_speaks_with_it() -> None:
    async with rooms("Ten and twelve are numbers.") as (url, worker, _), together(url, "Ann", "Ben", "Cid") as people:
        ended = await people[0].say(ASK)
        for person in people:
            await person.hears(ended, within_s=10.0)
        await until(people[1], "output_audio_buffer.started")
        spoke = await people[1].say(SAID[0])
        assert spoke
        assert heard_while(people[2], people[1]) > -40.0
        await remembered(worker, "Ben", "")


async def test_who_turns_somebody_down_does_not_hear_them_and_the_others_do() -> None:
    async with rooms(policy="scribe") as (url, _, _), together(url, "Ann", "Ben", "Cid") as (ann, ben, cid):
        me = (await until(ann, "antiphon.room.state"))["you"]
        ben.send({"type": "antiphon.room.volume", "person_id": me, "volume": 0})
        await asyncio.sleep(0.2)
        since, until_then = await said(ann, SAID[0])
        assert loud(ben, since + 0.1, until_then) == 0
        assert loud(cid, since, until_then) > 20


async def test_who_is_muted_is_not_heard_by_anybody_nor_written_down() -> None:
    async with rooms(policy="scribe") as (url, worker, _), together(url, "Ann", "Ben") as (ann, ben):
        ann.send({"type": "antiphon.room.mute", "muted": True})
        await until(ben, "antiphon.room.changed", lambda event: event["person"]["muted"])
        since, until_then = await said(ann, SAID[0])
        assert loud(ben, since, until_then) == 0
        await ben.say(SAID[1])
        await remembered(worker, "Ben", "")
        assert not [text for who, text in history(worker) if who == "Ann"]


async def test_who_drops_and_returns_is_the_same_person_and_heard_again() -> None:
    async with rooms(policy="scribe") as (url, worker, _), together(url, "Ann", "Ben") as (ann, ben):
        me = (await until(ann, "antiphon.room.state"))["you"]
        location = ann.location
        await ann.vanish()
        await until(ben, "antiphon.room.changed", lambda e: e["person"]["id"] == me and not e["person"]["here"], 40.0)
        async with Caller(url, before=location) as again:
            state = await until(again, "antiphon.room.state")
            assert state["you"] == me
            assert [person["name"] for person in state["people"]] == ["Ann", "Ben"]
            since, until_then = await said(again, SAID[0])
            assert loud(ben, since, until_then) > 20
            await remembered(worker, "Ann", "")
            assert not ben.of("antiphon.room.left"), "dropped is not left"


async def test_names_are_text_however_long_and_whatever_is_in_them() -> None:
    wild = "<img src=x onerror=alert(1)>" + "A" * 7000
    async with rooms(policy="scribe") as (url, _, _), together(url, wild, "\u202eBen\x00\n") as (_, ben):
        state = await until(ben, "antiphon.room.state")
        names = [person["name"] for person in state["people"]]
        assert names[0].startswith("<img src=x onerror=alert(1)>")
        assert len(names[0]) <= 40
        assert names[1] == "Ben"
