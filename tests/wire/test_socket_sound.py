"""Sound inside events: where speech lies in it, how it may be cut up, and how long it may be silent."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import aiohttp
import numpy as np
import pytest
import pytest_asyncio

from agent.audio import I16, resample
from agent.caller import trimmed
from agent.settings import load
from bench.speech import spoken
from bench.wer import word_errors
from signaling import sockets
from tests.people import models_missing, serving
from tests.scripted_llm import scripted_llm
from tests.socket_client import RATE, SocketClient, connected

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(90),
]

QUESTION = "What is the capital of France?"
LEAD_S, GAP_S = 3.0, 2.5
START_MS, END_MS = 100, 250
"""within which speech is dated; its end is less clear than its beginning"""
MANUAL = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
COMPLETED = "conversation.item.input_audio_transcription.completed"


@pytest.fixture(scope="module", autouse=True)
def sentences() -> None:
    """Speak it before the loop runs."""
    spoken(QUESTION)


@pytest_asyncio.fixture
async def url() -> AsyncIterator[str]:
    async with scripted_llm(lambda messages: "Yes.") as llm:
        settings = await asyncio.to_thread(load, None, llm={"url": llm.url, "model": "scripted"})
        async with serving(settings) as (found, _):
            yield found


def question() -> I16:
    """Int16 (n,) at RATE, loud from its first sample to its last."""
    pcm = trimmed(spoken(QUESTION).pcm)
    return resample(trimmed(pcm[::-1])[::-1], 48_000, RATE)


def silence(seconds: float) -> I16:
    return np.zeros(round(seconds * RATE), np.int16)


async def append(client: SocketClient, pcm: I16) -> None:
    await client.send("input_audio_buffer.append", audio=base64.b64encode(pcm.astype("<i2").tobytes()).decode())


async def test_speech_is_dated_by_where_it_lies_in_the_sound(url: str) -> None:
    asked = question()
    spoken_s = len(asked) / RATE
    async with connected(url, microphone=False) as client:
        for number, begins in enumerate((LEAD_S, 2 * LEAD_S + spoken_s + GAP_S), 1):
            await append(client, np.concatenate([silence(LEAD_S), asked, silence(GAP_S)]))
            started = await client.until("input_audio_buffer.speech_started", number)
            stopped = await client.until("input_audio_buffer.speech_stopped", number)
            assert abs(started["audio_start_ms"] - begins * 1000) <= START_MS
            assert abs(stopped["audio_end_ms"] - (begins + spoken_s) * 1000) <= END_MS
            assert started["item_id"] == stopped["item_id"]
            await client.until("response.done", number)


async def test_sound_may_come_in_pieces_of_any_size(url: str) -> None:
    """20 ms at a time, an odd number of bytes at a time, and all at once with ten megabytes of silence before."""
    asked = question()
    data = asked.astype("<i2").tobytes()
    whole = bytes(10 << 20) + data
    async with connected(url, microphone=False) as client:
        await client.send("session.update", session=MANUAL)
        for number, (pieces, size) in enumerate(((data, 960), (data, 1001), (whole, len(whole))), 1):
            for begins in range(0, len(pieces), size):
                piece = base64.b64encode(pieces[begins : begins + size]).decode()
                await client.send("input_audio_buffer.append", audio=piece)
            await client.send("input_audio_buffer.commit")
            heard = await client.until(COMPLETED, number)
            assert word_errors(QUESTION, heard["transcript"]).wrong == 0


async def test_what_was_cleared_was_never_said(url: str) -> None:
    async with connected(url, microphone=False) as client:
        await client.send("session.update", session=MANUAL)
        await append(client, question())
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        await client.send("input_audio_buffer.commit")
        assert (await client.until("error"))["error"]["code"] == "input_audio_buffer_commit_empty"
        assert "input_audio_buffer.committed" not in client.types()


async def test_minutes_of_silence_are_no_turn_and_no_end(url: str) -> None:
    """Six minutes by the microphone's clock; then a question is heard as ever."""
    async with connected(url, microphone=False) as client:
        for _ in range(6):
            await append(client, silence(60.0))
        await append(client, np.concatenate([question(), silence(GAP_S)]))
        heard = await client.until(COMPLETED)
        assert word_errors(QUESTION, heard["transcript"]).wrong == 0
        assert client.types(1)[0] == "input_audio_buffer.speech_started"
        await client.until("response.done")


async def test_an_idle_client_is_asked_whether_it_is_there_and_stays(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pings, which every client's library answers by itself; the session is as it was after many of them."""
    monkeypatch.setattr(sockets, "PING_S", 0.2)
    address = url.replace("http", "ws", 1) + "/v1/realtime"
    async with aiohttp.ClientSession() as http, http.ws_connect(address, autoping=False) as socket:
        assert (await socket.receive_json())["type"] == "session.created"
        for _ in range(8):
            message = await socket.receive(timeout=5.0)
            assert message.type is aiohttp.WSMsgType.PING
            await socket.pong(message.data)
        await socket.send_json({"type": "session.update", "session": {"instructions": "Be kind."}})
        while (message := await socket.receive(timeout=5.0)).type is aiohttp.WSMsgType.PING:
            await socket.pong(message.data)
        assert message.json()["type"] == "session.updated"


async def test_more_sound_than_one_event_may_have_is_refused_and_the_session_lives(url: str) -> None:
    async with connected(url, microphone=False) as client:
        await client.send("input_audio_buffer.append", audio="A" * (21 << 20), event_id="mine")
        error = (await client.until("error"))["error"]
        assert (error["code"], error["param"], error["event_id"]) == ("string_above_max_length", "audio", "mine")
        await client.ask("Hello?")
        await client.until("response.done")
