"""A call by a real TURN server, coturn, with the passwords that it makes of a shared secret."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from agent.audio import WIRE_RATE
from agent.caller import Caller, trimmed
from agent.errors import TransportError
from agent.settings import IceSettings, load
from bench.speech import spoken
from tests.coturn import SECRET, coturn, free_port, needs_coturn
from tests.people import models_missing, serving

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    needs_coturn,
    pytest.mark.timeout(60),
]

QUESTION = trimmed(spoken("What is the capital of France?").pcm)


@pytest.fixture
def turn_port() -> Iterator[int]:
    port = free_port()
    with coturn(port, options=["--allow-loopback-peers"]):
        yield port


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_goes_by_turn_alone(turn_port: int, transport: str) -> None:
    ice = {
        "servers": [f"turn:127.0.0.1:{turn_port}?transport={transport}"],
        "turn_secret": SECRET,
        "relay_only": True,
    }
    async with (
        serving(await asyncio.to_thread(load, None, llm={"model": "smollm2"}, ice=ice)) as (url, _),
        Caller(url) as caller,
    ):
        lines = caller.answer.splitlines()
        assert {line.split()[7] for line in lines if line.startswith("a=candidate")} == {"relay"}
        end = await caller.say(QUESTION)
        first = await caller.hears(end, within_s=10.0)
        assert first.at > end
        await caller.hears_silence(0.7, within_s=20.0)
        assert len(caller.ear.sound(since=end)) > WIRE_RATE // 2


async def test_a_dead_turn_server_costs_two_seconds_once(turn_port: int) -> None:
    """A call that can do without goes on without; the next one asks another server."""
    dead, alive = f"turn:127.0.0.1:{free_port()}?transport=udp", f"turn:127.0.0.1:{turn_port}"
    loop = asyncio.get_running_loop()
    settings = await asyncio.to_thread(
        load, None, llm={"model": "smollm2"}, ice={"servers": [dead, alive], "turn_secret": SECRET}
    )
    async with serving(settings) as (url, _):
        began = loop.time()
        async with Caller(url) as first:
            assert loop.time() - began < 4.0
            assert "typ relay" not in first.answer
        async with Caller(url) as second:
            assert "typ relay" in second.answer


async def test_a_wrong_secret_and_relay_only_is_refused(turn_port: int) -> None:
    ice = IceSettings(servers=[f"turn:127.0.0.1:{turn_port}"], turn_secret="south", relay_only=True)
    async with serving(await asyncio.to_thread(load, None, llm={"model": "smollm2"}, ice=ice.model_dump())) as (url, _):
        with pytest.raises(TransportError):
            async with asyncio.timeout(12.0):
                async with Caller(url):
                    pass
