"""Names from outside: a room's is taken as it is or refused, a person's is made fit to be shown."""

from __future__ import annotations

import json
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SignalingError
from signaling.names import GUEST, JOINER, MOST_CHARS, UNSEEN, person_name, room_name


@pytest.mark.parametrize("name", ["kitchen", "a", "A.b-c_9", "x" * 64, "..a"])
def test_a_rooms_name_is_taken_as_it_is(name: str) -> None:
    assert room_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "x" * 65, ".", "..", "a/b", "a b", "Küche", "kitchen\n", "\ud800", "<b>", "a%2fb", "x" * 10_000]
)
def test_what_stands_in_no_address_and_no_file_name_is_no_room(name: str) -> None:
    with pytest.raises(SignalingError) as found:
        room_name(name)
    assert (found.value.status, found.value.code, found.value.param) == (400, "invalid_room", "room")
    assert len(found.value.message) < 400
    json.dumps(found.value.body()).encode()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Anna", "Anna"),
        ("  Anna \t\r\n Maria ", "Anna Maria"),
        ("", GUEST),
        (" \u200b\u2060\ufeff ", GUEST),
        ("\u3164\u2800", GUEST),
        ("An\x00na\x7f\x1b[31m", "Anna[31m"),
        ("\u202eannA\u202c\u2066\u200f", "annA"),
        ("שלום\u200f", "שלום"),
        ("<b onclick=alert(1)>Anna</b> & co", "<b onclick=alert(1)>Anna</b> & co"),
        ("👋 Anna 👍🏽 ❤️", "👋 Anna 👍🏽 ❤️"),
        ("Anna\U000e0049\U000e0067", "Anna"),
        ("A\u0301da", "Áda"),
        ("A\u200d\u0301da", "Áda"),
        ("x" + "\u0301" * 500 + "y", "x" + "\u0301" * 3 + "y"),
        (" \u0301\u0301Ada", "Ada"),
        ("\ud800Anna\udfff", "Anna"),
        ("x" * 10_000, "x" * 40),
        ("x" * 39 + "  y", "x" * 39),
        (" " * 10_000 + "Anna", GUEST),
        ("नमस्ते", "नमस्ते"),
        ("👩🏽\u200d🚀 Ada \u200d 🏳️\u200d🌈", "👩🏽\u200d🚀 Ada 🏳️\u200d🌈"),
        ("👩\u200d\u200d👩\u200d", "👩\u200d👩"),
        ("ക്\u200dഷ \u200dക", "ക്\u200dഷ ക"),
        ("x" * 38 + "👩\u200d👩", "x" * 38 + "👩"),
    ],
)
def test_a_persons_name_is_shown_as_others_can_read_it(given: str, shown: str) -> None:
    assert person_name(given) == shown


@given(st.text(st.characters() | st.sampled_from("\u200d👩❤️🏽क्"), max_size=120))
def test_whatever_is_sent_as_a_name_can_be_shown_stored_and_told_apart(given: str) -> None:
    name = person_name(given)
    assert 1 <= len(name) <= MOST_CHARS
    assert name == " ".join(name.split()) == person_name(name)
    assert not {category(char) for char in name if char != JOINER} & UNSEEN
    assert JOINER not in (name[0], name[-1])
    assert f" {JOINER}" not in name
    name.encode()
