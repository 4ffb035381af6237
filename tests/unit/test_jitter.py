"""The jitter buffer: order without waiting, and no memory of a loss."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from agent.transports.jitter import LEAST_S, MOST_S, RESTART, JitterBuffer, Packet

FRAME_S = 0.02


def packet(sequence: int) -> Packet:
    return Packet(sequence & 0xFFFF, (sequence * 960) & 0xFFFFFFFF, bytes([sequence & 0xFF]))


def feed(buffer: JitterBuffer, *sequences: int, at: float = 0.0) -> list[int]:
    """Packets that arrive 20 ms after one another."""
    return [p.sequence for n, s in enumerate(sequences) for p in buffer.add(packet(s), at + n * FRAME_S)]


def test_packets_in_order_pass_at_once() -> None:
    buffer = JitterBuffer()
    for sequence in (65534, 65535, 65536, 65537):
        assert feed(buffer, sequence) == [sequence & 0xFFFF]
    assert buffer.lost == buffer.late == 0
    assert buffer.due is None


def test_two_that_were_swapped_come_out_in_order() -> None:
    buffer = JitterBuffer()
    assert [
        p.sequence for s, at in ((1, 0.0), (3, 0.021), (2, 0.03), (4, 0.04)) for p in buffer.add(packet(s), at)
    ] == [
        1,
        2,
        3,
        4,
    ]
    assert buffer.lost == 0


def test_a_lost_packet_is_given_up_and_costs_nothing_afterwards() -> None:
    buffer = JitterBuffer()
    assert feed(buffer, 1, 3) == [1]
    assert buffer.due == FRAME_S + LEAST_S
    assert list(buffer.expire(FRAME_S + LEAST_S - 0.001)) == []
    assert [p.sequence for p in buffer.expire(FRAME_S + LEAST_S)] == [3]
    assert feed(buffer, 4, 5, at=0.06) == [4, 5]
    assert buffer.lost == 1
    assert buffer.due is None


def test_whoever_is_late_is_waited_for_longer_and_forgotten_in_time() -> None:
    buffer = JitterBuffer()
    feed(buffer, 1, 3, 4)  # 2 is given up
    assert feed(buffer, 2, at=0.055) == []
    assert buffer.late == 1
    assert LEAST_S < buffer.patience_s <= MOST_S
    for n in range(200):  # every second packet is lost for good
        feed(buffer, 6 + 2 * n, at=0.1 + n * 2 * FRAME_S)
    assert buffer.patience_s == LEAST_S


def test_a_stall_leaves_nothing_behind() -> None:
    buffer = JitterBuffer()
    assert feed(buffer, 1, 2, 3) == [1, 2, 3]
    assert [p.sequence for s in range(4, 14) for p in buffer.add(packet(s), 0.26)] == list(range(4, 14))
    assert feed(buffer, 14, at=0.27) == [14]


def test_a_duplicate_is_heard_once() -> None:
    buffer = JitterBuffer()
    assert feed(buffer, 1, 1, 2, 2, 3) == [1, 2, 3]
    assert buffer.late == 2
    assert buffer.patience_s == LEAST_S, "a duplicate is not late"


def test_a_sender_that_begins_anew_is_followed() -> None:
    buffer = JitterBuffer()
    assert feed(buffer, 100, 101) == [100, 101]
    assert feed(buffer, 101 + 5 * RESTART) == [101 + 5 * RESTART]
    assert feed(buffer, 7) == [7]
    assert feed(buffer, 8) == [8]


@given(
    start=st.integers(0, 65535),
    lost=st.sets(st.integers(1, 299), max_size=60),
    seed=st.integers(0, 1000),
    late_s=st.floats(0.0, 0.2),
    twice=st.floats(0.0, 0.3),
)
def test_whatever_arrives_comes_out_at_most_once_in_order_and_soon(
    start: int, lost: set[int], seed: int, late_s: float, twice: float
) -> None:
    rng = random.Random(seed)
    arrivals = [(n * FRAME_S + rng.uniform(0, late_s), n) for n in range(300) if n not in lost]
    arrivals += [(at + rng.uniform(0, late_s), n) for at, n in arrivals if rng.random() < twice]
    buffer = JitterBuffer()
    came: dict[int, float] = {}
    out: list[int] = []

    def take(found: list[Packet], now: float) -> None:
        for p in found:
            n = (p.sequence - start) & 0xFFFF
            out.append(n)
            assert now - came[n] <= MOST_S + 1e-9

    for at, n in sorted(arrivals):
        while (due := buffer.due) is not None and due <= at:
            take(list(buffer.expire(due)), due)
        came.setdefault(n, at)
        take(list(buffer.add(packet(start + n), at)), at)
    if (due := buffer.due) is not None:
        take(list(buffer.expire(due + MOST_S)), due)
    first = sorted(arrivals)[0][1] if arrivals else 0
    assert out == sorted(set(out))
    assert LEAST_S <= buffer.patience_s <= MOST_S
    if late_s == 0.0:
        assert out == [n for n in range(300) if n not in lost and n >= first]
        assert buffer.lost == sum(first < n < out[-1] for n in lost)
