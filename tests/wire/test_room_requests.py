"""Who may join which room, and as whom; and who may invite. Without an agent: what is joined is not looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from time import time
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from agent.settings import load
from signaling.app import Access
from signaling.calls import CALL_ID, MOST_S
from signaling.invitations import MOST
from signaling.lines import Most
from signaling.rooms import SEAT, told
from signaling.tokens import Tokens
from signaling.workers import ALONE, Seat
from tests.fuzz.server import running
from tests.fuzz.targets import CORPUS
from tests.wire.test_door import KEY, Answering, asked, bearer, served

CALLS, INVITATIONS = "/v1/realtime/calls", "/v1/rooms/kitchen/invitations"
SDP = {"Content-Type": "application/sdp"}
OFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
REAL_OFFER = (CORPUS / "offer" / "valid-aiortc").read_bytes()
SMALL = load(None, room={"capacity": 1})
TOKENS = Tokens([KEY])
Server = tuple[str, Answering]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    worker = Answering()
    async with served(worker, Access(keys=[KEY])) as (url, _):
        yield url, worker


def granted(**what: Any) -> dict[str, str]:
    """The header with a token for this."""
    return bearer(TOKENS.issue(**what)[0])


async def joined(url: str, path: str, headers: Mapping[str, str]) -> tuple[int, str, str]:
    """Status and code of an offer's answer, and the call's address."""
    target: Any = URL(url + path, encoded=True)
    status, code, response = await asked(target, "POST", headers={**SDP, **headers}, data=OFFER)
    return status, code, response.headers.get("Location", "")


async def invited(url: str, headers: Mapping[str, str], path: str = INVITATIONS, **wanted: Any) -> dict[str, Any]:
    """What is answered to who invites; with the status."""
    async with aiohttp.ClientSession(headers=headers) as http, http.post(url + path, json=wanted) as response:
        return {**await response.json(), "status": response.status, "retry": response.headers.get("Retry-After")}


@pytest.mark.parametrize(
    ("path", "seat"),
    [
        (CALLS, ALONE),
        (f"{CALLS}?name=Anna", Seat("", "Anna")),
        (f"{CALLS}?room=kitchen", Seat("kitchen", "Guest")),
        (f"{CALLS}?extensions=antiphon&name=%20J%C3%BCrgen%00%E2%80%AE%20&room=kitchen", Seat("kitchen", "Jürgen")),
        (f"{CALLS}?room=kitchen&name=%3Cb%3EAnna", Seat("kitchen", "<b>Anna")),
        (f"{CALLS}?room=kitchen&name=%FF%ED%A0%80", Seat("kitchen", "\ufffd" * 4)),
        (f"{CALLS}?room=kitchen&name={'x' * 4000}", Seat("kitchen", "x" * 40)),
        ("/whip/studio", Seat("studio", "Guest")),
        ("/whip/studio?name=OBS&room=kitchen", Seat("studio", "OBS")),
    ],
)
async def test_a_key_joins_any_room_under_any_name(server: Server, path: str, seat: Seat) -> None:
    url, worker = server
    assert (await joined(url, path, bearer(KEY)))[0] == 201
    assert worker.seats == [seat]


@pytest.mark.parametrize("room", ["%20", "K%C3%BCche", "x" * 65, "%3Cb%3E", "...", "a%0Ab", "%FF"])
async def test_what_can_be_no_room_is_refused(server: Server, room: str) -> None:
    url, worker = server
    for path in (f"{CALLS}?room={room}", f"/whip/{room}", f"/v1/rooms/{room}/invitations"):
        assert (await joined(url, path, bearer(KEY)))[:2] == (400, "invalid_room"), path
    for path in (f"{CALLS}?room=", f"{CALLS}?room=."):
        assert (await joined(url, path, bearer(KEY)))[:2] == (400, "invalid_room"), path
    assert not worker.seats


async def test_a_name_longer_than_a_request_may_be_is_refused_and_nothing_breaks(server: Server) -> None:
    url, _ = server
    assert (await joined(url, f"{CALLS}?room=kitchen&name={'x' * 10_000}", bearer(KEY)))[:2] == (400, "invalid_request")
    assert (await joined(url, f"{CALLS}?room=kitchen", bearer(KEY)))[0] == 201


@pytest.mark.parametrize(
    ("grant", "path", "code", "seat"),
    [
        ({"room": "kitchen", "name": "Ada"}, f"{CALLS}?room=kitchen&name=Ben", "", Seat("kitchen", "Ada")),
        ({"room": "kitchen"}, f"{CALLS}?room=kitchen&name=Ben", "", Seat("kitchen", "Ben")),
        ({"room": "kitchen"}, CALLS, "", Seat("kitchen", "Guest")),
        ({"room": "kitchen"}, "/whip/kitchen", "", Seat("kitchen", "Guest")),
        ({"room": "kitchen", "role": "listen"}, CALLS, "", Seat("kitchen", "Guest", "listen")),
        ({"name": "Ada"}, CALLS, "", Seat("", "Ada")),
        ({"room": "kitchen"}, f"{CALLS}?room=cellar", "wrong_room", None),
        ({"room": "kitchen"}, f"{CALLS}?room=Kitchen", "wrong_room", None),
        ({"room": "kitchen"}, "/whip/cellar", "wrong_room", None),
        ({}, f"{CALLS}?room=kitchen", "wrong_room", None),
        ({}, "/whip/kitchen", "wrong_room", None),
        ({"role": "listen"}, CALLS, "listen_only", None),
    ],
)
async def test_a_token_joins_its_own_room_under_its_own_name(
    server: Server, grant: dict[str, Any], path: str, code: str, seat: Seat | None
) -> None:
    url, worker = server
    status, found, _ = await joined(url, path, granted(**grant))
    assert (status, found) == ((403, code) if code else (201, ""))
    assert worker.seats == ([seat] if seat else [])


async def test_only_a_process_of_ours_is_told_a_seat_by_a_header() -> None:
    seat = Seat("kitchen", "Jürgen 🎈", "listen")
    headers = {CALL_ID: "rtc_1", MOST_S: "0", SEAT: told(seat)}
    for access, found in ((Access(inside=True), seat), (Access(), ALONE)):
        worker = Answering()
        async with served(worker, access) as (url, _):
            assert (await joined(url, CALLS, headers))[0] == 201
        assert worker.seats == [found]


async def test_who_may_not_join_takes_no_line() -> None:
    async with served(Answering(), Access(keys=[KEY], most=Most(server=1))) as (url, _):
        for _ in range(3):
            assert (await joined(url, f"{CALLS}?room=cellar", granted(room="kitchen")))[0] == 403
        assert (await joined(url, f"{CALLS}?room=kitchen", granted(room="kitchen")))[0] == 201


async def test_one_person_too_many_is_told_that_the_room_is_full() -> None:
    """By the worker itself, whose calls nobody answers here; who hangs up leaves room for another."""
    async with running(keys=False, settings=SMALL) as runner:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"

        async def offered(room: str) -> tuple[int, str, str]:
            target = f"{url}{CALLS}?room={room}"
            status, code, response = await asked(target, "POST", headers=SDP, data=REAL_OFFER)
            return status, code, response.headers.get("Location", "")

        status, _, location = await offered("kitchen")
        assert status == 201
        assert (await offered("kitchen"))[:2] == (403, "room_full")
        assert (await offered("cellar"))[0] == 201
        assert (await asked(url + location, "DELETE"))[0] == 200
        async with asyncio.timeout(5.0), aiohttp.ClientSession() as http:
            calls = 2
            while calls > 1:
                async with http.get(f"{url}/healthz") as response:
                    calls = (await response.json())["calls"]
        assert (await offered("kitchen"))[0] == 201


@pytest.mark.parametrize(
    ("grant", "query", "code"),
    [
        ({"room": "kitchen"}, "", "room_wants_webrtc"),
        ({}, "?room=kitchen", "wrong_room"),
        (None, "?room=kitchen", "room_wants_webrtc"),
        ({"role": "listen"}, "", "listen_only"),
    ],
)
async def test_a_websocket_is_a_call_of_ones_own(
    server: Server, grant: dict[str, Any] | None, query: str, code: str
) -> None:
    url, worker = server
    headers = bearer(KEY) if grant is None else granted(**grant)
    assert await refused(f"{url}/v1/realtime{query}", headers) == code
    assert not worker.sessions


async def test_a_listener_gets_no_further_client_that_could_ask(server: Server) -> None:
    url, worker = server
    for role, code in (("talk", ""), ("listen", "listen_only")):
        headers = granted(room="kitchen", role=role)
        _, _, location = await joined(url, CALLS, headers)
        assert await refused(f"{url}/v1/realtime?call_id={location.rpartition('/')[2]}", headers) == code
    assert sum(said.startswith("attached") for said in worker.sessions) == 1


async def refused(url: str, headers: Mapping[str, str]) -> str:
    """The code with which a WebSocket is refused; "" for one that is not."""
    async with aiohttp.ClientSession() as http, http.ws_connect(url, headers=headers) as socket:
        message = await socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            return ""
        event = message.json()
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert (event["type"], socket.close_code) == ("error", 4000)
        return str(event["error"]["code"])


# -- invitations ---------------------------------------------------------------------------------------------------


async def test_an_invitation_opens_the_room_and_nothing_else(server: Server) -> None:
    url, worker = server
    for inviter in (bearer(KEY), granted(room="kitchen", name="Ada")):
        made = await invited(url, inviter, name="Ben", minutes=5)
        assert made["status"] == 200
        assert made["url"] == f"/?room=kitchen#token={made['token']}"
        assert made["expires_at"] == TOKENS.read(made["token"]).expires
        assert 290 <= made["expires_at"] - time() <= 300
        assert (await joined(url, f"{CALLS}?room=kitchen", bearer(made["token"])))[0] == 201
        assert worker.seats[-1] == Seat("kitchen", "Ben")
        assert (await joined(url, f"{CALLS}?room=cellar", bearer(made["token"])))[1] == "wrong_room"
        further = await invited(url, bearer(made["token"]))
        assert TOKENS.read(further["token"]).name == ""


async def test_an_invitation_grants_no_more_than_the_inviters_token(server: Server) -> None:
    url, _ = server
    own = TOKENS.issue(seconds=60, room="kitchen", role="listen", most_minutes=3, session={"instructions": "Hush."})
    made = await invited(url, bearer(own[0]), minutes=120)
    grant = TOKENS.read(made["token"])
    assert (grant.server, grant.room, grant.role, grant.most_minutes) == (False, "kitchen", "listen", 3)
    assert grant.session == {"instructions": "Hush."}
    assert grant.expires == made["expires_at"] <= own[1]


async def test_who_is_not_of_the_room_does_not_invite(server: Server) -> None:
    url, _ = server
    for grant in ({}, {"room": "cellar"}):
        made = await invited(url, granted(**grant))
        assert (made["status"], made["error"]["code"]) == (403, "wrong_room")
    assert (await invited(url, {}))["status"] == 401


async def test_an_invitation_that_asks_for_nonsense_is_refused(server: Server) -> None:
    url, _ = server
    for wanted in ({"minutes": 0}, {"minutes": 121}, {"minutes": "soon"}, {"name": 7}, {"role": "talk"}):
        made = await invited(url, bearer(KEY), **wanted)
        assert (made["status"], made["error"]["code"]) == (400, "invalid_value"), wanted
    for body in (b"[]", b"{", b"\xff"):
        assert (await asked(url + INVITATIONS, "POST", headers=bearer(KEY), data=body))[0] == 400, body
    async with aiohttp.ClientSession(headers=bearer(KEY)) as http, http.post(url + INVITATIONS) as response:
        assert response.status == 200


async def test_a_name_of_any_length_is_cut_and_cleaned_in_an_invitation(server: Server) -> None:
    url, _ = server
    for name, shown in (("\u202e\x00<i>Ben</i> " + "x" * 10_000, "<i>Ben</i> " + "x" * 29), ("\ud800Ben", "Ben")):
        made = await invited(url, bearer(KEY), name=name)
        assert TOKENS.read(made["token"]).name == shown


async def test_people_of_a_room_invite_so_often_and_keys_as_often_as_they_like(server: Server) -> None:
    url, _ = server
    for name, most in (("kitchen", MOST), ("cellar", MOST)):
        path = f"/v1/rooms/{name}/invitations"
        assert [(await invited(url, granted(room=name), path))["status"] for _ in range(most)] == [200] * most
        late = await invited(url, granted(room=name), path)
        assert (late["status"], late["error"]["code"], late["retry"]) == (429, "invitation_limit", "2")
        assert (await invited(url, bearer(KEY), path))["status"] == 200


async def test_an_open_server_makes_invitations_that_it_knows_again() -> None:
    worker = Answering()
    async with served(worker, Access()) as (url, _):
        made = await invited(url, {}, name="Ben")
        assert (await joined(url, CALLS, bearer(made["token"])))[0] == 201
        assert worker.seats == [Seat("kitchen", "Ben")]


@pytest.mark.parametrize(
    ("antiphon", "param"),
    [
        ({"room": "a b"}, "antiphon.room"),
        ({"room": "x" * 65}, "antiphon.room"),
        ({"role": "listen"}, "antiphon"),
        ({"role": "shout", "room": "kitchen"}, "antiphon.role"),
    ],
)
async def test_a_secret_for_what_can_be_no_seat_is_refused(
    server: Server, antiphon: dict[str, str], param: str
) -> None:
    async with aiohttp.ClientSession(headers=bearer(KEY)) as http:
        async with http.post(f"{server[0]}/v1/realtime/client_secrets", json={"antiphon": antiphon}) as response:
            error = (await response.json())["error"]
    assert (response.status, error["code"], error["param"]) == (400, "invalid_value", param)


async def test_a_secret_for_a_room_joins_it(server: Server) -> None:
    url, worker = server
    wanted = {"antiphon": {"room": "kitchen", "name": " Ada\u200b\n Lovelace ", "role": "listen"}}
    async with aiohttp.ClientSession(headers=bearer(KEY)) as http:
        async with http.post(f"{url}/v1/realtime/client_secrets", json=wanted) as response:
            token = (await response.json())["value"]
    assert (await joined(url, CALLS, bearer(token)))[0] == 201
    assert worker.seats == [Seat("kitchen", "Ada Lovelace", "listen")]
