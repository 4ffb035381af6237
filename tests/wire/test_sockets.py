"""A conversation over a WebSocket, as the clients of OpenAI's Realtime API hold it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import aiohttp
import numpy as np
import pytest
import pytest_asyncio

from agent.audio import EAR_RATE, resample, to_wave
from agent.engines.protocols import Recognizer
from agent.settings import load
from agent.worker import Worker
from bench.speech import SENTENCES, spoken
from bench.wer import word_errors
from tests.people import models_missing, second_ears, serving
from tests.scripted_llm import scripted_llm
from tests.socket_client import RATE, SocketClient, connected

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

QUESTION = "What is the capital of France?"
STORY = " ".join(SENTENCES)
SILENCE = base64.b64encode(bytes(10 << 20)).decode()
"""218 s of it"""
USER = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
]
ANSWER = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
]
END = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


@pytest.fixture(scope="module", autouse=True)
def sentences() -> None:
    """Speak them before the loop runs."""
    for text in (QUESTION, "Stop, please. I have heard enough of that now."):
        spoken(text)


@pytest.fixture(scope="module")
def ears() -> Recognizer:
    return second_ears()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[str, Worker]]:
    """A server whose model answers with a story."""
    async with scripted_llm(lambda messages: STORY) as llm:
        settings = await asyncio.to_thread(load, None, llm={"url": llm.url, "model": "scripted"})
        async with serving(settings) as found:
            yield found


async def test_a_spoken_turn(server: tuple[str, Worker], ears: Recognizer) -> None:
    async with connected(server[0]) as client:
        await asyncio.sleep(0.5)
        client.say(spoken(QUESTION).pcm)
        await client.until("rate_limits.updated")
        kinds = [kind for kind in client.types(1) if kind not in ("response.output_audio.delta",)]
        told = [kind for kind in kinds if kind != "response.output_audio_transcript.delta"]
        assert told == [*USER, *ANSWER, *END]
        heard = await client.until("conversation.item.input_audio_transcription.completed")
        assert word_errors(QUESTION, heard["transcript"]).wrong == 0
        wave = to_wave(resample(client.voice(), RATE, EAR_RATE))
        text = await asyncio.to_thread(ears.transcribe, np.ascontiguousarray(wave), language="en", prompt="")
        assert word_errors(STORY, text.text).rate < 0.15


async def test_the_voice_comes_faster_than_it_plays(server: tuple[str, Worker]) -> None:
    async with connected(server[0], microphone=False) as client:
        before = asyncio.get_running_loop().time()
        await client.ask("Tell me a story.")
        await client.until("response.done")
        took_s = asyncio.get_running_loop().time() - before
        assert len(client.voice()) / RATE > 2 * took_s


async def test_speech_over_the_answer_cuts_it(server: tuple[str, Worker]) -> None:
    async with connected(server[0]) as client:
        await client.ask("Tell me a story.")
        await client.until("response.output_audio.delta")
        await asyncio.sleep(1.5)
        mark = len(client.events)
        client.say(spoken("Stop, please. I have heard enough of that now.").pcm)
        started = await client.until("input_audio_buffer.speech_started", after=mark)
        item = (await client.until("response.output_item.added"))["item"]["id"]
        await client.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=1500)
        truncated = await client.until("conversation.item.truncated", after=mark)
        assert truncated["audio_end_ms"] == 1500
        await client.send("conversation.item.retrieve", item_id=item)
        kept = (await client.until("conversation.item.retrieved", after=mark))["item"]
        words = kept["content"][0]["transcript"].split()
        assert kept["status"] == "incomplete"
        assert 2 <= len(words) <= 9, words
        assert started["item_id"] != item


async def test_push_to_talk(server: tuple[str, Worker]) -> None:
    async with connected(server[0], microphone=False) as client:
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        await client.until("session.updated")
        pcm = resample(spoken(QUESTION).pcm, 48_000, RATE)
        await client.send("input_audio_buffer.commit")
        assert (await client.until("error"))["error"]["code"] == "input_audio_buffer_commit_empty"
        await client.send("input_audio_buffer.append", audio=base64.b64encode(pcm.tobytes()).decode())
        await client.send("input_audio_buffer.commit")
        heard = await client.until("conversation.item.input_audio_transcription.completed")
        assert word_errors(QUESTION, heard["transcript"]).wrong == 0
        assert "input_audio_buffer.speech_started" not in client.types()
        assert "response.created" not in client.types()
        await client.send("response.create")
        await client.until("response.done")


async def test_a_written_answer_under_other_instructions(server: tuple[str, Worker]) -> None:
    async with connected(server[0], microphone=False) as client:
        await client.send(
            "response.create",
            response={"output_modalities": ["text"], "instructions": "Be brief.", "metadata": {"topic": "harbour"}},
        )
        done = (await client.until("response.done"))["response"]
        assert done["output_modalities"] == ["text"]
        assert done["metadata"] == {"topic": "harbour"}
        assert done["output"][0]["content"][0] == {"type": "output_text", "text": STORY.strip()}
        assert not len(client.voice())


async def test_who_sends_a_whole_recording_at_once_is_answered_meanwhile(server: tuple[str, Worker]) -> None:
    async with connected(server[0], microphone=False) as client:
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        await client.send("input_audio_buffer.append", audio=SILENCE)
        await client.ask("Hello?")
        await client.until("response.done")


async def test_what_is_typed_while_an_answer_plays_comes_behind_it() -> None:
    async with scripted_llm(lambda messages: STORY) as llm:
        settings = await asyncio.to_thread(load, None, llm={"url": llm.url, "model": "scripted"})
        async with serving(settings) as (url, _), connected(url, microphone=False) as client:
            await client.ask("Tell me a story.")
            await client.until("response.done")
            await client.ask("And now another.")
            await client.until("response.done", 2)
            said = [(message["role"], message["content"]) for message in llm.requests[-1]["messages"]]
            assert said[1:] == [("user", "Tell me a story."), ("assistant", STORY), ("user", "And now another.")]


async def test_a_bad_event_is_told_and_the_session_lives(server: tuple[str, Worker]) -> None:
    async with connected(server[0], microphone=False) as client:
        await client.send("nope", event_id="x")
        error = (await client.until("error"))["error"]
        assert (error["code"], error["param"], error["event_id"]) == ("invalid_value", "type", "x")
        await client._socket.send_bytes(b"\0")
        assert (await client.until("error", 2))["error"]["code"] == "invalid_event"
        await client.send("response.cancel")
        assert (await client.until("error", 3))["error"]["message"].startswith("Cancellation failed")
        await client.ask("Hello?")
        await client.until("response.done")


async def test_items_keep_their_ids_and_places(server: tuple[str, Worker]) -> None:
    async with connected(server[0], microphone=False) as client:
        await _type(client, "second", "b")
        await _type(client, "first", "a", "root")
        await _type(client, "third", "c", "b")
        await client.until("conversation.item.done", 3)
        assert [event["previous_item_id"] for event in client.events if event["type"].endswith("added")] == [
            None,
            None,
            "b",
        ]
        await client.send("conversation.item.delete", item_id="b")
        await client.until("conversation.item.deleted")
        await client.send("conversation.item.retrieve", item_id="b", event_id="r")
        error = (await client.until("error"))["error"]
        assert (error["code"], error["event_id"]) == ("item_retrieve_invalid_item_id", "r")
        await _type(client, "again", "c")
        assert (await client.until("error", 2))["error"]["code"] == "item_create_duplicate_item_id"
        room = next(iter(server[1]._rooms.calls.values())).room
        assert [entry.text for entry in room._conversation.history.entries] == ["first", "third"]


async def _type(client: SocketClient, text: str, item_id: str, after: str | None = None) -> None:
    place = {} if after is None else {"previous_item_id": after}
    item = {"type": "message", "role": "user", "id": item_id, "content": [{"type": "input_text", "text": text}]}
    await client.send("conversation.item.create", item=item, **place)


async def test_telephone_sound_both_ways(server: tuple[str, Worker]) -> None:
    async with connected(server[0], microphone=False) as client:
        audio = {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcma"}}}
        await client.send("session.update", session={"type": "realtime", "audio": audio})
        assert (await client.until("session.updated"))["session"]["audio"]["output"]["format"] == {"type": "audio/pcma"}
        await client.ask("Hello?")
        done = await client.until("response.done")
        assert done["response"]["audio"]["output"]["format"] == {"type": "audio/pcma"}


async def test_who_has_no_key_is_told_in_an_event() -> None:
    settings = await asyncio.to_thread(load, None, server={"keys": ["k" * 20]})
    async with serving(settings) as (url, _), aiohttp.ClientSession() as http:
        for headers, query, code in (
            ({}, "", 3000),
            ({"Authorization": "Bearer wrong"}, "", 3000),
            ({"Authorization": "Bearer " + "k" * 20}, "?model=llama", 4000),
        ):
            async with http.ws_connect(f"{url}/v1/realtime{query}", headers=headers) as socket:
                event = await socket.receive_json()
                assert event["type"] == "error"
                assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
                assert socket.close_code == code
