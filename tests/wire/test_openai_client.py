"""What openai-python asks for over HTTP, with a call made by it: secrets, offers with a session, hanging up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from openai import AsyncOpenAI, NotFoundError

from agent.settings import load
from agent.transports.p2p import OutgoingTrack
from agent.worker import Worker
from signaling.tokens import Tokens
from tests.people import models_missing, serving
from tests.scripted_llm import scripted_llm
from tests.socket_client import connected

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(60),
]

KEY = "a key of the tests"
SESSION: Any = {"type": "realtime", "instructions": "You are a pirate.", "audio": {"output": {"speed": 1.25}}}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[str, Worker]]:
    async with scripted_llm(lambda messages: "Ahoy.") as llm:
        settings = await asyncio.to_thread(
            load, None, llm={"url": llm.url, "model": "scripted"}, server={"keys": [KEY]}, limits={"connect_s": 5.0}
        )
        async with serving(settings) as found:
            yield found


@pytest_asyncio.fixture
async def openai(server: tuple[str, Worker]) -> AsyncIterator[AsyncOpenAI]:
    client = await asyncio.to_thread(AsyncOpenAI, base_url=f"{server[0]}/v1", api_key=KEY)  # it reads files
    async with client:
        yield client


async def test_a_secret_opens_sessions_that_begin_as_it_says(server: tuple[str, Worker], openai: AsyncOpenAI) -> None:
    made = await openai.realtime.client_secrets.create(
        session=SESSION, expires_after={"anchor": "created_at", "seconds": 60}
    )
    assert made.value.startswith("ek_")
    for _ in range(2):
        async with connected(server[0], query="", microphone=False, Authorization=f"Bearer {made.value}") as client:
            session = client.events[0]["session"]
            assert session["instructions"] == "You are a pirate."
            assert session["audio"]["output"]["speed"] == 1.25


async def test_a_secret_that_is_old_or_made_up_opens_nothing(server: tuple[str, Worker]) -> None:
    old, _ = Tokens([KEY]).issue(seconds=-1)
    async with aiohttp.ClientSession() as http:
        for secret in (old, "ek_0123456789abcdef0123456789abcdef"):
            address, headers = f"{server[0]}/v1/realtime", {"Authorization": f"Bearer {secret}"}
            async with http.ws_connect(address, headers=headers) as socket:
                assert (await socket.receive_json())["type"] == "error"
                assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
                assert socket.close_code == 3000
            sdp = {**headers, "Content-Type": "application/sdp"}
            async with http.post(f"{server[0]}/v1/realtime/calls", headers=sdp, data="v=0\r\n") as response:
                assert response.status == 401
                assert (await response.json())["error"]["message"]


async def test_a_key_among_the_subprotocols_opens_a_session(server: tuple[str, Worker]) -> None:
    """A browser can send no header, and drops the connection unless one of its protocols is chosen."""
    protocols = ("realtime", f"openai-insecure-api-key.{Tokens([KEY]).issue()[0]}", "openai-agents-sdk.0.20.0")
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(f"{server[0]}/v1/realtime?model=gpt-realtime", protocols=protocols) as socket:
            assert socket.protocol == "realtime"
            assert (await socket.receive_json())["type"] == "session.created"


async def test_a_key_among_unknown_subprotocols_is_not_logged(
    server: tuple[str, Worker], caplog: pytest.LogCaptureFixture
) -> None:
    token = Tokens([KEY]).issue()[0]
    address = f"{server[0]}/v1/realtime?model=gpt-realtime"
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(address, protocols=(f"openai-insecure-api-key.{token}",)) as socket:
            assert (await socket.receive_json())["type"] == "session.created"
    assert token not in caplog.text


async def test_a_call_with_a_session_is_made_and_hung_up(server: tuple[str, Worker], openai: AsyncOpenAI) -> None:
    """The offer and the session as parts of a form, each with its type, as this client sends them."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTrack(OutgoingTrack())
    channel = pc.createDataChannel("oai-events")
    came: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    over = asyncio.Event()
    channel.on("message", lambda text: came.put_nowait(json.loads(text)))
    channel.on("close", over.set)
    await pc.setLocalDescription(await pc.createOffer())
    answer = await openai.realtime.calls.create(sdp=pc.localDescription.sdp, session=SESSION)
    call_id = answer.response.headers["Location"].split("/")[-1]
    try:
        await pc.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        async with asyncio.timeout(10):
            created = await came.get()
        assert (created["type"], created["session"]["instructions"]) == ("session.created", "You are a pirate.")
        assert server[1].calls == 1
        await openai.realtime.calls.hangup(call_id)
        async with asyncio.timeout(10):
            await over.wait()
            while server[1].calls:  # noqa: ASYNC110 - the worker has no reason to announce its last call
                await asyncio.sleep(0.02)
        with pytest.raises(NotFoundError):
            await openai.realtime.calls.hangup(call_id)
    finally:
        await pc.close()
