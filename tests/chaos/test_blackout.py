"""The network is gone, in both directions, in mid-answer: a short time changes nothing, a long one ends the call."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from agent.caller import Caller
from agent.engines.protocols import Recognizer
from bench.server import Server
from tests.chaos.hearing import COUNT, COUNTED, NUMBERS, answered, heard, numbers
from tests.people import models_missing
from tests.scripted_llm import ScriptedLLM

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(90),
]


async def test_five_seconds_without_a_network_are_survived(
    environment: dict[str, str], ears: Recognizer, llm: ScriptedLLM
) -> None:
    """What was said meanwhile is lost; the answer goes on, and so does the conversation, which remembers it."""
    async with Server(environment) as server, Caller(server.url) as caller:
        end = await caller.say(COUNT)
        await caller.hears(end, within_s=10.0)
        await asyncio.sleep(1.0)
        with caller.cut_off():
            began = len(caller.ear.frames)
            await asyncio.sleep(5.0)
            assert len(caller.ear.frames) - began <= 5, "it was no blackout"
        said = numbers(await heard(caller, ears, end))
        assert said[0] == 1
        assert said[-1] == len(NUMBERS)
        assert 2 <= len(said) < len(NUMBERS), said
        await answered(caller, ears)
        remembered = [m["content"] for m in llm.requests[-1]["messages"] if m["role"] == "assistant"]
        assert COUNTED in remembered
        assert await server.counter("antiphon_calls_active") == 1


async def test_a_network_that_does_not_come_back_ends_the_call(environment: dict[str, str]) -> None:
    limits = {"ANTIPHON__LIMITS__PEER_GONE_S": "1.5", "ANTIPHON__LIMITS__RECONNECT_S": "1.5"}
    async with Server({**environment, **limits}) as server:
        before = await asyncio.to_thread(resources, server.pid)
        async with Caller(server.url) as caller:
            end = await caller.say(COUNT)
            await caller.hears(end, within_s=10.0)
            with caller.cut_off():
                await asyncio.sleep(2.0)
                assert await server.counter("antiphon_calls_active") == 1, "who may come back is waited for"
                await server.calls_over(within_s=6.0)
                await caller.vanish()
        log = await asyncio.to_thread(server.log)
        assert "reason=peer gone" in log
        assert "Traceback" not in log
        assert await asyncio.to_thread(resources, server.pid) == before


def resources(pid: int) -> tuple[int, int]:
    """Sockets for media, and child processes."""
    process = psutil.Process(pid)
    return len(process.net_connections("udp")), len(process.children(recursive=True))
