"""Does a flood of offers leave anything behind, and does a good call feel it?

A thousand offers that are none, in many ways, and a thousand good ones of callers who never come, against the limits
that a server has if nobody sets them; meanwhile somebody talks. Afterwards memory and sockets are back, and the
talker's ticks were never late.

    python -m bench.flood [--offers 1000]
"""

from __future__ import annotations

import argparse
import asyncio
from itertools import cycle, islice
from typing import Any

import aiohttp
import psutil
from aiortc import RTCConfiguration, RTCPeerConnection

from agent.caller import Caller
from agent.transports.aiortc_private import gather_only
from agent.transports.p2p import OutgoingTrack
from bench.latency import turn
from bench.report import machine, quantile, save, table
from bench.server import Server
from bench.speech import questions

SETTINGS = {"ANTIPHON__LIMITS__CONNECT_S": "2", "ANTIPHON__LIMITS__RECONNECT_S": "0"}
AT_ONCE = 8
MOST_MB = 30.0
"""more memory than before that counts as none: what the first calls load and keep"""


async def offer() -> str:
    """What a client that will never come sends."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTrack(OutgoingTrack())
    peer.createDataChannel("oai-events")
    await peer.setLocalDescription(await peer.createOffer())
    sdp: str = peer.localDescription.sdp
    await peer.close()
    return sdp


def bad(good: str) -> list[tuple[str, bytes]]:
    """Content types and bodies that are no offer."""
    sdp = "application/sdp"
    return [
        (sdp, b""),
        (sdp, b"v=0"),
        (sdp, good[: len(good) // 2].encode()),
        (sdp, good.replace("opus/48000/2", "nothing/1").encode()),
        (sdp, good.replace("a=fingerprint", "a=nothing").encode()),
        (sdp, good.replace("a=ice-pwd", "a=nothing").encode()),
        (sdp, (good + "m=audio 9 RTP/AVP 0\r\n" * 20).encode()),
        (sdp, b"v=0\r\n" + b"x" * 70_000),
        (sdp, b"\xff\xfe" + good.encode()),
        ("application/json", good.encode()),
        ("multipart/form-data; boundary=x", b"--x--"),
    ]


def sockets(server: Server) -> int:
    """Open descriptors of the server."""
    return psutil.Process(server.pid).num_fds()


def memory_mb(server: Server) -> float:
    """Resident memory of the server."""
    return float(psutil.Process(server.pid).memory_info().rss) / 1e6


async def flood(url: str, bodies: list[tuple[str, bytes]], query: str = "") -> dict[int, int]:
    """Post them, some at once; how often each status came."""
    calls = f"{url}/v1/realtime/calls{query}"
    found: dict[int, int] = {}
    left = iter(bodies)

    async def post(http: aiohttp.ClientSession) -> None:
        for kind, body in left:
            async with http.post(calls, data=body, headers={"Content-Type": kind}) as response:
                await response.read()
                found[response.status] = found.get(response.status, 0) + 1

    async with aiohttp.ClientSession() as http:
        await asyncio.gather(*(post(http) for _ in range(AT_ONCE)))
    return dict(sorted(found.items()))


async def measure(offers: int) -> dict[str, Any]:
    """Both floods, each beside a talker."""
    good = await offer()
    kinds = {"bad": bad(good), "abandoned": [("application/sdp", good.encode())]}
    figures: dict[str, Any] = {}
    async with Server(SETTINGS) as server:
        async with Caller(server.url) as caller:  # whatever is loaded late is loaded
            await turn(caller, questions()[0])
        await flood(server.url, list(islice(cycle(kinds["bad"]), 50)) + kinds["abandoned"] * 50)
        await server.calls_over(10.0)
        before_fds, before_mb = sockets(server), memory_mb(server)
        for name, bodies in kinds.items():
            late = await server.counter("antiphon_tick_overruns_total")
            async with Caller(server.url) as caller:
                flooding = asyncio.ensure_future(flood(server.url, list(islice(cycle(bodies), offers))))
                turns = [await turn(caller, questions()[0])]
                while not flooding.done():
                    turns.append(await turn(caller, questions()[len(turns) % 10]))
                statuses = await flooding
            await server.calls_over(10.0)
            heard = [one["voice_to_voice_ms"] for one in turns if "voice_to_voice_ms" in one]
            figures[name] = {
                "statuses": " ".join(f"{status}: {count}" for status, count in statuses.items()),
                "turns meanwhile": len(turns),
                "missed": len(turns) - len(heard),
                "p50_ms": round(quantile(heard, 0.5)),
                "late ticks": round(await server.counter("antiphon_tick_overruns_total") - late),
                "descriptors more": sockets(server) - before_fds,
                "memory more MB": round(memory_mb(server) - before_mb, 1),
            }
            print(name, figures[name], flush=True)
    return figures


def main() -> None:
    """Measure, print, assert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--offers", type=int, default=1000)
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    figures = asyncio.run(measure(args.offers))
    rows = [[name, *row.values()] for name, row in figures.items()]
    print("\n" + table(["offers", *figures["bad"]], rows) + f"\n\n{machine()}")
    save("flood", figures)
    if any(row["descriptors more"] or row["memory more MB"] > MOST_MB or row["missed"] for row in figures.values()):
        raise SystemExit("the flood left something behind, or somebody without an answer")


if __name__ == "__main__":
    main()
