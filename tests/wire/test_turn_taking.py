"""Turn-taking over the wire: greeting, push to talk, stop, coughs, echo, policies, and what heals itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import numpy as np
import pytest

from agent.audio import I16, WIRE_RATE
from agent.caller import Caller, trimmed
from agent.settings import AgentSettings, load
from agent.worker import Worker
from bench.speech import spoken
from tests.people import models_missing, second_ears, serving, transcribed
from tests.scripted_llm import Answer, ScriptedLLM, scripted_llm

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(90),
]

QUESTION = trimmed(spoken("What is the capital of France?").pcm)
STORY = (
    "One is a number. Two is a number. Three is a number. Four is a number. Five is a number. Six is a number. "
    "Seven is a number. Eight is a number."
)
Serve = Callable[..., AbstractAsyncContextManager[tuple[str, Worker, ScriptedLLM]]]


@pytest.fixture
def serve() -> Serve:
    """A server with a scripted language model and these settings."""

    @asynccontextmanager
    async def start(answers: list[Answer | str], **tables: dict[str, Any]) -> AsyncIterator[Any]:
        def mind(messages: list[dict[str, str]]) -> Answer | str:
            if messages[-1]["content"].startswith("Hello, how"):
                return "Hello."  # the warm-up
            return answers.pop(0) if len(answers) > 1 else answers[0]

        async with scripted_llm(mind) as llm:
            flags: dict[str, Any] = {"llm": {"url": llm.url, "model": "scripted"}, **tables}
            settings = await asyncio.to_thread(lambda: load(**flags))
            async with serving(settings) as (url, worker):
                yield url, worker, llm

    return start


def cough() -> I16:
    """Two bursts of shaped noise."""
    noise = np.random.default_rng(1).standard_normal(WIRE_RATE // 2)
    t = np.arange(len(noise)) / WIRE_RATE
    envelope = np.exp(-((t - 0.08) ** 2) / 0.001) + 0.8 * np.exp(-((t - 0.3) ** 2) / 0.002)
    return (9000 * np.clip(np.convolve(noise, np.ones(12) / 12, "same") * envelope, -3, 3)).astype(np.int16)


async def speaking(caller: Caller, question: I16 = QUESTION) -> int:
    """Have something told; the position in the events at which it became audible."""
    await caller.say(question)
    await caller.event("output_audio_buffer.started", after=len(caller.events), within_s=15.0)
    return len(caller.events)


def cut(caller: Caller, after: int) -> bool:
    """Whether a reply was cut since."""
    return any(event["type"] == "output_audio_buffer.cleared" for event in caller.events[after:])


async def test_the_agent_can_speak_first_and_remembers_it(serve: Serve) -> None:
    greeting = "Good morning, this is the harbour office."
    async with serve(["It is noon."], agent={"greeting": greeting}) as (url, _, llm), Caller(url) as caller:
        await caller.event("output_audio_buffer.started", within_s=10.0)
        await caller.event("output_audio_buffer.stopped", within_s=10.0)
        heard = caller.ear.sound()
        await caller.say(QUESTION)
        await caller.event("response.done", after=len(caller.events), within_s=10.0)
        assert {"role": "assistant", "content": greeting} in llm.requests[-1]["messages"]
    text = await asyncio.to_thread(lambda: transcribed(second_ears(), heard))
    assert "harbour office" in text.lower().replace("harbor", "harbour")


async def test_push_to_talk_is_answered_when_it_is_asked_for_and_not_before(serve: Serve) -> None:
    async with serve(["Paris."]) as (url, _, _), Caller(url) as caller:
        turns = {"audio": {"input": {"turn_detection": None}}}
        caller.send({"type": "session.update", "session": {"type": "realtime", **turns}})
        await caller.event("session.updated")
        await caller.say(QUESTION)
        await asyncio.sleep(2.5)
        assert not caller.of("response.created")
        caller.send({"type": "input_audio_buffer.commit"})
        caller.send({"type": "response.create"})
        done = await caller.event("conversation.item.input_audio_transcription.completed")
        assert "capital" in done["transcript"]
        await caller.event("output_audio_buffer.started", within_s=10.0)
        after = len(caller.events)
        await caller.say(QUESTION)  # speech does not interrupt
        assert not cut(caller, after)


async def test_stop_is_obeyed_and_not_answered(serve: Serve) -> None:
    async with serve([STORY]) as (url, _, _), Caller(url) as caller:
        after = await speaking(caller)
        await asyncio.sleep(1.0)
        await caller.say(trimmed(spoken("Stop.").pcm))
        await caller.event("output_audio_buffer.cleared", after=after, within_s=3.0)
        await caller.hears_silence(2.5, within_s=4.0)
        assert len(caller.of("response.created")) == 1
        assert caller.of("antiphon.phase")[-1]["phase"] == "idle"


@pytest.mark.parametrize("sound", ["cough", "Mm-hmm.", "Right."])
async def test_a_sound_that_is_no_interruption_does_not_cost_a_word(serve: Serve, sound: str) -> None:
    async with serve([STORY]) as (url, _, _), Caller(url) as caller:
        after = await speaking(caller)
        await asyncio.sleep(1.0)
        await caller.say(cough() if sound == "cough" else trimmed(spoken(sound).pcm))
        await caller.event("antiphon.timeline", after=after, within_s=40.0)
        assert not cut(caller, after)
        assert len(caller.of("response.created")) == 1
        final = [event["text"] for event in caller.of("antiphon.caption") if event["final"]]
        assert final == [STORY]


async def test_our_own_echo_does_not_interrupt(serve: Serve) -> None:
    async with serve([STORY]) as (url, _, _), Caller(url) as caller:
        after = await speaking(caller)
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(2.2)
        heard = caller.ear.sound(began - 0.1)
        await caller.say((heard * 0.5).astype(np.int16))
        await caller.event("output_audio_buffer.stopped", after=after, within_s=40.0)
        assert not cut(caller, after)


async def test_an_answer_can_be_finished_first(serve: Serve) -> None:
    short = "One is a number. Two is a number. Three is a number."
    async with (
        serve([short, "Madrid."], turn={"interruption": "after"}) as (url, _, llm),
        Caller(url) as caller,
    ):
        after = await speaking(caller)
        await caller.say(trimmed(spoken("And what is the capital of Spain?").pcm))
        stopped = await caller.event("output_audio_buffer.stopped", after=after, within_s=20.0)
        assert not cut(caller, after)
        await caller.event("output_audio_buffer.started", after=caller.events.index(stopped), within_s=10.0)
        assert "Spain" in llm.requests[-1]["messages"][-1]["content"]
        said = [m["content"] for m in llm.requests[-1]["messages"] if m["role"] == "assistant"]
        assert said == [short]


async def test_somebody_who_never_pauses_is_cut_in_on(serve: Serve) -> None:
    text = "I wanted to tell you about my holiday in the mountains where it rained for a whole week without any break"
    endless = np.concatenate([trimmed(spoken(text).pcm)] * 2)
    async with serve(["How sad."], turn={"most_turn_s": 4.0}) as (url, _, llm), Caller(url) as caller:
        await caller.say(endless)
        assert caller.of("response.created"), "while the person still spoke"
        words = await caller.event("response.output_audio_transcript.done", within_s=10.0)
        assert words["transcript"].startswith(AgentSettings().cut_in)
        first = [request["messages"][-1]["content"] for request in llm.requests if "stream" in request]
        assert any("holiday" in content for content in first)


async def test_a_silent_line_is_asked_whether_anybody_is_there(serve: Serve) -> None:
    async with serve(["Paris."], turn={"reprompt_s": 1.5}) as (url, _, _), Caller(url) as caller:
        after = await speaking(caller)
        for _ in range(2):
            done = await caller.event("response.output_audio_transcript.done", after=after, within_s=10.0)
            while done["transcript"].strip() != AgentSettings().reprompt:
                after = caller.events.index(done) + 1
                done = await caller.event("response.output_audio_transcript.done", after=after, within_s=10.0)
            after = caller.events.index(done) + 1
        await caller.quiet(3.0, within_s=10.0)
        assert len(caller.of("response.created")) == 3, "one answer, and asked twice"


async def test_an_answer_that_gets_stuck_is_given_up_with_an_apology(serve: Serve) -> None:
    """The language model goes silent after the first sentence; its connection stays open."""
    stuck = Answer(["One ", "is ", "a ", "number. ", "Two "], fault="stall")
    async with (
        serve([stuck, "Fine."], limits={"stuck_s": 1.5}, turn={"drafts": False}) as (url, worker, _),
        Caller(url) as caller,
    ):
        after = await speaking(caller)
        failed = await caller.event("response.done", after=after, within_s=10.0)
        assert failed["response"]["status"] == "failed"
        phases = [event["phase"] for event in caller.of("antiphon.phase")]
        assert phases[phases.index("speaking") + 1] == "thinking", "it did not pretend to speak"
        apology = await caller.event(
            "response.output_audio_transcript.done", after=caller.events.index(failed) + 1, within_s=10.0
        )
        assert apology["transcript"].strip() == AgentSettings().apology
        await caller.event("output_audio_buffer.stopped", after=caller.events.index(apology), within_s=10.0)
        after = await speaking(caller)
        assert worker.metrics.stalls.labels("stuck")._value.get() == 1
        assert worker.metrics.stalls.labels("starved")._value.get() >= 1
