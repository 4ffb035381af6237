"""What bad callers get: a clear refusal, and nothing else breaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from agent.audio import WIRE_RATE
from agent.caller import Caller
from agent.errors import SignalingError
from agent.settings import Settings, load
from tests.people import models_missing, serving

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(60),
]

CALLS = "/v1/realtime/calls"
NO_AUDIO = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:actpass",
        "a=sctp-port:5000",
        "",
    ]
)


@pytest.fixture
def settings() -> Settings:
    return load(llm={"model": "smollm2"}, limits={"calls": 2})


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[str]:
    async with serving(settings) as (url, _):
        yield url


async def refused(url: str, **request: object) -> tuple[int, dict[str, str]]:
    async with aiohttp.ClientSession() as http, http.post(url, **request) as response:  # type: ignore[arg-type]
        assert response.content_type == "application/json"
        body = json.loads(await response.text())
        assert set(body["error"]) == {"message", "type", "param", "code"}
        return response.status, body["error"]


SDP = {"Content-Type": "application/sdp"}


def nested(depth: int) -> list[object]:
    """A list in a list in a list."""
    found: list[object] = []
    for _ in range(depth):
        found = [found]
    return found


async def test_every_bad_offer_is_refused_and_a_good_one_still_works(server: str) -> None:
    for offer in (b"", b"hello", b"v=0", b"v=0\r\nm=audio", b"v=0\r\n\xff\xfe", b"v=0\r\n" + b"a=x\r\n" * 1000):
        status, error = await refused(server + CALLS, data=offer, headers=SDP)
        assert (status, error["code"]) == (400, "invalid_offer"), offer[:20]
    status, error = await refused(server + CALLS, data=NO_AUDIO, headers=SDP)
    assert status == 400
    assert "no audio" in error["message"]
    status, error = await refused(server + CALLS, data=b"v=0" + b"x" * 1_000_000, headers=SDP)
    assert status == 413
    status, error = await refused(server + CALLS, data=b"v=0" + b"x" * 70_000, headers=SDP)
    assert status == 413
    status, error = await refused(server + CALLS, data=b"{}", headers={"Content-Type": "application/json"})
    assert status == 415
    status, error = await refused(server + CALLS, data=aiohttp.FormData({"session": "{}", "x": "y"}))
    assert status in (400, 415)
    async with Caller(server) as caller:
        assert caller.of("session.created")


async def test_a_form_carries_the_session(server: str) -> None:
    async with Caller(server) as caller:
        assert caller.of("session.created")[0]["session"]["type"] == "realtime"


async def test_malformed_forms_are_refused(server: str) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=b"):
        status, _ = await refused(server + CALLS, data=b"x", headers={"Content-Type": kind})
        assert status == 400
    for session in ("{", "[]", "[" * 50_000, '{"audio": null}', '{"tools": ["\\ud800"]}'):
        form = aiohttp.FormData({"sdp": NO_AUDIO, "session": session})
        form.add_field("x", b"y", filename="x")  # so that it is sent as multipart
        status, error = await refused(server + CALLS, data=form)
        assert status == 400
        assert error["code"] in ("invalid_json", "invalid_type"), session[:20]


async def test_pages_of_other_sites_may_not_call(server: str) -> None:
    for headers, code in (
        ({"Origin": "http://evil.example"}, "wrong_origin"),
        ({"Origin": "null"}, "wrong_origin"),
        ({"Origin": "http://127.0.0.1:1"}, "wrong_origin"),
        ({"Host": "evil.example"}, "wrong_host"),
    ):
        status, error = await refused(server + CALLS, data=NO_AUDIO, headers={**SDP, **headers})
        assert (status, error["code"]) == (403, code)
    async with aiohttp.ClientSession() as http, http.get(server, headers={"Origin": server}) as response:
        assert response.status == 200


async def test_unknown_calls_and_routes(server: str) -> None:
    async with aiohttp.ClientSession() as http:
        for method, path, status in (
            ("DELETE", f"{CALLS}/rtc_nobody", 404),
            ("POST", f"{CALLS}/rtc_nobody/hangup", 404),
            ("GET", "/nothing", 404),
            ("PUT", CALLS, 405),
        ):
            async with http.request(method, server + path) as response:
                assert response.status == status
                assert "error" in await response.json()


async def test_health_readiness_and_metrics(server: str) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{server}/healthz") as response:
            assert response.status == 200
        async with http.get(f"{server}/readyz") as response:
            assert (response.status, (await response.json())["waiting"]) == (200, [])
        async with http.get(f"{server}/metrics") as response:
            assert "antiphon_calls_active 0.0" in await response.text()
        async with http.get(f"{server}/") as response:
            assert "text/html" in response.headers["Content-Type"]


async def test_one_call_too_many_is_told_so_and_the_others_go_on(server: str) -> None:
    async with Caller(server) as first, Caller(server) as second:
        with pytest.raises(SignalingError, match="busy") as refusal:
            async with Caller(server):
                pass
        assert refusal.value.status == 503
        for caller in (first, second):
            after = len(caller.events)
            caller.send({"type": "session.update", "session": {"instructions": "Be brief."}})
            updated = await caller.event("session.updated", after=after)
            assert updated["session"]["instructions"] == "Be brief."


async def test_silence_flows_before_anybody_speaks(server: str) -> None:
    async with Caller(server) as caller:
        began = len(caller.ear.frames)
        await asyncio.sleep(1.0)
        received = sum(len(frame.pcm) for frame in caller.ear.frames[began:]) / WIRE_RATE
        assert 0.8 < received < 1.2
        assert all(frame.dbfs < -70 for frame in caller.ear.frames)


async def test_bad_client_events_get_an_error_and_the_session_lives(server: str) -> None:
    async with Caller(server) as caller:
        for bad, code in (
            ({"type": "nope", "event_id": "mine"}, "invalid_value"),
            ({"no": "type"}, "missing_required_parameter"),
            ({"type": "session.update"}, "missing_required_parameter"),
            ({"type": "session.update", "session": {"instructions": 7}}, "invalid_type"),
            ({"type": "conversation.item.create", "item": {"type": "message"}}, "invalid_type"),
            ({"type": "conversation.item.retrieve", "item_id": "nobody"}, "item_retrieve_invalid_item_id"),
            ({"type": "response.cancel"}, "response_cancel_not_active"),
            ({"type": "session.update", "session": {"audio": None}}, "invalid_type"),
            ({"type": "session.update", "session": {"audio": {"output": 7}}}, "invalid_type"),
            ({"type": "session.update", "session": {"audio": {"output": {"voice": 7}}}}, "invalid_type"),
            ({"type": "session.update", "session": {"tools": ["\ud800"]}}, "invalid_json"),
            ({"type": "\ud800"}, "invalid_json"),
            ({"type": "session.update", "session": {"tools": nested(40)}}, "invalid_json"),
        ):
            after = len(caller.events)
            caller.send(bad)
            event = await caller.event("error", after=after)
            assert event["error"]["code"] == code
            if code != "invalid_json":
                assert event["error"]["event_id"] == bad.get("event_id")
        after = len(caller.events)
        caller.send({"type": "session.update", "session": {}})
        await caller.event("session.updated", after=after)
