"""Speak a recording to Antiphon by WHIP (RFC 9725), as OBS or GStreamer would; nothing comes back.

antiphon serve &
python examples/publish_by_whip.py question.wav
"""

from __future__ import annotations

import argparse
import asyncio
from fractions import Fraction
from pathlib import Path
from typing import Self
from urllib.parse import urljoin

import aiohttp
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame

from agent.audio import I16, TICK_SAMPLES, WIRE_RATE, read_audio

AFTER_S = 4.0
"""of silence: an end of a turn is silence, too, and the answer takes a moment"""
CONNECT_S = 10.0


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
    """A WHIP client: sound that is only sent, no data channel, aiortc's own encoder.

    :param url: where to offer.
    :param token: a key or token of the server, where it wants one.
    """

    def __init__(self, url: str, pcm: I16, token: str = "") -> None:
        self.url = url
        self.location = ""
        """the call's address"""
        self.answer = ""
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.sender = self.pc.addTransceiver(Recording(pcm), direction="sendonly")

    async def offer(self) -> aiohttp.ClientResponse:
        """POST it, and remember what came back."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        headers = {**self.headers, "Content-Type": "application/sdp"}
        async with aiohttp.ClientSession() as http, http.post(self.url, data=self.sdp, headers=headers) as response:
            self.answer = await response.text()
            self.location = urljoin(self.url, response.headers.get("Location", self.location))
            return response

    @property
    def sdp(self) -> str:
        """The offer."""
        return str(self.pc.localDescription.sdp)

    async def connect(self) -> None:
        """Take the answer, and wait until the sound is under way."""
        connected = asyncio.Event()

        def changed() -> None:
            if self.pc.connectionState == "connected":
                connected.set()

        self.pc.on("connectionstatechange", changed)
        await self.pc.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))
        await asyncio.wait_for(connected.wait(), CONNECT_S)

    async def hang_up(self) -> None:
        """DELETE the call."""
        async with aiohttp.ClientSession(headers=self.headers, raise_for_status=True) as http:
            await http.delete(self.location)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pc.close()


async def publish(url: str, pcm: I16, token: str) -> None:
    """Offer, speak, wait a moment, hang up."""
    async with Publisher(url, pcm, token) as publisher:
        (await publisher.offer()).raise_for_status()
        await publisher.connect()
        await asyncio.sleep(len(pcm) / WIRE_RATE + AFTER_S)
        await publisher.hang_up()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("recording", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8080/whip/studio")
    parser.add_argument("--token", default="", help="a key or token of the server, where it wants one")
    given = parser.parse_args()
    asyncio.run(publish(given.url, read_audio(given.recording, WIRE_RATE), given.token))
