"""A bad network between caller and server: how late speech is heard, how well, and how soon it is answered.

Three measures, each over real WebRTC with real Opus through `bench.network`, which loses, delays, reorders and doubles
the caller's packets on their way:

- listening delay: from the moment a 20 ms frame goes to the caller's packetiser until the server's listener has it;
- word errors: the English recordings, recognised by a real server, push to talk so that each is one transcript;
- voice to voice: as in `bench.latency`, questions by the TTS.

    python -m bench.loss [--only delay] [--conditions clean "loss 5 %"]
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from agent.audio import I16, TICK_S, TICK_SAMPLES
from agent.caller import Caller
from agent.transports.aiortc_private import gather_only, send_through
from agent.transports.ice import Ice
from agent.transports.opus import OpusEncoder
from agent.transports.p2p import OutgoingTrack, PeerConnection
from bench.latency import turn
from bench.network import Network
from bench.report import machine, quantile, save, table
from bench.server import Server
from bench.speech import questions
from bench.turn_cases import recorded
from bench.wer import Errors, word_errors

CONDITIONS: dict[str, dict[str, Any]] = {
    "clean": {},
    "loss 1 %": {"loss": 0.01},
    "loss 5 %": {"loss": 0.05},
    "loss 15 %": {"loss": 0.15},
    "200 ms lost": {"burst_s": 0.2},
    "200 ms stalled": {"burst_s": 0.2, "stall": True},
    "jitter 30 ms": {"jitter_s": 0.03},
    "jitter 100 ms": {"jitter_s": 0.1},
    "reordered 5 %": {"reorder": 0.05},
    "doubled 5 %": {"duplicate": 0.05},
}
SPOKEN = ("clean", "loss 5 %", "loss 15 %", "jitter 100 ms")
"""conditions under which a whole server listens and answers"""
SECONDS = 15.0
"""of speech for the listening delay"""
SETTLED_S, WITHIN_S = 1.0, 0.5
"""after a burst the delay must be back; looked at for so long"""


@dataclass(slots=True)
class Delays:
    """When each frame was heard, and how late."""

    at: list[float]
    late_s: list[float]
    bursts: list[float]


async def delays(network: Network, speech: I16) -> Delays:
    """Speech through a network into a receive path, frame by frame."""
    loop = asyncio.get_running_loop()
    server, pc = PeerConnection(Ice()), RTCPeerConnection(RTCConfiguration(iceServers=[]))
    track, encoder = OutgoingTrack(), OpusEncoder()
    sent: list[float] = []
    found = Delays([], [], network.bursts)
    pc.addTrack(track)
    await pc.setLocalDescription(await pc.createOffer())
    answer = await server.answer(pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await server.connected.wait()

    async def listen() -> None:
        async for chunk in server.chunks():
            frame = chunk.pts // len(chunk.pcm)
            if frame < len(sent):
                found.at.append(loop.time())
                found.late_s.append(loop.time() - sent[frame])

    async with asyncio.TaskGroup() as group:
        ear = group.create_task(listen())
        due = loop.time()
        for n in range(round(SECONDS / TICK_S)):
            if n == round(0.5 / TICK_S):
                send_through(pc, network)
            frame = speech[n * TICK_SAMPLES % len(speech) :][:TICK_SAMPLES]
            packet = encoder.encode(np.pad(frame, (0, TICK_SAMPLES - len(frame))))
            sent.append(loop.time())
            if packet is not None:
                track.put(packet)
            due += TICK_S
            await asyncio.sleep(max(0.0, due - loop.time()))
        await asyncio.sleep(0.3)
        ear.cancel()
    await pc.close()
    await server.close("measured")
    return found


def delay_row(name: str, found: Delays) -> dict[str, object]:
    """p50, p95, and what is left of a burst a second later."""
    late = [1000 * late_s for late_s in found.late_s]
    usual = quantile(late, 0.5)
    after = [
        late_ms - usual
        for burst in found.bursts
        for at, late_ms in zip(found.at, late, strict=True)
        if burst + SETTLED_S <= at < burst + SETTLED_S + WITHIN_S
    ]
    return {
        "network": name,
        "frames": len(late),
        "p50_ms": round(usual, 1),
        "p95_ms": round(quantile(late, 0.95), 1),
        "most_ms": round(max(late), 1),
        "1 s after a burst_ms": round(quantile(after, 0.5), 1) if after else "",
    }


async def conversation(name: str, options: dict[str, Any]) -> dict[str, object]:
    """What a real server understands, and how soon it answers."""
    wrong = Errors()
    async with Server({"ANTIPHON__TURN__MODE": "manual"}) as server, Caller(server.url) as caller:
        caller.through(Network(**options))
        for clip in recorded(longest_s=15.5):
            after = len(caller.events)
            await caller.say(clip.pcm)
            await asyncio.sleep(0.3)
            caller.send({"type": "input_audio_buffer.commit"})
            caller.send({"type": "response.create"})
            done = await caller.event(
                "conversation.item.input_audio_transcription.completed", after=after, within_s=15.0
            )
            wrong += word_errors(clip.text, done["transcript"], "en")
            caller.send({"type": "response.cancel"})
            await caller.hears_silence(0.5, within_s=30.0)
    async with Server() as server, Caller(server.url) as caller:
        caller.through(Network(**options))
        await asyncio.sleep(1.0)
        turns = [await turn(caller, clip) for clip in questions() * 2]
    heard = [t["voice_to_voice_ms"] for t in turns if "voice_to_voice_ms" in t]
    return {
        "network": name,
        "word_errors_percent": round(100 * wrong.rate, 1),
        "voice_to_voice_p50_ms": round(quantile(heard, 0.5)),
        "missed": sum("missed" in t for t in turns),
        "premature": sum(t["premature"] for t in turns),
    }


async def measure(names: list[str], only: str) -> dict[str, object]:
    """All that was asked for; printed as it comes."""
    figures: dict[str, object] = {}
    speech = np.concatenate([clip.pcm for clip in recorded(longest_s=9.0)])
    if only in ("", "delay"):
        rows = [delay_row(name, await delays(Network(**CONDITIONS[name]), speech)) for name in names]
        print(
            "Listening delay, ms:\n\n" + table(list(rows[0]), [list(row.values()) for row in rows]) + "\n", flush=True
        )
        figures["delay"] = rows
    if only in ("", "speech"):
        rows = [await conversation(name, CONDITIONS[name]) for name in names if name in SPOKEN]
        print(table(list(rows[0]), [list(row.values()) for row in rows]))
        figures["speech"] = rows
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conditions", nargs="+", default=list(CONDITIONS), choices=list(CONDITIONS), metavar="NAME")
    parser.add_argument("--only", default="", choices=("delay", "speech"))
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    figures = asyncio.run(measure(args.conditions, args.only))
    print(f"\n{machine()}")
    save("loss", figures)


if __name__ == "__main__":
    main()
