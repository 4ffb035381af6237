"""Calls end from every phase and leave nothing; failures are heard and the next turn works."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import psutil
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from agent.caller import AUDIBLE_DBFS, Caller, trimmed
from agent.settings import AgentSettings, Settings, load
from agent.worker import Worker
from bench.speech import spoken
from tests.people import models_missing, serving
from tests.scripted_llm import Answer, ScriptedLLM, scripted_llm

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(90),
]

QUESTION = trimmed(spoken("What is the capital of France?").pcm)
INTERRUPTION = trimmed(spoken("Stop, please. I have heard enough of that now.").pcm)
PHASES = ("idle", "hearing", "paused", "thinking", "speaking", "yielding")


class Mind:
    """What the scripted language model answers; each test sets it."""

    def __init__(self) -> None:
        self.answers: list[Answer | str] = []

    def __call__(self, messages: list[dict[str, str]]) -> Answer | str:
        if messages[-1]["content"].startswith("Hello"):
            return "Hello."  # the warm-up
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def mind() -> Mind:
    return Mind()


@pytest.fixture
async def llm(mind: Mind) -> AsyncIterator[ScriptedLLM]:
    async with scripted_llm(mind) as running:
        yield running


@pytest.fixture
def settings(llm: ScriptedLLM) -> Settings:
    return load(
        llm={"url": llm.url, "model": "scripted"}, limits={"peer_gone_s": 2.0, "connect_s": 2.0, "reconnect_s": 0.0}
    )


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[tuple[str, Worker]]:
    async with serving(settings) as running:
        yield running


def udp_sockets() -> int:
    """UDP sockets of this process."""
    return sum(c.type == socket.SOCK_DGRAM for c in psutil.Process().net_connections("inet"))


async def reached(caller: Caller, phase: str) -> None:
    """Wait until the server says that it is in this phase."""
    while not any(event["phase"] == phase for event in caller.of("antiphon.phase")):
        await caller.event("antiphon.phase", after=len(caller.events), within_s=15.0)


async def freed(worker: Worker, within_s: float) -> None:
    """Wait until the server holds no call."""
    async with asyncio.timeout(within_s):
        while worker.calls:  # noqa: ASYNC110 - the worker has no reason to announce its last call
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("phase", PHASES)
async def test_a_call_ends_from_every_phase_and_leaves_nothing(
    server: tuple[str, Worker], mind: Mind, phase: str
) -> None:
    """One of two callers hangs up, the other is gone without a word."""
    url, worker = server
    mind.answers = [Answer((), fault="stall")] if phase == "thinking" else ["one two three four five six seven. " * 9]
    before = await asyncio.to_thread(udp_sockets)
    async with Caller(url) as polite, Caller(url) as crashing:
        async with asyncio.TaskGroup() as group:
            for caller in (polite, crashing) if phase != "idle" else ():
                group.create_task(reached(caller, phase))
                group.create_task(speak(caller, phase))
        assert worker.calls == 2
        await crashing.vanish()
        await polite.hang_up()
        await freed(worker, 6.0)
    assert await asyncio.to_thread(udp_sockets) == before


async def speak(caller: Caller, phase: str) -> None:
    """Say what leads to the phase."""
    await caller.say(QUESTION)
    if phase == "yielding":
        await caller.event("output_audio_buffer.started", within_s=10.0)
        await caller.say(INTERRUPTION)


async def test_an_offer_that_never_connects_is_forgotten(server: tuple[str, Worker]) -> None:
    url, worker = server
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTransceiver("audio")
    await pc.setLocalDescription(await pc.createOffer())
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            f"{url}/v1/realtime/calls",
            data=pc.localDescription.sdp,
            headers={"Content-Type": "application/sdp"},
        ) as response,
    ):
        assert response.status == 201
    assert worker.calls == 1
    await freed(worker, 5.0)
    await pc.close()


async def test_a_model_that_breaks_off_is_apologised_for_and_the_next_turn_works(
    server: tuple[str, Worker], mind: Mind
) -> None:
    url, _ = server
    mind.answers = [Answer(["The ", "capital ", "of ", "France ", "is, "], fault="cut")]  # drafts and second tries, too
    async with Caller(url) as caller:
        await caller.say(QUESTION)
        failed = await caller.event("response.done", within_s=10.0)
        assert failed["response"]["status"] == "failed"
        assert failed["response"]["status_details"]["error"]["message"]
        apology = await caller.event("response.created", after=caller.events.index(failed), within_s=10.0)
        after = caller.events.index(apology)
        said = await caller.event("response.output_audio_transcript.done", after=after)
        assert said["transcript"].strip() == AgentSettings().apology
        await caller.event("output_audio_buffer.stopped", after=after, within_s=10.0)
        mind.answers = ["Paris is the capital."]
        after = len(caller.events)
        ended = await caller.say(QUESTION)
        await caller.hears(ended, within_s=10.0)
        done = await caller.event("response.done", after=after, within_s=10.0)
        assert done["response"]["status"] == "completed"


async def test_an_interruption_stops_the_language_model_too(
    server: tuple[str, Worker], mind: Mind, llm: ScriptedLLM
) -> None:
    url, _ = server
    mind.answers = [Answer(["and ", "so ", "on, "], forever=True, token_s=0.02), "Fine."]
    async with Caller(url) as caller:
        await caller.say(QUESTION)
        await caller.event("output_audio_buffer.started", within_s=10.0)
        caller.send({"type": "response.cancel"})
        cleared = await caller.event("output_audio_buffer.cleared")
        await asyncio.wait_for(llm.aborted.wait(), 2.0)
        await caller.hears_silence(0.3, within_s=2.0)
        assert [f for f in caller.ear.frames if f.at > cleared["at"] + 0.06 and f.dbfs > -50] == []


async def test_clearing_the_voice_stops_it_once_and_then_there_is_nothing_to_clear(
    server: tuple[str, Worker], mind: Mind
) -> None:
    url, _ = server
    mind.answers = ["One is a number. Two is a number. Three is a number. Four is a number."]
    async with Caller(url) as caller:
        caller.send({"type": "response.create"})
        started = await caller.event("output_audio_buffer.started")
        await caller.event("response.done")
        caller.send({"type": "output_audio_buffer.clear"})
        cleared = await caller.event("output_audio_buffer.cleared")
        assert cleared["response_id"] == started["response_id"]
        truncated = await caller.event("conversation.item.truncated")
        await caller.hears_silence(0.3, within_s=2.0)
        assert not [f for f in caller.ear.frames if f.at > truncated["at"] + 0.1 and f.dbfs > AUDIBLE_DBFS]
        after = len(caller.events)
        for _ in range(2):
            caller.send({"type": "output_audio_buffer.clear"})
        caller.send({"type": "session.update", "session": {}})
        await caller.event("session.updated", after=after)
        assert [event["type"] for event in caller.events[after:]] == ["session.updated"]
        assert not caller.of("output_audio_buffer.stopped")


async def test_typed_text_is_answered_aloud(server: tuple[str, Worker], mind: Mind, llm: ScriptedLLM) -> None:
    url, _ = server
    mind.answers = ["Yes, I can read you."]
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Can you read me?"}]}
    async with Caller(url) as caller:
        began = asyncio.get_running_loop().time()
        caller.send({"type": "conversation.item.create", "item": item})
        caller.send({"type": "response.create", "response": {"metadata": {"mine": "7"}}})
        done = await caller.event("response.done")
        assert done["response"]["metadata"] == {"mine": "7"}
        await caller.hears(began, within_s=5.0)
        assert llm.requests[-1]["messages"][-1] == {"role": "user", "content": "Can you read me?"}


async def test_the_next_prompt_holds_what_was_heard_and_not_what_was_meant(
    server: tuple[str, Worker], mind: Mind, llm: ScriptedLLM
) -> None:
    url, _ = server
    story = "One is a number. Two is a number. Three is a number. Four is a number. Five is a number. Six is a number."
    mind.answers = [story, "Fine."]
    async with Caller(url) as caller:
        await caller.say(QUESTION)
        await caller.event("output_audio_buffer.started", within_s=10.0)
        await asyncio.sleep(1.5)
        await caller.say(INTERRUPTION)
        cut = await caller.event("conversation.item.truncated", within_s=10.0)
        again = await caller.event("output_audio_buffer.started", after=caller.events.index(cut), within_s=15.0)
        assert not [f for f in caller.ear.frames if cut["at"] + 0.1 < f.at < again["at"] and f.dbfs > AUDIBLE_DBFS]
        await caller.event("response.done", after=caller.events.index(cut), within_s=15.0)
        remembered = [m["content"] for m in llm.requests[-1]["messages"] if m["role"] == "assistant"]
        assert len(remembered) == 1
        assert remembered[0].endswith(" —")
        heard = remembered[0].removesuffix(" —")
        assert story.startswith(heard)
        assert 2 <= len(heard.split()) < len(story.split())
        captions = [event["text"] for event in caller.of("antiphon.caption") if event["final"]]
        assert captions[0] == heard
