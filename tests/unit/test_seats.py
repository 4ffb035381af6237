"""Seats of rooms: one person more than a room takes is refused, and a seat that was left is free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SignalingError
from agent.seat import ALONE, Seat, Seats


def test_a_full_room_is_full_and_no_other_is() -> None:
    seats = Seats(capacity=2)
    for call_id in ("1", "2"):
        seats.take(call_id, Seat("kitchen"))
    with pytest.raises(SignalingError) as found:
        seats.take("3", Seat("kitchen"))
    assert (found.value.status, found.value.code) == (403, "room_full")
    with pytest.raises(SignalingError, match="try again soon, for the line of one of them is lost"):
        seats.take("3", Seat("kitchen"), away=1)
    seats.take("3", Seat("cellar"))
    assert seats.people("kitchen") == {"1", "2"}
    seats.leave("1")
    seats.leave("1")
    seats.take("4", Seat("kitchen"))
    assert seats.people("kitchen") == {"2", "4"}


def test_a_call_of_ones_own_has_nobody_else_in_it() -> None:
    seats = Seats(capacity=1)
    for number in range(5):
        seats.take(f"{number}", ALONE)
    assert seats.people("") == set()


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["", "kitchen", "cellar"]), st.booleans()), max_size=60))
def test_a_room_never_has_more_people_than_it_may(steps: list[tuple[int, str, bool]]) -> None:
    seats, inside = Seats(capacity=3), dict[str, str]()
    for number, room, joins in steps:
        call_id = f"{number}"
        if joins and call_id not in inside:
            full = bool(room) and list(inside.values()).count(room) >= 3
            try:
                seats.take(call_id, Seat(room))
            except SignalingError:
                assert full
            else:
                assert not full
                inside[call_id] = room
        elif not joins:
            seats.leave(call_id)
            inside.pop(call_id, None)
        for name in ("kitchen", "cellar"):
            assert seats.people(name) == {call for call, room in inside.items() if room == name}
