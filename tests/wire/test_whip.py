"""WHIP (RFC 9725): a peer that only sends is heard and answered, and every PATCH gets the status that the RFC names."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path
from typing import Self

import aiohttp
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame

from agent.audio import I16, TICK_SAMPLES, WIRE_RATE, write_wav
from agent.caller import trimmed
from agent.settings import load
from agent.worker import Worker
from bench.speech import spoken
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
SDP = {"Content-Type": "application/sdp"}
FRANCE, NORWAY = (trimmed(spoken(f"What is the capital of {country}?").pcm) for country in ("France", "Norway"))


class Recording(MediaStreamTrack):
    """A recording, then silence, in real time."""

    kind = "audio"

    def __init__(self, pcm: I16) -> None:
        super().__init__()
        self._pcm = pcm
        self._position = 0
        self._began = 0.0

    async def recv(self) -> AudioFrame:
        """The next 20 ms, for aiortc's encoder."""
        loop = asyncio.get_running_loop()
        self._began = self._began or loop.time()
        await asyncio.sleep(max(0.0, self._began + self._position / WIRE_RATE - loop.time()))
        samples = np.zeros((1, TICK_SAMPLES), np.int16)
        part = self._pcm[self._position : self._position + TICK_SAMPLES]
        samples[0, : len(part)] = part
        frame = AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = WIRE_RATE, self._position, Fraction(1, WIRE_RATE)
        self._position += TICK_SAMPLES
        return frame


class Publisher:
    """A WHIP client as others build it: sound that is only sent, no data channel, aiortc's own encoder.

    :param camera: it has a picture, too, as OBS does.
    :param late: it offers without candidates, and sends them after.
    """

    def __init__(self, url: str, pcm: I16, *, camera: bool = False, late: bool = False) -> None:
        self.url = url
        self._late = late
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        silence = np.zeros(WIRE_RATE // 2, np.int16)
        track = Recording(np.concatenate([silence, pcm]))
        self.sender = self.pc.addTransceiver(track, direction="sendonly")
        if camera:
            self.pc.addTransceiver("video", direction="sendonly")
        self.answer = self.location = self.tag = self.fragment = ""

    async def offer(self, path: str = "/whip/studio") -> aiohttp.ClientResponse:
        """POST it, and remember what came back."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        sdp = self.pc.localDescription.sdp
        lines = [line + "\r\n" for line in sdp.splitlines()]
        heads = ("a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=end-of-candidates")
        self.fragment = "".join(line for line in lines if line.startswith(heads))
        if self._late:
            sdp = "".join(line for line in lines if not line.startswith(heads[2:]))
        async with aiohttp.ClientSession() as http, http.post(self.url + path, data=sdp, headers=SDP) as response:
            self.answer = await response.text()
            self.location = response.headers.get("Location", "")
            self.tag = response.headers.get("ETag", "")
            return response

    async def connect(self) -> None:
        """Take the answer, and wait until the sound is under way."""
        connected = asyncio.Event()

        def changed() -> None:
            if self.pc.connectionState == "connected":
                connected.set()

        self.pc.on("connectionstatechange", changed)
        await self.pc.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))
        await asyncio.wait_for(connected.wait(), 10.0)

    async def patch(self, fragment: str, **headers: str) -> int:
        """Candidates; the answer's status."""
        given = {**FRAGMENT, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return (await asked(self.url + self.location, "PATCH", data=fragment, headers=given))[0]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pc.close()


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
    async with Publisher(url, FRANCE, camera=camera) as publisher:
        response = await publisher.offer()
        assert (response.status, response.content_type) == (201, "application/sdp")
        assert re.fullmatch(r"/whip/studio/rtc_[0-9a-f]{24}", publisher.location)
        assert re.fullmatch(r'"[0-9a-f]{16}"', publisher.tag)
        assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
        assert publisher.answer.count("a=recvonly") == 1
        assert publisher.answer.count("a=inactive") == camera
        await publisher.connect()
        assert publisher.sender.currentDirection == "sendonly"
        await heard(llm, "capital of france")
        await turns(url, 1)
        assert worker.calls == 1
        status, _, _ = await asked(url + publisher.location, "DELETE", headers={"If-Match": '"ignored"'})
        assert status == 200
        await no_call(worker)
        assert (await asked(url + publisher.location, "DELETE"))[:2] == (404, "call_not_found")


async def test_candidates_may_come_after_the_offer(server: tuple[str, Worker], llm: ScriptedLLM) -> None:
    url, worker = server
    async with Publisher(url, FRANCE, late=True) as publisher:
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
    async with Publisher(url, FRANCE) as first:
        await first.offer()
        await first.connect()
        await heard(llm, "capital of france")
        restart = re.sub(r"a=ice-ufrag:\S+", "a=ice-ufrag:ysXw", first.fragment)
        assert await first.patch(restart, If_Match="*") == 422
        async with Publisher(url, NORWAY) as second:
            response = await second.offer(f"/v1/realtime/calls/{first.location.rpartition('/')[2]}")
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
