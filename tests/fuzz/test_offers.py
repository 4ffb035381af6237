"""Offers and candidates that are broken in any way get a typed refusal, and leave no socket."""

from __future__ import annotations

import asyncio
from functools import cache

import psutil
from aiortc import RTCConfiguration, RTCPeerConnection
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SignalingError, TransportError
from agent.transports.ice import Ice
from agent.transports.p2p import OutgoingTrack, PeerConnection
from signaling.calls import sdp
from tests.fuzz import FUZZ


@cache
def offer() -> str:
    """A good one."""

    async def make() -> str:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTrack(OutgoingTrack())
        peer.createDataChannel("oai-events")
        await peer.setLocalDescription(await peer.createOffer())
        sdp: str = peer.localDescription.sdp
        await peer.close()
        return sdp

    return asyncio.run(make())


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A good offer after a few accidents: lines lost, doubled, moved, rewritten, characters changed."""
    lines = offer().splitlines()
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


async def answered(sdp: str) -> None:
    """An answer, or the refusal that callers are told."""
    connection = PeerConnection(Ice())
    try:
        await connection.answer(sdp)
    except TransportError:
        pass
    finally:
        await connection.close("over")


@FUZZ
@given(broken())
def test_a_broken_offer_is_answered_or_refused(sdp: str) -> None:
    before = psutil.Process().num_fds()
    asyncio.run(answered(sdp))
    assert psutil.Process().num_fds() <= before + 1


async def trickled(fragment: str) -> None:
    """Candidates for a connection that was answered."""
    connection = PeerConnection(Ice())
    try:
        await connection.answer(offer())
        await connection.add_candidates(fragment)
    except (TransportError, ValueError, AssertionError, IndexError):
        pass  # what the worker turns into 400
    finally:
        await connection.close("over")


CANDIDATE = st.builds(
    "a=candidate:{} {} {} {} {} {} typ {}".format,
    st.text("abc123+/", max_size=40),
    st.integers(-1, 300) | st.text(max_size=3),
    st.sampled_from(["udp", "tcp", "UDP", "x"]),
    st.integers(-1, 2**40),
    st.ip_addresses() | st.text(max_size=30),
    st.integers(-1, 70_000) | st.text(max_size=3),
    st.sampled_from(["host", "srflx", "relay", "prflx", "x raddr", ""]),
)


@FUZZ
@given(st.lists(CANDIDATE | st.text(max_size=80), max_size=40).map("\r\n".join))
def test_broken_candidates_are_taken_or_refused(fragment: str) -> None:
    asyncio.run(trickled(fragment))


@FUZZ
@given(st.binary(max_size=300) | broken().map(str.encode))
def test_any_body_is_an_offer_or_a_refusal(body: bytes) -> None:
    try:
        assert sdp(body).startswith("v=0")
    except SignalingError as error:
        assert error.status in (400, 413)
