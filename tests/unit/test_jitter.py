"""The jitter buffer: order without waiting, and no memory of a loss."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from agent.transports.jitter import PATIENCE, RESTART, JitterBuffer, Packet


def packet(sequence: int) -> Packet:
    return Packet(sequence & 0xFFFF, (sequence * 960) & 0xFFFFFFFF, bytes([sequence & 0xFF]))


def feed(buffer: JitterBuffer, *sequences: int) -> list[int]:
    return [p.sequence for s in sequences for p in buffer.add(packet(s))]


def test_packets_in_order_pass_at_once() -> None:
    buffer = JitterBuffer()
    for sequence in (65534, 65535, 65536, 65537):
        assert feed(buffer, sequence) == [sequence & 0xFFFF]
    assert buffer.lost == buffer.late == 0


def test_two_that_were_swapped_come_out_in_order() -> None:
    assert feed(JitterBuffer(), 1, 3, 2, 4) == [1, 2, 3, 4]


def test_a_lost_packet_is_given_up_and_costs_nothing_afterwards() -> None:
    buffer = JitterBuffer()
    assert feed(buffer, 1, 3, 4) == [1]
    assert feed(buffer, 5) == [3, 4, 5]
    assert buffer.lost == 1
    assert feed(buffer, 6) == [6]
    assert feed(buffer, 2) == []
    assert buffer.late == 1


def test_a_duplicate_is_heard_once() -> None:
    assert feed(JitterBuffer(), 1, 1, 2, 2, 3) == [1, 2, 3]


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
    swaps=st.integers(0, 2),
)
def test_whatever_arrives_near_its_place_comes_out_once_and_in_order(
    start: int, lost: set[int], seed: int, swaps: int
) -> None:
    rng = random.Random(seed)
    sent = [n for n in range(300) if n not in lost]
    arrived = sorted(sent, key=lambda n: n + rng.uniform(0, swaps)) if swaps else sent
    buffer = JitterBuffer()
    waiting = 0
    out: list[int] = []
    for n in arrived:
        out += [(s - start) & 0xFFFF for s in feed(buffer, start + n)]
        waiting = max(waiting, len(out))
        assert len(buffer._waiting) < PATIENCE
    assert out == sorted(set(out))
    assert set(out) <= set(sent)
    assert len(out) + buffer.late + len(buffer._waiting) == len(sent)
