"""One conversation in which the server sends every event that it has, over either transport, each strictly valid."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import pytest
import pytest_asyncio

from agent.audio import F32, I16
from agent.caller import Caller
from agent.engines.asr.whisper import Whisper
from agent.engines.protocols import Hypothesis
from agent.realtime import events as ev
from agent.settings import load
from bench.speech import SENTENCES, spoken
from tests.people import models_missing, serving
from tests.scripted_llm import Answer, scripted_llm
from tests.socket_client import THEIRS, Event, SocketClient, connected

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

QUESTION = "What is the capital of France?"
STORY = " ".join(SENTENCES)
TOOL = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}
PATIENCE_S = 20.0
ALL = {str(event.model_fields["type"].default) for event in ev.ALL if event not in ev.EXTENSIONS}
BUFFER = {f"output_audio_buffer.{what}" for what in ("started", "stopped", "cleared")}
ONLY_THERE = {"websocket": {"response.output_audio.delta"}, "webrtc": BUFFER}


class Client(Protocol):
    """What the scenario needs of a client of either transport."""

    events: list[Event]

    async def send(self, kind: str, **fields: Any) -> None: ...
    def say(self, pcm: I16) -> object: ...
    async def until(self, kind: str, *, after: int = 0) -> Event: ...


class StrictCaller(Caller):
    """A call over WebRTC whose every event is checked."""

    def _take_event(self, text: str | bytes) -> None:
        self.wrong: list[str] = getattr(self, "wrong", [])
        try:
            assert isinstance(text, str), "a binary message"
            THEIRS.validate_json(text, strict=True)
        except (AssertionError, ValueError) as error:  # raised here, only aiortc would hear of it
            self.wrong.append(f"{text!r:.200}: {error}")
        super()._take_event(text)


class OnCall:
    """Such a call with the names of `SocketClient`."""

    def __init__(self, caller: StrictCaller, group: asyncio.TaskGroup) -> None:
        self._caller = caller
        self._group = group
        self.events: list[Event] = caller.events

    async def send(self, kind: str, **fields: Any) -> None:
        self._caller.send({"type": kind, **fields})

    def say(self, pcm: I16) -> object:
        return self._group.create_task(self._caller.say(pcm))

    async def until(self, kind: str, *, after: int = 0) -> Event:
        return await self._caller.event(kind, after=after, within_s=PATIENCE_S)


@asynccontextmanager
async def on_call(url: str) -> AsyncIterator[OnCall]:
    """A call; at its end every event must have been valid."""
    async with StrictCaller(url, extensions=False) as caller:
        async with asyncio.TaskGroup() as group:
            yield OnCall(caller, group)
        assert not caller.wrong


def mind(messages: list[dict[str, Any]]) -> Answer | str:
    """Stories, a call, and short answers."""
    last = messages[-1]
    if last["role"] == "user" and "look" in last["content"]:
        return Answer.of("One moment.", calls=[("look_up", '{"city": "Oslo"}')])
    return STORY if last["role"] == "user" and "story" in last["content"] else "Yes, of course."


class Deaf:
    """Makes the recogniser fail while it is switched on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.on = False
        whole = Whisper.transcribe

        def transcribe(whisper: Whisper, wave: F32, *, language: str | None, prompt: str) -> Hypothesis:
            if self.on:
                raise RuntimeError("broken by order")
            return whole(whisper, wave, language=language, prompt=prompt)

        patch.setattr(Whisper, "transcribe", transcribe)


@pytest.fixture(scope="module", autouse=True)
def sentences() -> None:
    """Speak it before the loop runs."""
    spoken(QUESTION)


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> Deaf:
    return Deaf(monkeypatch)


@pytest_asyncio.fixture
async def url(deaf: Deaf) -> AsyncIterator[str]:
    async with scripted_llm(mind) as llm:
        settings = await asyncio.to_thread(load, None, llm={"url": llm.url, "model": "scripted"})
        async with serving(settings) as (found, _):
            yield found


async def ask(client: Client, text: str, **response: Any) -> int:
    """Type it and ask for the answer; the position in the events before that."""
    mark = len(client.events)
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    await client.send("conversation.item.create", item=item)
    await client.send("response.create", response=response)
    return mark


async def all_of_it(client: Client, deaf: Deaf, *, plays_itself: bool) -> None:
    """Whatever makes the server say something."""
    over = "response.done" if plays_itself else "output_audio_buffer.stopped"
    await client.send("session.update", session={"type": "realtime", "tools": [TOOL]})
    await client.until("session.updated")
    await client.send("nope")
    await client.until("error")

    client.say(spoken(QUESTION).pcm)
    item = (await client.until("conversation.item.input_audio_transcription.completed"))["item_id"]
    await client.until(over)
    await client.send("conversation.item.retrieve", item_id=item)
    assert "capital" in (await client.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"]
    await client.send("conversation.item.delete", item_id=item)
    await client.until("conversation.item.deleted")
    await client.send("input_audio_buffer.clear")
    await client.until("input_audio_buffer.cleared")

    mark = await ask(client, "Please look it up.")
    called = await client.until("response.function_call_arguments.done", after=mark)
    await client.until(over, after=mark)
    result = {"type": "function_call_output", "call_id": called["call_id"], "output": "rain"}
    mark = len(client.events)
    await client.send("conversation.item.create", item=result)
    await client.send("response.create", response={"output_modalities": ["text"]})
    await client.until("response.done", after=mark)

    mark = await ask(client, "A story, please.")
    if plays_itself:
        await client.until("response.done", after=mark)
        told = (await client.until("response.output_item.added", after=mark))["item"]["id"]
        await client.send("conversation.item.truncate", item_id=told, content_index=0, audio_end_ms=400)
    else:
        await client.until("output_audio_buffer.started", after=mark)
        await client.send("response.cancel")
        await client.until("output_audio_buffer.cleared", after=mark)
    await client.until("conversation.item.truncated", after=mark)

    mark, deaf.on = len(client.events), True
    client.say(spoken(QUESTION).pcm)
    await client.until("conversation.item.input_audio_transcription.failed", after=mark)
    await client.until(over, after=mark)  # of the apology
    deaf.on = False

    detection = {"type": "server_vad", "idle_timeout_ms": 800}
    await client.send("session.update", session={"audio": {"input": {"turn_detection": detection}}})
    mark = await ask(client, "Hello?")
    await client.until("input_audio_buffer.timeout_triggered", after=mark)


@pytest.mark.parametrize("transport", ["websocket", "webrtc"])
async def test_every_event_there_is_is_sent_and_is_valid(url: str, deaf: Deaf, transport: str) -> None:
    client: SocketClient | OnCall
    if transport == "websocket":
        async with connected(url) as client:
            await all_of_it(client, deaf, plays_itself=True)
    else:
        async with on_call(url) as client:
            await all_of_it(client, deaf, plays_itself=False)
    events = client.events
    other = "webrtc" if transport == "websocket" else "websocket"
    assert {event["type"] for event in events} == ALL - ONLY_THERE[other]
    assert events[0]["type"] == "session.created"
    assert len({event["event_id"] for event in events}) == len(events)
    assert len(json.dumps(max(events, key=lambda event: len(json.dumps(event))))) < 1 << 18, "too much for a channel"
