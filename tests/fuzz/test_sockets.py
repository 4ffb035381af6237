"""Whatever a client writes to its WebSocket gets answers that OpenAI's own types accept, or is closed with a code; the
session lives, other calls feel nothing, and nothing is left.
"""

from __future__ import annotations

import asyncio
import base64
import gc
from time import thread_time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.settings import Settings
from signaling.sockets import MESSAGE_BYTES
from tests.fuzz import SLOW
from tests.fuzz.frames import BINARY, CLOSE, HANDSHAKE, MARK, PING, PONG, TEXT, Wire, checked, frame, message
from tests.fuzz.quiet import quietly
from tests.fuzz.server import SETTINGS, running
from tests.fuzz.test_events import DEEP, TEXTS

UPDATE = b'{"type": "session.update", "session": {}}'
STALL_S = 0.08
"""of CPU, for which no other call gets the loop"""


async def talked(data: bytes, settings: Settings = SETTINGS) -> tuple[list[Any], int | None, bool]:
    """What the server says to these bytes; its closing code; and whether it answers afterwards."""
    async with running(keys=False, settings=settings) as runner:
        server = runner.server
        assert server is not None
        wire = Wire(server)
        await wire.send(HANDSHAKE)
        await wire.send(data)
        lives = await wire.answered()
        await wire.gone(server)
    return *checked(wire.said), lives


TEXT_BYTES = TEXTS.map(lambda text: text.encode("utf-8", "ignore"))
CUTS = st.lists(st.integers(0, 10_000), max_size=4)
BETWEEN = st.sampled_from([b"", frame(PING, b"?"), frame(PONG)])
WHOLE = st.builds(message, st.just(TEXT), TEXT_BYTES, CUTS, BETWEEN)
BYTES = st.builds(message, st.just(BINARY), st.binary(max_size=60), CUTS, BETWEEN)
ODD = st.one_of(
    st.builds(
        frame,
        st.integers(0, 15),
        st.binary(max_size=200),
        fin=st.booleans(),
        masked=st.booleans(),
        rsv=st.sampled_from([0, 0, 0, 4, 1]),
    ),
    st.builds(frame, st.just(CLOSE), st.sampled_from([b"\x03\xe8", b"\x03", b"\x0f\xff\xff", b"\xff\xff"])),
    st.sampled_from([0, 1, 125, 126, 1 << 16, 1 << 25, 1 << 26, 1 << 62, 1 << 63]).map(
        lambda says: frame(TEXT, b"{}", says=says)
    ),
    st.binary(max_size=40),
    st.just(message(TEXT, b'"\xff\xfe"')),
    st.just(frame(TEXT, "ä".encode()[:1], fin=False)),
)


@SLOW
@given(st.lists(WHOLE | BYTES, min_size=1, max_size=4))
@example([message(TEXT, b"[" * DEEP + b"]" * DEEP), message(TEXT, b"9" * 5000), message(TEXT, b"1e999")])
@example([message(TEXT, b""), message(BINARY, b""), message(TEXT, "ä".encode(), [1])])
@example([message(TEXT, UPDATE, range(len(UPDATE)), frame(PING, b"x" * 125))])
def test_any_message_is_answered_and_the_session_lives(sent: list[bytes]) -> None:
    events, code, lives = quietly(talked(b"".join(sent)))
    assert lives and code is None
    assert events[0]["type"] == "session.created"
    assert events[-1]["error"]["event_id"] == MARK


@SLOW
@given(st.lists(WHOLE | BYTES | ODD, min_size=1, max_size=5).map(b"".join))
@example(frame(TEXT, b"{}", says=(1 << 64) - 1))
@example(frame(0, b"x"))
@example(frame(PING, b"x" * 126))
@example(frame(PING, fin=False))
@example(frame(TEXT, UPDATE, masked=False))
@example(frame(TEXT, fin=False) + frame(TEXT))
def test_any_bytes_are_answered_or_closed_with_a_code(data: bytes) -> None:
    quietly(survived(data))


async def survived(data: bytes) -> None:
    """Whatever it was, a typed answer or a documented goodbye; and another client is answered."""
    async with running(keys=False) as runner:
        server = runner.server
        assert server is not None
        wire = Wire(server)
        await wire.send(HANDSHAKE)
        await wire.send(data)
        await wire.idle()  # perhaps it waits for the rest of a frame
        await wire.gone(server)
        another = Wire(server)
        await another.send(HANDSHAKE)
        assert await another.answered()
        await another.gone(server)
    checked(wire.said)
    checked(another.said)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b'"\xff"'), 1007),
        (frame(3, b"?"), 1002),
        (frame(TEXT, UPDATE, rsv=4), 1002),
        (frame(TEXT, says=MESSAGE_BYTES + 1), 1009),
        (frame(TEXT, says=1 << 62), 1009),
        (frame(TEXT, b"x" * (MESSAGE_BYTES // 2), fin=False) + frame(0, b"x" * (MESSAGE_BYTES // 2 + 1)), 1009),
        (frame(CLOSE, b"\x03\xe8"), 1000),
    ],
    ids=["no UTF-8", "no opcode", "compressed", "too large", "far too large", "too large in pieces", "a goodbye"],
)
def test_what_can_not_go_on_is_closed_with_its_code(data: bytes, code: int) -> None:
    async def talk() -> bytes:
        async with running(keys=False) as runner:
            server = runner.server
            assert server is not None
            wire = Wire(server)
            await wire.send(HANDSHAKE)
            assert await wire.answered()
            await wire.send(data)
            await wire.closed()
            await wire.gone(server)
        return wire.said

    events, closed = checked(quietly(talk()))
    assert closed == code
    assert [event["type"] for event in events] == ["session.created", "error"]


def test_as_much_sound_as_the_api_allows_is_taken() -> None:
    audio = base64.b64encode(bytes(15 << 20))
    events, code, lives = quietly(
        talked(message(TEXT, b'{"type": "input_audio_buffer.append", "audio": "%s"}' % audio))
    )
    assert lives and code is None
    assert [event["type"] for event in events] == ["session.created", "error"]
    assert events[-1]["error"]["event_id"] == MARK


@pytest.mark.parametrize("value", [b"[],", b'{"":0},', b"[[[[[[[[]]]]]]]],"])
@pytest.mark.parametrize("kind", [b"session.update", b"input_audio_buffer.append"])
def test_a_message_that_is_only_large_costs_nobody_a_tick(kind: bytes, value: bytes) -> None:
    text = b'{"type": "%s", "x": [' % kind + value * ((12 << 20) // len(value)) + b"0]}"
    events, stalled_s, _ = quietly(beside_another(message(TEXT, text)))
    assert events[1]["error"]["code"] in ("invalid_json", "rate_limit_exceeded")
    assert stalled_s < STALL_S


@pytest.mark.parametrize(
    "flood",
    [
        message(TEXT, b""),
        message(TEXT, b"{}"),
        message(TEXT, b'{"type": "input_audio_buffer.append", "audio": ""}'),
        message(TEXT, UPDATE),
        message(BINARY, b""),
        frame(PING),
        frame(PONG),
        frame(0, fin=False),
    ],
    ids=["empty", "objects", "no sound", "updates", "binary", "pings", "pongs", "pieces"],
)
def test_a_flood_costs_nobody_a_tick_and_the_session_lives(flood: bytes) -> None:
    begun = frame(TEXT, b"{", fin=False) if flood == frame(0, fin=False) else b""
    ended = frame(0, b"}") if begun else b""
    events, stalled_s, lives = quietly(beside_another(begun + flood * ((512 << 10) // len(flood)) + ended))
    assert lives
    assert stalled_s < STALL_S
    errors = [event["error"]["code"] for event in events if event["type"] == "error"]
    assert errors.count("rate_limit_exceeded") <= 10


async def beside_another(data: bytes) -> tuple[list[Any], float, bool]:
    """What the server says to these bytes, how long (s of CPU) nobody else was served, and whether it answers after."""
    stalled_s = 0.0

    async def watch() -> None:
        nonlocal stalled_s
        while True:
            before = thread_time()
            await asyncio.sleep(0)
            stalled_s = max(stalled_s, thread_time() - before)

    async with running(keys=False) as runner:
        server = runner.server
        assert server is not None
        wire = Wire(server)
        await wire.send(HANDSHAKE)
        await wire.idle()
        gc.freeze()  # as a server does
        watching = asyncio.ensure_future(watch())
        await wire.send(data)
        await wire.idle()
        lives = await wire.answered()
        watching.cancel()
        gc.unfreeze()
        await wire.gone(server)
    return checked(wire.said)[0], stalled_s, lives
