"""Sessions that only listen: words and nothing else, whoever says when a turn is over."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest
import pytest_asyncio

from agent.audio import resample
from agent.caller import Caller
from agent.settings import load
from agent.worker import Worker
from bench.speech import SENTENCES, spoken
from bench.wer import word_errors
from tests.people import models_missing, serving
from tests.scripted_llm import ScriptedLLM, scripted_llm
from tests.socket_client import RATE, SocketClient, connected

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

INTENT = "?intent=transcription"
QUESTION = "What is the capital of France?"
FIRST, SECOND = SENTENCES[0], SENTENCES[1]
SPEECH = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
]
DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"
MANUAL = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}


@pytest.fixture(scope="module", autouse=True)
def sentences() -> None:
    """Speak them before the loop runs."""
    for text in (QUESTION, FIRST, SECOND):
        spoken(text)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[str, Worker, ScriptedLLM]]:
    """A server that would greet, ask and answer, if it were let."""
    async with scripted_llm(lambda messages: "No.") as llm:
        settings = await asyncio.to_thread(
            load, None, llm={"url": llm.url, "model": "scripted"}, agent={"greeting": "Hi."}, turn={"reprompt_s": 1.0}
        )
        async with serving(settings) as (url, worker):
            llm.requests.clear()  # what warmed it
            yield url, worker, llm


def sound(text: str) -> str:
    """What somebody says, as base64."""
    return base64.b64encode(resample(spoken(text).pcm, 48_000, RATE).tobytes()).decode()


async def test_a_session_that_listens_writes_down_and_never_answers(server: tuple[str, Worker, ScriptedLLM]) -> None:
    url, _, llm = server
    async with connected(url, query=INTENT) as client:
        session = client.events[0]["session"]
        assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
        assert set(session["audio"]) == {"input"}
        assert "instructions" not in session
        await asyncio.sleep(0.5)
        client.say(spoken(QUESTION).pcm)
        heard = await client.until(COMPLETED)
        assert word_errors(QUESTION, heard["transcript"]).wrong == 0
        assert heard["usage"]["type"] == "duration"
        assert 0.5 < heard["usage"]["seconds"] < 4.0
        assert [kind for kind in client.types(1) if kind != DELTA] == [kind for kind in SPEECH if kind != DELTA]
        pieces = "".join(event["delta"] for event in client.events if event["type"] == DELTA)
        assert word_errors(QUESTION, pieces).rate < 0.5
        await client.send("conversation.item.retrieve", item_id=heard["item_id"])
        kept = (await client.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"]
        assert kept == heard["transcript"]
        client.say(spoken(FIRST).pcm)
        await client.until(COMPLETED, 2)
        assert not llm.requests
        assert not [kind for kind in client.types() if kind.startswith(("response.", "output_audio"))]


async def test_what_a_session_that_listens_can_not_do_is_an_error(server: tuple[str, Worker, ScriptedLLM]) -> None:
    async with connected(server[0], query=INTENT, microphone=False) as client:
        refused = ("response.create", "response.cancel", "conversation.item.create", "output_audio_buffer.clear")
        for count, kind in enumerate(refused, 1):
            await client.send(kind, event_id=kind)
            assert (await client.until("error", count))["error"]["event_id"] == kind
        await client.send("session.update", session={"type": "realtime", "instructions": "Answer."})
        error = (await client.until("error", 5))["error"]
        assert error["param"] == "session.type"
        input_ = {"transcription": {"model": "gpt-4o-transcribe", "language": "en"}, "turn_detection": None}
        await client.send("session.update", session={"type": "transcription", "audio": {"input": input_}})
        session = (await client.until("session.updated"))["session"]
        assert session["audio"]["input"]["transcription"] == input_["transcription"]
        assert session["audio"]["input"]["turn_detection"] is None


async def test_turns_that_are_committed_in_a_row_are_items_of_their_own(
    server: tuple[str, Worker, ScriptedLLM],
) -> None:
    async with connected(server[0], query=INTENT, microphone=False) as client:
        await client.send("session.update", session=MANUAL)
        for text in (FIRST, SECOND, QUESTION):
            await client.send("input_audio_buffer.append", audio=sound(text))
            await client.send("input_audio_buffer.commit")
        for count, text in enumerate((FIRST, SECOND, QUESTION), 1):
            heard = await client.until(COMPLETED, count)
            assert word_errors(text, heard["transcript"]).rate < 0.2, heard["transcript"]
        committed = [event for event in client.events if event["type"] == "input_audio_buffer.committed"]
        assert len({event["item_id"] for event in committed}) == 3
        assert [event["previous_item_id"] for event in committed] == [
            None,
            *(event["item_id"] for event in committed[:2]),
        ]
        assert "input_audio_buffer.speech_started" not in client.types()


async def test_a_secret_makes_the_session_one_that_listens_over_either_transport(
    server: tuple[str, Worker, ScriptedLLM],
) -> None:
    url, worker, _ = server
    wanted = {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}}}
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{url}/v1/realtime/client_secrets", json={"session": wanted}) as response:
            secret = await response.json()
        async with http.post(f"{url}/v1/realtime/client_secrets", json={"session": {"type": ["x"]}}) as response:
            assert response.status == 400
            assert (await response.json())["error"]["param"] == "session.type"
    assert secret["session"] == {**wanted, "object": "realtime.transcription_session"}
    bearer = f"Bearer {secret['value']}"
    async with connected(url, query="", microphone=False, Authorization=bearer) as client:
        assert client.events[0]["session"]["type"] == "transcription"
        assert client.events[0]["session"]["audio"]["input"]["transcription"]["model"] == "whisper-1"
    async with Caller(url, token=secret["value"]) as caller:
        end = await caller.say(spoken(QUESTION).pcm)
        await until_heard(worker, QUESTION)
        assert not await heard_since(caller, end)


async def until_heard(worker: Worker, text: str) -> None:
    """Wait until the one call's history has it."""
    async with asyncio.timeout(10.0):
        while not any(  # noqa: ASYNC110 - it comes by itself
            word_errors(text, entry.text).wrong == 0
            for place in worker._rooms.calls.values()
            for entry in place.room._conversation.history.entries
        ):
            await asyncio.sleep(0.05)


async def heard_since(caller: Caller, since: float) -> bool:
    """Whether anything was heard from there on, a second later."""
    await asyncio.sleep(1.0)
    return bool((abs(caller.ear.sound(since=since)) > 100).any())


async def test_a_conversation_without_transcripts_has_none() -> None:
    async with AsyncExitStack() as stack:
        llm = await stack.enter_async_context(scripted_llm(lambda messages: "No."))
        settings = await asyncio.to_thread(load, None, llm={"url": llm.url, "model": "scripted"})
        url, _ = await stack.enter_async_context(serving(settings))
        client = await stack.enter_async_context(connected(url, microphone=False))
        audio = {"input": {"transcription": None, "turn_detection": None}}
        await client.send("session.update", session={"type": "realtime", "audio": audio})
        await say(client, QUESTION)
        committed = await client.until("input_audio_buffer.committed")
        await client.send("response.create")
        await client.until("response.done")
        assert not [kind for kind in client.types() if "transcription" in kind]
        await client.send("conversation.item.retrieve", item_id=committed["item_id"])
        item = (await client.until("conversation.item.retrieved"))["item"]
        assert item["content"] == [{"type": "input_audio", "transcript": None}]
        assert "France" in llm.requests[-1]["messages"][-1]["content"]


async def say(client: SocketClient, text: str) -> None:
    """Say it in one piece, and commit it."""
    await client.send("input_audio_buffer.append", audio=sound(text))
    await client.send("input_audio_buffer.commit")
