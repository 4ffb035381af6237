"""The door, route by route: who has no key gets 401, everywhere but at the page and the health checks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from agent.errors import SignalingError
from agent.transports.socket import Socket
from signaling.app import Access, create_app
from signaling.door import KEYS_ONLY, PUBLIC
from signaling.lines import Most
from signaling.runner import Runner
from signaling.tokens import Tokens
from signaling.workers import ALONE, Seat, Studio

KEY = "a key of sixteen"
FRIEND, STRANGER = "https://shop.example", "https://evil.example"
OFFER = {"Content-Type": "application/sdp"}


class Answering:
    """A worker without an agent: what comes in at the door is all that is looked at."""

    def __init__(self, links: Sequence[str] = ()) -> None:
        self.ended: Callable[[str], None] = lambda _: None
        self.waiting: Mapping[str, str] = {}
        self.sessions: list[str] = []
        self.seats: list[Seat] = []
        self.ice_policy = "all" if links else "none"
        self.records = False
        self._links = links

    async def answer(
        self, call_id: str, offer: str, *, extensions: bool, session: str, most_s: float, seat: Seat = ALONE
    ) -> str:
        self.sessions.append(f"{session} {most_s:g}")
        self.seats.append(seat)
        if "refuse" in offer:
            raise SignalingError(400, "No.", code="invalid_offer")
        return "v=0\r\n"

    async def rejoin(self, call_id: str, offer: str) -> str:
        return "v=0\r\n"

    async def converse(self, call_id: str, socket: Socket, *, extensions: bool, session: str, most_s: float) -> None:
        self.sessions.append(f"{session} {most_s:g}")

    async def attach(self, call_id: str, socket: Socket, *, extensions: bool) -> None:
        self.sessions.append(f"attached to {call_id}")

    async def add_candidates(self, call_id: str, fragment: str) -> None:
        pass

    async def hang_up(self, call_id: str) -> bool:
        self.ended(call_id)
        return True

    async def leave(self) -> None:
        pass

    def ice_links(self) -> Sequence[str]:
        return self._links

    async def exposition(self) -> bytes:
        return b""

    @property
    def studio(self) -> Studio:
        raise SignalingError(503, "There is none here.", code="not_ready")


@asynccontextmanager
async def served(worker: Answering, access: Access) -> AsyncIterator[tuple[str, web.Application]]:
    app = create_app(worker, access)
    runner = Runner(app, access_log=None, shutdown_timeout=0.5, max_field_size=32768)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", app
    finally:
        await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, web.Application, Answering]]:
    worker = Answering()
    async with served(worker, Access(keys=[KEY], origins=[FRIEND])) as (url, app):
        yield url, app, worker


async def asked(url: str, method: str = "GET", **given: object) -> tuple[int, str, aiohttp.ClientResponse]:
    async with aiohttp.ClientSession() as http, http.request(method, url, **given) as response:  # type: ignore[arg-type]
        body = await response.json() if response.content_type == "application/json" else {}
        return response.status, body.get("error", {}).get("code", "") if isinstance(body, dict) else "", response


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_every_route_wants_a_key(server: tuple[str, web.Application, Answering]) -> None:
    url, app, _ = server
    token, _ = Tokens([KEY]).issue(room="kitchen")
    old, _ = Tokens([KEY]).issue(seconds=-1)
    walked = 0
    for route in app.router.routes():
        assert route.resource is not None
        pattern = route.resource.canonical
        path = pattern.replace("{name}", "index.html").replace("{call_id}", "rtc_1").replace("{room}", "kitchen")
        if pattern in PUBLIC:
            assert (await asked(url + path, route.method))[0] in (200, 503), pattern
            continue
        walked += 1
        for headers, code in (
            ({}, "missing_token"),
            (bearer("wrong"), "invalid_token"),
            (bearer("ek_wrong"), "invalid_token"),
            (bearer(old), "token_expired"),
            ({"Authorization": "Basic " + KEY}, "missing_token"),
        ):
            status, found, response = await asked(url + path, route.method, headers=headers)
            assert (status, response.headers.get("WWW-Authenticate")) == (401, "Bearer"), (pattern, headers)
            assert found == code or route.method == "HEAD", (pattern, headers)
        assert (await asked(url + path, route.method, headers=bearer(KEY)))[0] not in (401, 403), pattern
        allowed = (await asked(url + path, route.method, headers=bearer(token)))[0]
        assert (allowed == 403) == (pattern in KEYS_ONLY), pattern
    assert walked >= 12
    assert (await asked(url + "/nothing"))[0] == 401


async def test_a_key_in_the_address_is_not_looked_at(server: tuple[str, web.Application, Answering]) -> None:
    url, _, _ = server
    for query in ("token", "key", "api_key", "access_token"):
        assert (await asked(f"{url}/metrics?{query}={KEY}"))[0] == 401


async def test_a_token_is_made_and_brings_its_session(server: tuple[str, web.Application, Answering]) -> None:
    url, _, worker = server
    wanted = {
        "expires_after": {"anchor": "created_at", "seconds": 60},
        "session": {"type": "realtime", "instructions": "Be brief.", "audio": {"output": {"voice": "a"}}},
        "antiphon": {"most_minutes": 2},
    }
    async with aiohttp.ClientSession(headers=bearer(KEY)) as http:
        async with http.post(f"{url}/v1/realtime/client_secrets", json=wanted) as response:
            made = await response.json()
        assert made["value"].startswith("ek_")
    form = aiohttp.FormData(
        {"sdp": "v=0\r\n", "session": '{"audio": {"output": {"speed": 1}}}'}, default_to_multipart=True
    )
    assert (await asked(f"{url}/v1/realtime/calls", "POST", headers=bearer(made["value"]), data=form))[0] == 201
    assert '"voice": "a", "speed": 1' in worker.sessions[0]
    assert worker.sessions[0].endswith(" 120")
    wrongs: list[object] = [{"expires_after": {"seconds": 5}}, {"session": []}, {"antiphon": {"rom": "x"}}, []]
    for wrong in wrongs:
        status, code, _ = await asked(f"{url}/v1/realtime/client_secrets", "POST", headers=bearer(KEY), json=wrong)
        assert (status, code) == (400, "invalid_value"), wrong
    status, code, _ = await asked(f"{url}/v1/realtime/client_secrets", "POST", headers=bearer(KEY), data=b"{")
    assert (status, code) == (400, "invalid_json")


async def test_other_sites_pages_call_only_if_they_are_listed(server: tuple[str, web.Application, Answering]) -> None:
    url, _, _ = server
    calls = f"{url}/v1/realtime/calls"
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    status, _, response = await asked(calls, "OPTIONS", headers={"Origin": FRIEND, **asks})
    assert status == 204
    assert response.headers["Access-Control-Allow-Origin"] == FRIEND
    assert response.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
    status, _, response = await asked(calls, "POST", headers={"Origin": FRIEND, **bearer(KEY), **OFFER}, data="v=0\r\n")
    assert (status, response.headers["Access-Control-Allow-Origin"]) == (201, FRIEND)
    assert "Location" in response.headers["Access-Control-Expose-Headers"]
    status, _, response = await asked(calls, "POST", headers={"Origin": FRIEND, **OFFER}, data="v=0\r\n")
    assert (status, response.headers["Access-Control-Allow-Origin"]) == (401, FRIEND)
    for method in ("OPTIONS", "POST"):
        status, code, response = await asked(calls, method, headers={"Origin": STRANGER, **bearer(KEY), **OFFER})
        assert (status, code) == (403, "wrong_origin")
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_an_address_is_a_name_only_where_others_may_come(server: tuple[str, web.Application, Answering]) -> None:
    url, _, _ = server
    assert (await asked(f"{url}/healthz", headers={"Host": "10.0.0.7"}))[:2] == (403, "wrong_host")
    async with served(Answering(), Access(keys=[KEY], anywhere=True)) as (url, _):
        assert (await asked(f"{url}/healthz", headers={"Host": "10.0.0.7:8080"}))[0] == 200
        assert (await asked(f"{url}/healthz", headers={"Host": "evil.example"}))[:2] == (403, "wrong_host")


async def test_a_refused_offer_takes_no_line() -> None:
    async with served(Answering(), Access(most=Most(server=1))) as (url, _):
        for _ in range(3):
            assert (await asked(f"{url}/v1/realtime/calls", "POST", headers=OFFER, data="v=0 refuse"))[0] == 400
        status, _, response = await asked(f"{url}/v1/realtime/calls", "POST", headers=OFFER, data="v=0")
        assert status == 201
        status, code, full = await asked(f"{url}/v1/realtime/calls", "POST", headers=OFFER, data="v=0")
        assert (status, code, full.headers["Retry-After"]) == (503, "server_full", "2")
        await asked(url + response.headers["Location"], "DELETE")
        assert (await asked(f"{url}/v1/realtime/calls", "POST", headers=OFFER, data="v=0"))[0] == 201
        many = "v=0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" * 9
        assert (await asked(f"{url}/v1/realtime/calls", "POST", headers=OFFER, data=many))[1] == "too_many_media"
