"""Speak a recording to Antiphon by WHIP (RFC 9725), as OBS or GStreamer would; nothing comes back.

antiphon serve &
python examples/publish_by_whip.py question.wav
"""

from __future__ import annotations

import argparse
import asyncio
from fractions import Fraction
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame

from agent.audio import I16, TICK_SAMPLES, WIRE_RATE, read_audio

AFTER_S = 4.0
"""of silence: an end of a turn is silence, too, and the answer takes a moment"""


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


async def publish(url: str, pcm: I16, token: str) -> None:
    """Offer, speak, wait a moment, hang up."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver(Recording(pcm), direction="sendonly")
    try:
        await peer.setLocalDescription(await peer.createOffer())
        offer = peer.localDescription.sdp
        async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as http:
            async with http.post(url, data=offer, headers={"Content-Type": "application/sdp"}) as response:
                call = urljoin(url, response.headers["Location"])
                answer = RTCSessionDescription(await response.text(), "answer")
            await peer.setRemoteDescription(answer)
            await asyncio.sleep(len(pcm) / WIRE_RATE + AFTER_S)
            async with http.delete(call):
                pass
    finally:
        await peer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("recording", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8080/whip/studio")
    parser.add_argument("--token", default="", help="a key or token of the server, where it wants one")
    given = parser.parse_args()
    asyncio.run(publish(given.url, read_audio(given.recording, WIRE_RATE), given.token))
