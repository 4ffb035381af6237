"""WHIP (RFC 9725): a peer that only sends is heard and answered, and every PATCH gets the status that the RFC names."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from agent.audio import I16, WIRE_RATE, write_wav
from agent.caller import trimmed
from agent.settings import load
from agent.worker import Worker
from bench.speech import spoken
from examples.publish_by_whip import Publisher
from tests.people import models_missing, serving
from tests.scripted_llm import ScriptedLLM, scripted_llm
from tests.wire.test_door import asked

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(60),
]

ROOT = Path(__file__).resolve().parents[2]
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
HEADS = ("a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=end-of-candidates")
FRANCE, NORWAY = (trimmed(spoken(f"What is the capital of {country}?").pcm) for country in ("France", "Norway"))


class Client(Publisher):
    """The example's, with what others do beside.

    :param camera: it has a picture, too, as OBS does.
    :param late: it offers without candidates, and sends them after.
    """

    def __init__(
        self, url: str, pcm: I16, path: str = "/whip/studio", *, camera: bool = False, late: bool = False
    ) -> None:
        super().__init__(url + path, np.concatenate([np.zeros(WIRE_RATE // 2, np.int16), pcm]))
        self._late = late
        if camera:
            self.pc.addTransceiver("video", direction="sendonly")
        self.tag = ""

    async def offer(self) -> aiohttp.ClientResponse:
        """POST it, and remember the tag, too."""
        response = await super().offer()
        self.tag = response.headers.get("ETag", "")
        return response

    @property
    def sdp(self) -> str:
        """The offer, without candidates if they come late."""
        return "".join(line for line in self._lines() if not (self._late and line.startswith(HEADS[2:])))

    @property
    def fragment(self) -> str:
        """Its candidates."""
        return "".join(line for line in self._lines() if line.startswith(HEADS))

    def _lines(self) -> list[str]:
        return [line + "\r\n" for line in super().sdp.splitlines()]

    async def patch(self, fragment: str, **headers: str) -> int:
        """Candidates; the answer's status."""
        given = {**FRAGMENT, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return (await asked(self.location, "PATCH", data=fragment, headers=given))[0]


@pytest.fixture
async def llm() -> AsyncIterator[ScriptedLLM]:
    async with scripted_llm(lambda _: "Paris.") as running:
        yield running


@pytest.fixture
async def server(llm: ScriptedLLM) -> AsyncIterator[tuple[str, Worker]]:
    settings = await asyncio.to_thread(load, None, llm={"url": llm.url, "model": "scripted"})
    async with serving(settings) as running:
        yield running


async def heard(llm: ScriptedLLM, words: str) -> None:
    """Wait until the language model is asked to answer these words."""
    async with asyncio.timeout(15.0):
        while not any(words in each["messages"][-1]["content"].lower() for each in llm.requests):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def turns(url: str, at_least: int) -> None:
    """Wait until /metrics counts so many answers."""
    async with asyncio.timeout(15.0), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{url}/metrics") as response:
                found = re.search(r"^antiphon_turns_total (\S+)", await response.text(), re.MULTILINE)
            if found and float(found[1]) >= at_least:
                return
            await asyncio.sleep(0.05)


async def no_call(worker: Worker) -> None:
    """Wait until every call is over."""
    async with asyncio.timeout(5.0):
        while worker.calls:  # noqa: ASYNC110 - nobody announces the last call
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("camera", [False, True])
async def test_who_only_sends_is_heard_and_answered(server: tuple[str, Worker], llm: ScriptedLLM, camera: bool) -> None:
    """By WHIP from offer to DELETE; a camera's picture is declined, and the sound taken."""
    url, worker = server
    async with Client(url, FRANCE, camera=camera) as publisher:
        response = await publisher.offer()
        assert (response.status, response.content_type) == (201, "application/sdp")
        assert re.fullmatch(r"/whip/studio/rtc_[0-9a-f]{24}", publisher.location.removeprefix(url))
        assert re.fullmatch(r'"[0-9a-f]{16}"', publisher.tag)
        assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
        assert publisher.answer.count("a=recvonly") == 1
        assert publisher.answer.count("a=inactive") == camera
        await publisher.connect()
        assert publisher.sender.currentDirection == "sendonly"
        await heard(llm, "capital of france")
        await turns(url, 1)
        assert worker.calls == 1
        status, _, _ = await asked(publisher.location, "DELETE", headers={"If-Match": '"ignored"'})
        assert status == 200
        await no_call(worker)
        assert (await asked(publisher.location, "DELETE"))[:2] == (404, "call_not_found")


async def test_candidates_may_come_after_the_offer(server: tuple[str, Worker], llm: ScriptedLLM) -> None:
    url, worker = server
    async with Client(url, FRANCE, late=True) as publisher:
        await publisher.offer()
        [line] = worker._lines.values()
        ice = line._newest._pc.getTransceivers()[0].receiver.transport.transport
        assert ice.getRemoteCandidates() == []
        assert await publisher.patch(publisher.fragment, If_Match=publisher.tag) == 204
        assert {str(found.port) for found in ice.getRemoteCandidates()} == ports(publisher.fragment)
        await publisher.connect()
        await heard(llm, "capital of france")


async def test_an_ice_restart_is_a_new_offer_at_the_calls_address(server: tuple[str, Worker], llm: ScriptedLLM) -> None:
    """By PATCH it is refused, and ends nothing; candidates of the old offer are refused after the new one."""
    url, worker = server
    async with Client(url, FRANCE) as first:
        await first.offer()
        await first.connect()
        await heard(llm, "capital of france")
        restart = re.sub(r"a=ice-ufrag:\S+", "a=ice-ufrag:ysXw", first.fragment)
        assert await first.patch(restart, If_Match="*") == 422
        async with Client(url, NORWAY, f"/v1/realtime/calls/{first.location.rpartition('/')[2]}") as second:
            response = await second.offer()
            assert response.status == 200
            assert second.tag != first.tag
            assert await first.patch(first.fragment, If_Match=first.tag) == 412
            second.location = first.location
            assert await second.patch(second.fragment, If_Match=second.tag) == 204
            await second.connect()
            await heard(llm, "norway")
            history = [message["role"] for message in llm.requests[-1]["messages"]]
            assert history[-3:] == ["user", "assistant", "user"]
            assert worker.calls == 1


def ports(fragment: str) -> set[str]:
    """Of the candidates in a fragment."""
    return {line.split()[5] for line in fragment.splitlines() if line.startswith("a=candidate:")}


async def test_the_example_is_heard(server: tuple[str, Worker], llm: ScriptedLLM, tmp_path: Path) -> None:
    url, worker = server
    wav = tmp_path / "question.wav"
    await asyncio.to_thread(write_wav, wav, FRANCE, WIRE_RATE)
    command = [str(ROOT / "examples" / "publish_by_whip.py"), str(wav), "--url", f"{url}/whip/studio"]
    process = await asyncio.create_subprocess_exec(sys.executable, *command)
    assert await asyncio.wait_for(process.wait(), 40.0) == 0
    await heard(llm, "capital of france")
    await turns(url, 1)
    await no_call(worker)
