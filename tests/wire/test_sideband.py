"""A further WebSocket on a running call: it hears of everything, may ask for everything, and is not the call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from agent.caller import Caller
from agent.settings import load
from agent.transports.socket import WAITING_BYTES, SocketLine
from agent.worker import Worker
from bench.speech import SENTENCES
from signaling.processes import Processes
from tests.people import models_missing, running, serving
from tests.scripted_llm import scripted_llm
from tests.socket_client import connected

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

STORY = " ".join(SENTENCES)
KEY, OTHER = "a key of sixteen", "another of sixteen"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[str, Worker]]:
    """A server whose model answers with a story."""
    async with scripted_llm(lambda messages: STORY) as llm:
        settings = await asyncio.to_thread(load, None, llm={"url": llm.url, "model": "scripted"})
        async with serving(settings) as found:
            yield found


def only_call(worker: Worker) -> str:
    """The id of the one call there is."""
    return next(iter(worker._rooms.calls))


async def test_a_further_client_hears_of_everything_and_may_ask_for_everything(server: tuple[str, Worker]) -> None:
    async with connected(server[0], microphone=False) as client:
        query = f"?call_id={only_call(server[1])}"
        async with connected(server[0], query=query, microphone=False) as further:
            assert further.events[0]["session"] == client.events[0]["session"]
            await further.send("session.update", session={"type": "realtime", "instructions": "Be kind."})
            assert (await client.until("session.updated"))["session"]["instructions"] == "Be kind."
            await further.ask("Hello?")
            done = await client.until("response.done")
            assert (await further.until("response.done"))["event_id"] == done["event_id"]
            assert further.types(1) == client.types(1)
            await further.send("nope", event_id="mine")
            assert (await further.until("error"))["error"]["event_id"] == "mine"
        await client.ask("Are you still there?")
        await client.until("response.done", 2)
        assert "error" not in client.types()


async def test_the_end_of_the_call_ends_its_further_clients(server: tuple[str, Worker]) -> None:
    async with connected(server[0], microphone=False) as client:
        query = f"?call_id={only_call(server[1])}"
        async with connected(server[0], query=query, microphone=False) as further:
            async with aiohttp.ClientSession() as http:
                await http.post(f"{server[0]}/v1/realtime/calls/{only_call(server[1])}/hangup")
            await further.ended()
            await client.ended()
            assert further.close_code == client.close_code == 1000


async def test_a_client_that_reads_nothing_is_left_behind_and_the_call_goes_on(server: tuple[str, Worker]) -> None:
    async with connected(server[0], microphone=False) as client:
        call_id = only_call(server[1])
        room = server[1]._rooms.calls[call_id].room
        address = f"{server[0]}/v1/realtime?call_id={call_id}"
        async with aiohttp.ClientSession() as http, http.ws_connect(address) as further:
            await further.receive()
            line = room._session.audience.clients[1]
            assert isinstance(line, SocketLine)
            line._bytes = WAITING_BYTES + 1  # as if that much waited to be read
            await client.ask("Hello?")
            await client.until("response.done")
            assert len(room._session.audience.clients) == 1


async def test_a_call_over_webrtc_is_steered_from_beside_it(server: tuple[str, Worker]) -> None:
    async with (
        Caller(server[0]) as caller,
        connected(server[0], query=f"?call_id={caller.location.rpartition('/')[2]}", microphone=False) as further,
    ):
        await further.ask("Tell me a story.")
        await further.until("output_audio_buffer.started")
        await further.send("response.cancel")
        await further.until("output_audio_buffer.cleared")
        assert "response.output_audio.delta" not in further.types()


async def test_who_may_not_or_names_no_call_is_told_so_and_closed() -> None:
    settings = await asyncio.to_thread(load, None, server={"keys": [KEY, OTHER]})
    bearer = {"Authorization": f"Bearer {KEY}"}
    async with serving(settings) as (url, worker), aiohttp.ClientSession() as http:
        tokens = []
        for _ in range(2):
            async with http.post(f"{url}/v1/realtime/client_secrets", headers=bearer) as response:
                tokens.append((await response.json())["value"])
        mine = {"Authorization": f"Bearer {tokens[0]}"}
        async with connected(url, microphone=False, **mine):
            call = only_call(worker)
            for query, key in ((call, tokens[1]), ("rtc_none", KEY), ("", KEY)):
                headers = {"Authorization": f"Bearer {key}"}
                async with http.ws_connect(f"{url}/v1/realtime?call_id={query}", headers=headers) as socket:
                    assert (await socket.receive_json())["error"]["code"] == "call_not_found"
                    assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
                    assert socket.close_code == 4000
            for key in (tokens[0], OTHER):
                async with connected(
                    url, query=f"?call_id={call}", microphone=False, Authorization=f"Bearer {key}"
                ) as further:
                    assert further.types() == ["session.created"]


async def test_a_further_client_reaches_the_process_that_holds_the_call() -> None:
    flags: dict[str, Any] = {"server": {"processes": 2}, "llm": {"model": "smollm2"}}
    settings = await asyncio.to_thread(load, None, **flags)
    async with running(Processes(settings, config=None, flags=flags, verbose=False)) as url:
        async with Caller(url) as caller, Caller(url):
            query = f"?call_id={caller.location.rpartition('/')[2]}"
            async with connected(url, query=query, microphone=False) as further:
                await further.ask("Say hello.")
                await further.until("response.done")
                await caller.hang_up()
                await further.ended()
                assert further.close_code == 1000
        async with connected(url, microphone=False) as client, aiohttp.ClientSession() as http:
            async with http.ws_connect(f"{url}/v1/realtime?call_id=rtc_none") as socket:
                assert (await socket.receive_json())["error"]["code"] == "call_not_found"
            await client.ask("Say hello.")
            await client.until("response.done")
