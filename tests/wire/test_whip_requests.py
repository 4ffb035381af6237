"""What WHIP's routes answer to which request (RFC 9725), and who is told of STUN and TURN servers; without an agent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from agent.settings import load
from agent.worker import Worker
from signaling.app import Access
from signaling.processes import Processes
from tests.wire.test_door import FRIEND, KEY, Answering, asked, bearer, served

CALLS, WHIP = "/v1/realtime/calls", "/whip/studio"
SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
OFFER = f"v=0\r\n{AUDIO}a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na=mid:0\r\n"
CANDIDATE = "a=ice-ufrag:abcd\r\na=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n"
LINKS = ['<stun:stun.example:3478>; rel="ice-server"', '<turn:turn.example>; rel="ice-server"; credential="a"']


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with served(Answering(LINKS), Access(keys=[KEY], origins=[FRIEND])) as (url, _):
        yield url


async def begun(url: str, path: str) -> tuple[str, str]:
    """A call's address and its tag."""
    status, _, response = await asked(url + path, "POST", headers={**SDP, **bearer(KEY)}, data=OFFER)
    assert status == 201
    return url + response.headers["Location"], response.headers["ETag"]


@pytest.mark.parametrize(
    ("headers", "fragment", "expected"),
    [
        ({}, CANDIDATE, 428),
        ({"If-Match": '"other"'}, CANDIDATE, 412),
        ({"If-Match": "no tag"}, CANDIDATE, 412),
        ({"If-Match": "W/{tag}"}, CANDIDATE, 412),
        ({"If-Match": "{tag}"}, "hello", 400),
        ({"If-Match": "{tag}"}, "\udcff", 400),
        ({"If-Match": "{tag}"}, CANDIDATE.replace("abcd", "ysXw"), 422),
        ({"If-Match": "*"}, CANDIDATE.replace("abcd", "ysXw"), 422),
        ({"If-Match": '"other", {tag}'}, CANDIDATE, 204),
        ({"If-Match": "*"}, CANDIDATE, 204),
        ({"If-Match": "{tag}", "Content-Type": "application/json"}, CANDIDATE, 415),
        ({"If-Match": "{tag}", "Content-Type": "application/sdp"}, CANDIDATE, 415),
    ],
)
async def test_a_patch_is_answered_as_the_rfc_has_it(
    url: str, headers: dict[str, str], fragment: str, expected: int
) -> None:
    location, tag = await begun(url, WHIP)
    given = {name: value.replace("{tag}", tag) for name, value in headers.items()}
    body = fragment.encode("utf-8", "surrogateescape")
    status, _, response = await asked(location, "PATCH", headers={**FRAGMENT, **bearer(KEY), **given}, data=body)
    assert status == expected
    assert "ETag" not in response.headers
    assert ("Accept-Patch" in response.headers) == (expected == 415)


async def test_at_a_calls_own_address_a_patch_may_come_without_a_tag(url: str) -> None:
    location, tag = await begun(url, CALLS)
    for headers, expected in (({}, 204), ({"If-Match": tag}, 204), ({"If-Match": '"other"'}, 412)):
        given = {**FRAGMENT, **bearer(KEY), **headers}
        assert (await asked(location, "PATCH", headers=given, data=CANDIDATE))[0] == expected
    await asked(location, "DELETE", headers=bearer(KEY))
    assert (await asked(location, "PATCH", headers={**FRAGMENT, **bearer(KEY)}, data=CANDIDATE))[0] == 404


async def test_offers_that_are_not_whips(url: str) -> None:
    for kind, body, expected in (
        ("application/json", "{}", 415),
        ("multipart/form-data; boundary=b", "x", 415),
        ("application/sdp", "hello", 400),
        ("application/sdp", OFFER + AUDIO, 422),
        ("application/sdp", "v=0" + "x" * 70_000, 413),
    ):
        headers = {**bearer(KEY), "Content-Type": kind}
        assert (await asked(url + WHIP, "POST", headers=headers, data=body))[0] == expected, kind


async def test_other_methods_are_kept_for_later(url: str) -> None:
    location, _ = await begun(url, WHIP)
    for target, methods, allowed in (
        (location, ("GET", "HEAD", "PUT", "POST", "OPTIONS"), "DELETE, PATCH"),
        (url + WHIP, ("GET", "HEAD", "PUT", "PATCH", "DELETE"), "OPTIONS, POST"),
    ):
        for method in methods:
            status, _, response = await asked(target, method, headers=bearer(KEY))
            assert (status, response.headers["Allow"]) == (405, allowed), method
    assert (await asked(location, "DELETE", headers=bearer(KEY)))[0] == 200


@pytest.mark.parametrize("path", [CALLS, WHIP])
async def test_who_has_passed_the_door_is_told_of_ice_servers(url: str, path: str) -> None:
    for method, body, expected in (("OPTIONS", None, 200), ("POST", OFFER, 201)):
        for origin in ({}, {"Origin": FRIEND}):
            headers = {**bearer(KEY), **SDP, **origin}
            status, _, response = await asked(url + path, method, headers=headers, data=body)
            assert (status, response.headers.getall("Link")) == (expected, LINKS)
            assert not origin or "Link" in response.headers["Access-Control-Expose-Headers"]
    assert "application/sdp" in (await asked(url + path, "OPTIONS", headers=bearer(KEY)))[2].headers["Accept-Post"]


@pytest.mark.parametrize("path", [CALLS, WHIP])
async def test_nobody_else_is(url: str, path: str) -> None:
    """Not without a key, and not in answer to a browser's question before the request, which never has one."""
    asks = {"Access-Control-Request-Method": "OPTIONS", "Access-Control-Request-Headers": "authorization"}
    for headers, expected in (({}, 401), (asks, 401), ({"Origin": FRIEND}, 401), ({"Origin": FRIEND, **asks}, 204)):
        status, _, response = await asked(url + path, "OPTIONS", headers=headers)
        assert (status, "Link" in response.headers) == (expected, False), headers
    assert "OPTIONS" in response.headers["Access-Control-Allow-Methods"]


async def test_a_page_learns_beforehand_whether_there_are_any(url: str) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/readyz") as response:
        assert (await response.json())["ice"] == "all"


@pytest.mark.parametrize("processes", [1, 2])
def test_the_links_are_those_of_the_settings(processes: int) -> None:
    turn = {"servers": ["turn:turn.example:3478"], "turn_secret": "north", "relay_only": True}
    settings = load(None, ice=turn, server={"processes": processes})
    worker = Worker(settings) if processes == 1 else Processes(settings, config=None, flags={}, verbose=False)
    [link] = worker.ice_links()
    assert link.startswith('<turn:turn.example:3478>; rel="ice-server"; username="')
    assert worker.ice_policy == "relay"
