"""The agent says goodbye before it hangs up: the server stops, or a call has reached its limit."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import aiohttp
import pytest

from agent.caller import Caller
from agent.engines.protocols import Recognizer
from agent.errors import SignalingError
from agent.settings import load
from bench.server import Server
from tests.people import models_missing, second_ears, serving, transcribed

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(60),
]


@pytest.fixture(scope="module")
def ears() -> Recognizer:
    return second_ears()


async def farewell(caller: Caller, ears: Recognizer) -> str:
    """What was heard until the line was gone."""
    await asyncio.wait_for(caller.ended(), 12.0)
    return (await asyncio.to_thread(transcribed, ears, caller.ear.sound())).lower()


async def over_a_websocket(url: str) -> tuple[dict[str, Any], int | None]:
    """What a WebSocket is told that is not taken, and the code that it is closed with."""
    address = url.replace("http", "ws", 1) + "/v1/realtime?model=gpt-realtime"
    async with aiohttp.ClientSession() as http, http.ws_connect(address) as socket:
        told: dict[str, Any] = await socket.receive_json(timeout=5.0)
        await socket.receive(timeout=5.0)
        return told, socket.close_code


@pytest.mark.parametrize("limit", ["longest_s", "idle_s"])
async def test_a_call_at_its_limit_ends_with_a_goodbye(ears: Recognizer, limit: str) -> None:
    async with serving(await asyncio.to_thread(load, None, llm={"model": "smollm2"}, limits={limit: 2.0})) as (
        url,
        worker,
    ):
        async with Caller(url) as caller:
            assert "goodbye" in await farewell(caller, ears)
        assert worker.calls == 0


async def test_a_server_that_is_told_to_stop_says_goodbye_and_takes_no_more_calls(ears: Recognizer) -> None:
    async with Server({"ANTIPHON__LIMITS__DRAIN_S": "2"}) as server:
        async with Caller(server.url) as caller:
            os.kill(server.pid, signal.SIGTERM)
            await asyncio.sleep(0.5)
            with pytest.raises(SignalingError, match="about to stop"):
                async with Caller(server.url):
                    pass
            refused, code = await over_a_websocket(server.url)
            assert (refused["error"]["code"], code) == ("server_closing", 1013)
            assert "goodbye" in await farewell(caller, ears)
        assert await server.exited() == 0


async def test_processes_say_goodbye_too(ears: Recognizer) -> None:
    async with Server({"ANTIPHON__LIMITS__DRAIN_S": "0", "ANTIPHON__SERVER__PROCESSES": "2"}) as server:
        async with Caller(server.url) as one, Caller(server.url) as other:
            os.kill(server.pid, signal.SIGTERM)
            for caller in (one, other):
                assert "goodbye" in await farewell(caller, ears)
        assert await server.exited() == 0


async def test_the_second_signal_is_not_polite() -> None:
    async with Server({"ANTIPHON__LIMITS__DRAIN_S": "60"}) as server:
        async with Caller(server.url):
            os.kill(server.pid, signal.SIGTERM)
            await asyncio.sleep(0.3)
            os.kill(server.pid, signal.SIGTERM)
            assert await asyncio.wait_for(server.exited(), 6.0) == 0
