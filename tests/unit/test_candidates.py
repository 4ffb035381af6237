"""Which of a client's candidates are tried."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.transports.candidates import MOST, sifted


def candidate(address: str, transport: str = "udp") -> str:
    return f"a=candidate:1 1 {transport} 2122260223 {address} 50000 typ host"


def kept(address: str, transport: str = "udp", *, loopback: bool = False) -> bool:
    return "candidate" in sifted(f"v=0\r\n{candidate(address, transport)}\r\n", loopback=loopback)


@pytest.mark.parametrize("address", ["192.168.1.7", "10.0.0.1", "93.184.216.34", "2606:4700::1", "fd00::7"])
def test_addresses_of_networks_are_tried(address: str) -> None:
    assert kept(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "fe80::1",
        "224.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "0c8a7b6e-91aa-4d4a-8f3e-1d6ad6b1d6a0.local",
        "evil.example",
        "",
    ],
)
def test_this_machine_its_link_and_names_are_not(address: str) -> None:
    assert not kept(address)


def test_loopback_is_tried_where_callers_come_from_there() -> None:
    assert kept("127.0.0.1", loopback=True)
    assert not kept("169.254.169.254", loopback=True)
    assert not kept("192.168.1.7", "tcp")


def test_a_thousand_are_too_many() -> None:
    offer = "\r\n".join(candidate(f"10.0.{n // 250}.{n % 250 + 1}") for n in range(1000))
    assert sifted(offer, loopback=False).count("a=candidate") == MOST


@given(st.text(max_size=200))
def test_any_text_is_survived_and_keeps_its_other_lines(text: str) -> None:
    others = [line for line in text.splitlines() if not line.startswith("a=candidate:")]
    found = sifted(text, loopback=True)
    assert [line for line in found.splitlines() if not line.startswith("a=candidate:")] == others
