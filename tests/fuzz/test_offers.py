"""Offers and candidates that are broken in any way get a typed refusal, and leave no socket."""

from __future__ import annotations

import asyncio
from functools import cache

from aiortc import RTCConfiguration, RTCPeerConnection
from hypothesis import example, given
from hypothesis import strategies as st

from agent.errors import SignalingError, TransportError
from agent.transports.ice import Ice
from agent.transports.p2p import OutgoingTrack, PeerConnection
from signaling.calls import offered
from tests.fuzz import FUZZ, SLOW
from tests.fuzz.quiet import quietly
from tests.fuzz.targets import CORPUS

CHECK_S = 0.03
"""by then a candidate has been tried: aioice sends a check every 20 ms"""
REAL = [path.read_bytes().decode() for path in sorted((CORPUS / "offer").glob("valid-*"))]


@cache
def offer() -> str:
    """A good one, of this machine."""

    async def make() -> str:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTrack(OutgoingTrack())
        peer.createDataChannel("oai-events")
        await peer.setLocalDescription(await peer.createOffer())
        sdp: str = peer.localDescription.sdp
        await peer.close()
        return sdp

    return asyncio.run(make())


@cache
def bare() -> str:
    """The same, before the client has found an address of its own."""
    lines = [line for line in offer().splitlines() if not line.startswith(("a=candidate", "a=end-of-candidates"))]
    return "\r\n".join(lines) + "\r\n"


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A good offer after a few accidents: lines lost, doubled, moved, rewritten, characters changed."""
    lines = draw(st.sampled_from([offer(), *REAL])).splitlines()
    for _ in range(draw(st.integers(1, 4))):
        if not lines:
            break
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["drop", "double", "move", "write", "cut", "number"])):
            case "drop":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "move":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case "write":
                lines[at] = draw(st.text(max_size=60))
            case "cut":
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
            case "number":
                lines[at] = lines[at].replace("1", draw(st.sampled_from(["-1", "99999999999", "", "x", "1 1"])))
    return "\r\n".join(lines) + "\r\n"


async def answered(sdp: str, fragment: str = "") -> None:
    """An answer, or the refusal that callers are told; then candidates, and time to try them."""
    connection = PeerConnection(Ice())
    try:
        await connection.answer(sdp)
        if fragment:
            await connection.add_candidates(fragment)
            await asyncio.sleep(CHECK_S)
    except TransportError:
        pass
    finally:
        await connection.close("over")


def test_offers_of_real_clients_are_answered() -> None:
    async def answer() -> list[str]:
        found = []
        for sdp in REAL:
            connection = PeerConnection(Ice())
            found.append(await connection.answer(sdp))
            await connection.close("over")
        return found

    for sdp in quietly(answer()):
        assert "opus/48000/2" in sdp and "m=application" in sdp


UNSIGNED = "\r\n".join(line for line in REAL[0].splitlines() if "fingerprint" not in line) + "\r\n"


@SLOW
@given(broken())
@example(UNSIGNED)
@example(REAL[0].replace("a=fingerprint", "a=x", 1))
def test_a_broken_offer_is_answered_or_refused(sdp: str) -> None:
    quietly(answered(sdp))


CANDIDATE = st.builds(
    "a=candidate:{} {} {} {} {} {} typ {}".format,
    st.text("abc123+/", max_size=40),
    st.sampled_from([1, 1, 1, 2, -1, 300]) | st.text(max_size=3),
    st.sampled_from(["udp", "UDP", "udp", "tcp", "x"]),
    st.integers(-1, 2**40),
    st.just("127.0.0.1") | st.ip_addresses() | st.text(max_size=30),
    st.integers(-1, 70_000) | st.text(max_size=3),
    st.sampled_from(["host", "srflx raddr 10.0.0.1 rport 9", "relay", "prflx", "x raddr", "host rport x", ""]),
)
FRAGMENT = st.lists(CANDIDATE | st.just("a=end-of-candidates") | st.text(max_size=80), max_size=40).map("\r\n".join)


@SLOW
@given(FRAGMENT)
@example("a=candidate:1 1 udp 1 127.0.0.1 70000 typ host")
@example("a=candidate:1 2 udp 1 127.0.0.1 7000 typ host")
@example("a=candidate:1 1 udp 1 127.0.0.1 ７０ typ host")
@example("a=candidate:1 1 udp 1 127.0.0.1%x 70 typ host")
def test_broken_candidates_are_taken_or_refused(fragment: str) -> None:
    quietly(answered(bare(), fragment))


@SLOW
@given(FRAGMENT)
def test_broken_candidates_in_an_offer_are_too(fragment: str) -> None:
    quietly(answered(bare() + fragment + "\r\n", "a=end-of-candidates"))


@FUZZ
@given(st.binary(max_size=300) | broken().map(str.encode))
def test_any_body_is_an_offer_or_a_refusal(body: bytes) -> None:
    try:
        assert offered(body).startswith("v=0")
    except SignalingError as error:
        assert error.status in (400, 413)
