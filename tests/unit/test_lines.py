"""One call more than allowed is refused, and a line that was given up is free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SignalingError
from signaling.lines import Lines, Most, Origin

ADA, BEN = Origin("key a", "10.0.0.1"), Origin("key b", "10.0.0.2")


def code(lines: Lines, call_id: str, origin: Origin) -> tuple[int, str | None]:
    with pytest.raises(SignalingError) as found:
        lines.begin(call_id, origin)
    return found.value.status, found.value.code


def test_the_server_a_key_and_an_address_have_their_own_limits() -> None:
    lines = Lines(Most(server=3, key=1, address=2))
    lines.begin("1", ADA)
    assert code(lines, "2", ADA) == (429, "key_limit")
    lines.begin("2", Origin("key c", ADA.address))
    assert code(lines, "3", Origin("key d", ADA.address)) == (429, "address_limit")
    lines.begin("3", BEN)
    assert code(lines, "4", Origin("key e", "10.0.0.3")) == (503, "server_full")
    lines.end("1")
    lines.begin("4", ADA)


def test_a_call_ends_once() -> None:
    lines = Lines(Most(server=1))
    lines.begin("1", ADA)
    lines.end("1")
    lines.end("1")
    lines.begin("2", ADA)
    assert len(lines) == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.sampled_from([ADA, BEN])), max_size=60))
def test_there_are_never_more_than_allowed(steps: list[tuple[int, bool, Origin]]) -> None:
    lines, most = Lines(Most(server=4, key=3)), 0
    for number, begins, origin in steps:
        if begins:
            try:
                lines.begin(f"{number}", origin)
            except SignalingError:
                pass
        else:
            lines.end(f"{number}")
        most = max(most, len(lines))
    assert most <= 4
