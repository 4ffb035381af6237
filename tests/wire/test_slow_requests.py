"""Clients that send their requests a byte at a time, or not at all: the server does not wait for them for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from agent.caller import Caller
from agent.settings import load
from signaling.app import Access
from signaling.body import Waits
from tests.people import models_missing, serving
from tests.scripted_llm import scripted_llm
from tests.wire.test_door import Answering, asked, served

REQUEST_S = 0.4
UPLOAD_S = 0.8
LATE_S = 5.0
"""by which whoever is too slow has been hung up on, on a busy machine too"""
DURING_S = 6.0
"""that requests may take while somebody calls"""
DRIP_S = 0.02
CALLS = "/v1/realtime/calls"
FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
BODIES = [
    ("POST", CALLS, "application/sdp", b"v=0", "request_timeout"),
    ("POST", CALLS, FORM, PART.replace(b"file", b"sdp"), "request_timeout"),
    ("POST", f"{CALLS}/rtc_1", "application/sdp", b"v=0", "request_timeout"),
    ("POST", "/whip/studio", "application/sdp", b"v=0", "request_timeout"),
    ("POST", "/v1/realtime/client_secrets", "application/json", b"{", "request_timeout"),
    ("POST", "/v1/audio/speech", "application/json", b"{", "request_timeout"),
    ("POST", "/v1/audio/transcriptions", FORM, PART, "upload_timeout"),
    ("POST", "/v1/audio/translations", FORM, b"", "upload_timeout"),
]


class Lending(Answering):
    """Lets everybody in who wants a text or speech."""

    @property
    def studio(self) -> Any:
        return SimpleNamespace(transcriptions=SimpleNamespace(admitted=nullcontext))


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with served(Lending(), Access(waits=Waits(REQUEST_S, UPLOAD_S))) as (url, _):
        yield url


def head(method: str, path: str, kind: str, length: int = 10_000) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def dripped(
    url: str,
    begun: bytes,
    drip: bytes = b" ",
    *,
    every_s: float = DRIP_S,
    within_s: float = LATE_S,
    closed: bool = True,
) -> tuple[str, dict[str, str]]:
    """Send this, and then one byte after the other until hung up on; the answer's head, and its error."""

    async def go_on() -> None:
        with suppress(ConnectionError):
            while True:
                writer.write(drip)
                await writer.drain()
                await asyncio.sleep(every_s)

    async with connected(url) as (reader, writer), asyncio.TaskGroup() as group:
        writer.write(begun)
        dripping = group.create_task(go_on())
        try:
            async with asyncio.timeout(within_s):
                answer = await reader.readuntil(b"\r\n\r\n")
                said = await until_closed(reader) if closed else b""
        finally:
            dripping.cancel()
    return answer.decode(), json.loads(said or b"{}").get("error", {})


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server hangs up; it may do so with bytes of ours unread."""
    said = b""
    with suppress(ConnectionError):
        while part := await reader.read(1 << 16):
            said += part
    return said


@pytest.mark.parametrize(("method", "path", "kind", "begun", "code"), BODIES)
async def test_a_body_that_drips_is_refused_and_hung_up_on(
    url: str, method: str, path: str, kind: str, begun: bytes, code: str
) -> None:
    answer, error = await dripped(url, head(method, path, kind) + begun)
    assert answer.startswith("HTTP/1.1 408 ")
    assert "connection: close" in answer.lower()
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert f"{UPLOAD_S if code == 'upload_timeout' else REQUEST_S:g} s" in error["message"]


async def test_candidates_that_drip_are_too(url: str) -> None:
    offer = b"v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\n"
    _, _, response = await asked(url + CALLS, "POST", headers={"Content-Type": "application/sdp"}, data=offer)
    path = response.headers["Location"]
    answer, error = await dripped(url, head("PATCH", path, "application/trickle-ice-sdpfrag") + b"a=")
    assert answer.startswith("HTTP/1.1 408 ")
    assert error["code"] == "request_timeout"


@pytest.mark.parametrize("path", ["/healthz", "/nowhere"])
async def test_a_body_that_nobody_wants_keeps_no_connection(url: str, path: str) -> None:
    answer, _ = await dripped(url, head("GET", path, "text/plain"))
    assert answer.startswith(("HTTP/1.1 200 ", "HTTP/1.1 404 "))


@pytest.mark.parametrize("begun", [b"GET /", b"POST /v1/realtime/calls HTTP/1.1\r\nHost: localhost\r\nX: "])
async def test_headers_that_drip_are_refused(url: str, begun: bytes) -> None:
    answer, error = await dripped(url, begun, b"x")
    assert answer.startswith("HTTP/1.1 408 ")
    assert error["code"] == "request_timeout"


async def test_headers_that_drip_after_a_good_request_are_too(url: str) -> None:
    async with connected(url) as (reader, writer):
        for length in (0, 9):
            writer.write(head("POST", CALLS, "application/sdp", length))
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(b"v=0\r\nm=x\r"[:length])
            answer = await reader.readuntil(b"\r\n\r\n")
            size = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(size)
        await asyncio.sleep(1.5 * REQUEST_S)  # an idle connection may stay
        for part in (b"GE", b"T /hea"):
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(LATE_S):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")


async def test_who_says_nothing_is_hung_up_on(url: str) -> None:
    async with connected(url) as (reader, _), asyncio.timeout(LATE_S):
        assert await reader.read() == b""


async def test_a_request_in_pieces_within_the_time_is_answered(url: str) -> None:
    request = head("POST", CALLS, "application/sdp", 5) + b"v=0\r\n"
    async with connected(url) as (reader, writer), asyncio.timeout(LATE_S):
        for begins in range(0, len(request), 40):
            writer.write(request[begins : begins + 40])
            await asyncio.sleep(DRIP_S)
        assert (await reader.readline()).startswith(b"HTTP/1.1 201 ")


@pytest.mark.models
@pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here")
@pytest.mark.timeout(60)
async def test_a_call_between_a_hundred_that_drip_is_answered_as_ever() -> None:
    async with scripted_llm(lambda _: "Paris.") as llm:
        flags: dict[str, dict[str, Any]] = {
            "llm": {"url": llm.url, "model": "scripted"},
            "limits": {"request_s": DURING_S},
        }
        settings = await asyncio.to_thread(load, None, **flags)
        async with serving(settings) as (url, _), asyncio.TaskGroup() as group:
            begun = [head(*each[:3]) + each[3] for each in BODIES[:5]] + [b"POST /v1/rea"]
            slow = [
                group.create_task(dripped(url, begun[n % len(begun)], every_s=0.2, within_s=3 * DURING_S, closed=False))
                for n in range(100)
            ]
            async with Caller(url) as caller:
                caller.send({"type": "response.create"})
                done = await caller.event("response.done")
                assert done["response"]["status"] == "completed"
                assert not any(each.done() for each in slow), "they were not there any more"
            answers = await asyncio.gather(*slow)
            assert {answer.split()[1] for answer, _ in answers} == {"408"}
