"""STUN and TURN servers: which are asked, with which password, and what is told of ourselves."""

from __future__ import annotations

import base64
import hashlib
import hmac
from time import time

import pytest

from agent.errors import ConfigError
from agent.transports.ice import Ice, rest_credentials

STUN, FIRST, SECOND = "stun:stun.example:3478", "turn:one.example:3478", "turn:two.example:3478?transport=tcp"
HOST = "a=candidate:abc 1 udp 2130706431 10.0.0.5 50001 typ host\r\n"
RELAY = "a=candidate:abd 1 udp 16777215 192.0.2.1 50002 typ relay raddr 0.0.0.0 rport 0\r\n"


def asked(ice: Ice, now: float = 0.0) -> list[str]:
    return [str(server.urls) for server in ice.configuration(now).iceServers or []]


def test_nobody_is_asked_by_default() -> None:
    assert Ice().configuration(0.0).iceServers == []


def test_of_each_kind_the_first_is_asked_and_a_dead_one_gives_way() -> None:
    ice = Ice([STUN, FIRST, SECOND])
    assert asked(ice) == [STUN, FIRST]
    ice.gathered(ice.configuration(0.0), HOST, 0.0)
    assert asked(ice, 1.0) == [SECOND, STUN]
    ice.gathered(ice.configuration(1.0), HOST + RELAY, 1.0)
    assert asked(ice, 2.0)[0] == SECOND
    assert asked(ice, 100.0) == [STUN, FIRST]


def test_passwords_are_what_coturn_makes_of_the_secret() -> None:
    username, password = rest_credentials("north", 600)
    expires, _, name = username.partition(":")
    assert name == "antiphon"
    assert 598 <= int(expires) - time() <= 600
    expected = hmac.new(b"north", username.encode(), hashlib.sha1).digest()
    assert base64.b64decode(password) == expected
    server = Ice([FIRST], secret="north").servers()[0]
    assert server.username.endswith(":antiphon")
    assert server.credential not in repr(server)
    assert 'credential-type="password"' in server.link()


def test_the_public_address_stands_for_our_own() -> None:
    told = Ice(public_address="203.0.113.7").told(HOST + RELAY)
    assert "203.0.113.7 50001 typ host" in told
    assert RELAY in told
    assert Ice().told(HOST) == HOST


WRONG = [
    *("http://stun.example", "stun:", "turn:a b", "stun.example:3478"),
    *("turn:[2001:db8::1]:3478", "stun:stun.example?transport=tcp"),  # these aiortc stumbles over
]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_address_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"ice\.servers"):
        Ice([wrong])
    with pytest.raises(ConfigError, match="relay_only"):
        Ice([STUN], relay_only=True)


def test_a_client_is_told_what_a_browser_can_use() -> None:
    stun, turn = Ice(["stun:stun.example:3478", FIRST], username='a"b', credential="c\\d").servers()
    assert stun.link() == '<stun:stun.example:3478>; rel="ice-server"'
    assert turn.link() == (
        f'<{FIRST}>; rel="ice-server"; username="a\\"b"; credential="c\\\\d"; credential-type="password"'
    )
    assert (Ice().policy, Ice([STUN]).policy, Ice([FIRST], relay_only=True).policy) == ("none", "all", "relay")
