"""Candidates that come after the offer: which are taken, and with which status the others are refused."""

from __future__ import annotations

import pytest
from aiohttp import ETag

from agent.errors import SignalingError
from signaling.fragments import IceSession

OFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na=mid:0\r\n"
CANDIDATE = "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag abcd network-id 1\r\n"
TCP = "a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n"
HEAD = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"


def status(session: IceSession, fragment: str) -> int:
    """With which a fragment is answered."""
    try:
        session.check(fragment)
    except SignalingError as error:
        return error.status
    return 204


@pytest.mark.parametrize(
    "fragment",
    [
        HEAD + CANDIDATE + TCP + "a=end-of-candidates\r\n",
        (HEAD + CANDIDATE).replace("\r\n", "\n"),
        CANDIDATE,
        HEAD + "a=end-of-candidates\r\n",
        HEAD,
    ],
)
def test_candidates_of_the_offer_are_taken(fragment: str) -> None:
    assert status(IceSession.of(OFFER), fragment) == 204


@pytest.mark.parametrize(
    "fragment",
    [
        "",
        "hello",
        "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n",
        HEAD + "a=candidate:\r\n",
        HEAD + "a=candidate:1 1 udp high 192.0.2.1 61764 typ host\r\n",
        HEAD + "a=candidate:1 1 udp 1 192.0.2.1 61764\r\n",
        HEAD + CANDIDATE + "v=0\r\n",
        HEAD + CANDIDATE + "a=",
        '{"candidate": ""}',
    ],
)
def test_what_is_no_fragment_is_told_so(fragment: str) -> None:
    assert status(IceSession.of(OFFER), fragment) == 400


def test_an_ice_restart_is_refused_and_told_the_way() -> None:
    session = IceSession.of(OFFER)
    with pytest.raises(SignalingError, match="POST a new offer") as refused:
        session.check((HEAD + CANDIDATE).replace("a=ice-ufrag:abcd", "a=ice-ufrag:ysXw"))
    assert (refused.value.status, refused.value.code) == (422, "ice_restart_unsupported")


def test_sections_of_their_own_may_have_names_of_their_own() -> None:
    session = IceSession.of(OFFER + OFFER.replace("abcd", "efgh"))
    assert status(session, HEAD + CANDIDATE) == 204
    assert status(session, HEAD.replace("abcd", "efgh") + CANDIDATE) == 204


@pytest.mark.parametrize(
    ("given", "required", "expected"),
    [
        (None, True, 428),
        (None, False, 204),
        ((), True, 412),
        ([ETag("other")], True, 412),
        ([ETag("other")], False, 412),
        ([ETag("*")], True, 204),
    ],
)
def test_a_patch_says_which_offer_it_means(given: list[ETag] | None, required: bool, expected: int) -> None:
    found = 204
    try:
        IceSession.of(OFFER).match(given, required=required)
    except SignalingError as error:
        found = error.status
    assert found == expected


def test_every_offer_has_a_strong_tag_of_its_own() -> None:
    first, second = IceSession.of(OFFER), IceSession.of(OFFER)
    first.match([ETag("other"), ETag(first.tag)], required=True)
    assert first.etag == f'"{first.tag}"' != second.etag
    for wrong in (ETag(second.tag), ETag(first.tag, is_weak=True)):
        with pytest.raises(SignalingError) as refused:
            first.match([wrong], required=True)
        assert refused.value.status == 412
