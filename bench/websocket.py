"""Voice to voice over a WebSocket beside the same over WebRTC: `python -m bench.websocket [--turns 20]`.

One server, two calls, the same short questions in turn: over WebRTC as in `bench.latency`, then over the WebSocket of
the Realtime API (`GET /v1/realtime`). The clock starts when the packet with the last loud sample is sent, in both of
20 ms, and stops at the first audible sound: of a packet over WebRTC, of the 10 ms at their place in the stream of
`response.output_audio.delta` over the WebSocket, which a client plays as soon as they come.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
from contextlib import suppress
from typing import Any

import aiohttp
import numpy as np

from agent.audio import I16, TICK_S, WIRE_RATE, dbfs, resample
from agent.caller import AUDIBLE_DBFS, NOISE_DBFS, Caller, loud_end
from agent.transports.aiortc_private import gather_only
from bench.latency import MISSED_S, turn
from bench.report import machine, quantile, save, table
from bench.server import Server
from bench.speech import Clip, questions

RATE = 24_000
"""of pcm in the Realtime API"""
PACKET = round(TICK_S * RATE)
MOST_BEHIND_MS = 60.0
"""of the medians, by the project's own bar"""
AFTER_S = 1.0
"""from the end of an answer to the next question"""


class Talker:
    """A conversation over the WebSocket: a microphone that never pauses, and what came back."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._saying: I16 = np.zeros(0, np.int16)
        self._loud_end = 0
        self._noise = np.random.default_rng(7)
        self._first: asyncio.Future[float] | None = None
        self._done = asyncio.Event()
        self.said_at = 0.0
        """`loop.time()` at which the packet with the last loud sample of the newest question was sent"""
        self._said = asyncio.Event()
        self._plays_until = 0.0  # loop.time() at which a client has played all that came

    async def ask(self, clip: Clip) -> float | None:
        """One question; ms from its last loud sample to the first audible one of the answer. None: there was none."""
        loop = asyncio.get_running_loop()
        self._first = loop.create_future()
        self._done.clear()
        self._said.clear()
        self._loud_end = loud_end(clip.pcm) * RATE // WIRE_RATE
        self._saying = resample(clip.pcm, WIRE_RATE, RATE)
        await self._said.wait()
        try:
            async with asyncio.timeout(MISSED_S):
                heard_at = await self._first
                await self._done.wait()
        except TimeoutError:
            return None
        await asyncio.sleep(max(0.0, self._plays_until - loop.time()) + AFTER_S)
        return (heard_at - self.said_at) * 1000

    async def speak(self) -> None:
        """A packet every 20 ms, by absolute deadlines: the question if there is one, else the room's noise."""
        loop, position = asyncio.get_running_loop(), 0
        due = loop.time()
        while not self._socket.closed:
            packet = (self._noise.standard_normal(PACKET) * 32768 * 10 ** (NOISE_DBFS / 20)).astype(np.int16)
            if len(self._saying):
                part = self._saying[position : position + PACKET]
                packet[: len(part)] = part
                if position < self._loud_end <= position + PACKET:
                    self.said_at = loop.time()
                position += PACKET
                if position >= len(self._saying):
                    position, self._saying = 0, np.zeros(0, np.int16)
                    self._said.set()
            audio = base64.b64encode(packet.astype("<i2").tobytes()).decode()
            with suppress(ConnectionError):  # it is over
                await self._socket.send_json({"type": "input_audio_buffer.append", "audio": audio})
            due += TICK_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def listen(self) -> None:
        """Take the events."""
        loop = asyncio.get_running_loop()
        async for message in self._socket:
            event: dict[str, Any] = json.loads(message.data)
            if event["type"] == "response.output_audio.delta":
                pcm = np.frombuffer(base64.b64decode(event["delta"]), "<i2")
                begins = max(self._plays_until, loop.time())
                self._plays_until = begins + len(pcm) / RATE
                self._hear(pcm.astype(np.int16), begins)
            elif event["type"] == "response.done":
                self._done.set()

    def _hear(self, pcm: I16, begins: float) -> None:
        """Whether this is the first of the answer that is audible."""
        window = RATE // 100
        loud = (n for n in range(0, len(pcm), window) if dbfs(pcm[n : n + window]) > AUDIBLE_DBFS)
        first = next(loud, None)
        if first is not None and self._first is not None and not self._first.done():
            self._first.set_result(begins + first / RATE)


async def measure(turns: int) -> dict[str, list[float]]:
    """That many questions over each, in turn; ms of those that were answered."""
    clips = questions()
    found: dict[str, list[float]] = {"WebRTC": [], "WebSocket": []}
    async with Server() as server, Caller(server.url, muted=True) as caller, aiohttp.ClientSession() as http:
        address = server.url.replace("http", "ws", 1) + "/v1/realtime?model=gpt-realtime"
        async with http.ws_connect(address, max_msg_size=0) as socket, asyncio.TaskGroup() as group:
            talker = Talker(socket)
            tasks = [group.create_task(talker.listen()), group.create_task(talker.speak())]
            await asyncio.sleep(1.0)
            for n in range(turns):
                clip = clips[n % len(clips)]
                one, other = await turn(caller, clip), await talker.ask(clip)
                found["WebRTC"] += [one["voice_to_voice_ms"]] if "voice_to_voice_ms" in one else []
                found["WebSocket"] += [] if other is None else [other]
            for task in tasks:
                task.cancel()
    return found


def main() -> None:
    """Measure, print, assert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=20, help="over each of the two")
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    found = asyncio.run(measure(args.turns))
    rows = [
        [name, len(ms), args.turns - len(ms), round(quantile(ms, 0.5)), round(quantile(ms, 0.95))]
        for name, ms in found.items()
    ]
    print(table(["over", "answered", "missed", "p50 ms", "p95 ms"], rows))
    behind = quantile(found["WebSocket"], 0.5) - quantile(found["WebRTC"], 0.5)
    print(f"\nThe WebSocket's median is {behind:+.0f} ms from WebRTC's (bar: at most {MOST_BEHIND_MS:+.0f}).")
    print(f"\n{machine()}")
    save("websocket", {"behind_ms": round(behind), **found})
    if behind > MOST_BEHIND_MS or any(len(ms) < args.turns for ms in found.values()):
        raise SystemExit("the WebSocket is slower than it may be, or a question was not answered")


if __name__ == "__main__":
    main()
