"""Keys and tokens: who is let in, and in which words the others are turned away."""

from __future__ import annotations

from time import time

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SignalingError
from signaling.tokens import OPEN, Tokens, address

KEY = "a key of sixteen"
TOKENS = Tokens([KEY, "another key of more"])


def refusal(bearer: str | None, tokens: Tokens = TOKENS) -> str:
    with pytest.raises(SignalingError) as found:
        tokens.read(bearer)
    assert found.value.status == 401
    assert not bearer or len(bearer) < 8 or bearer not in found.value.message
    return str(found.value.code)


def test_without_keys_the_server_is_open() -> None:
    assert Tokens([]).read(None) == OPEN
    assert Tokens([]).read("anything") == OPEN


def test_any_of_the_keys_opens_and_is_not_told() -> None:
    for key in (KEY, "another key of more"):
        grant = TOKENS.read(key)
        assert grant.server
        assert key not in grant.who


def test_who_has_none_or_a_wrong_one_is_told_which() -> None:
    assert refusal(None) == "missing_token"
    assert refusal("another key of mor") == "invalid_token"
    assert refusal("ek_nonsense") == "invalid_token"


def test_a_token_carries_what_was_granted() -> None:
    token, expires = TOKENS.issue(seconds=60, room="kitchen", name="Ada", most_minutes=5, session={"a": {"b": 1}})
    assert token.startswith("ek_")
    assert 58 <= expires - time() <= 60
    grant = TOKENS.read(token)
    assert (grant.server, grant.room, grant.name, grant.most_minutes) == (False, "kitchen", "Ada", 5)
    assert (grant.session, grant.role, grant.expires) == ({"a": {"b": 1}}, "talk", expires)
    assert Tokens([KEY]).read(token) == grant  # another process, or after a restart


def test_an_address_leads_to_the_room_and_keeps_the_token_to_the_browser() -> None:
    assert address("/", "ek_1", "kitchen") == "/?room=kitchen#token=ek_1"
    assert address("https://host/?lang=de", "ek_1", "kitchen") == "https://host/?lang=de&room=kitchen#token=ek_1"
    assert address("https://host/", "ek_1") == "https://host/#token=ek_1"


def test_a_token_of_another_server_or_time_is_none() -> None:
    token, _ = Tokens(["some other server's"]).issue()
    assert refusal(token) == "invalid_token"
    assert refusal(token, Tokens([])) == "invalid_token"
    old, _ = TOKENS.issue(seconds=-1)
    assert refusal(old) == "token_expired"


def test_an_unsigned_token_is_none() -> None:
    claims = {"exp": int(time()) + 60, "jti": "1", "room": "", "name": "", "role": "talk", "most_minutes": 0}
    assert refusal("ek_" + jwt.encode({**claims, "session": {}}, "", "none")) == "invalid_token"


def test_a_session_too_long_for_a_header_is_refused() -> None:
    with pytest.raises(SignalingError, match=r"session\.update"):
        TOKENS.issue(session={"instructions": "x" * 30_000})


@given(st.text(max_size=80))
def test_nothing_made_up_opens(bearer: str) -> None:
    if bearer not in (KEY, "another key of more"):
        refusal(bearer)
        refusal("ek_" + bearer)
