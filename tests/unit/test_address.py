"""The address that a server prints can be opened in a browser, wherever the server listens."""

from __future__ import annotations

import pytest

from agent.commands.address import address, to_open
from agent.settings import load
from agent.transports import aiortc_private


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine has one address of each kind, beside loopback's."""
    monkeypatch.setattr(aiortc_private, "machine_addresses", lambda: ["2001:db8::7", "192.0.2.7", "192.0.2.8"])


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ({}, "http://localhost:8081/"),
        ({"host": "::1"}, "http://[::1]:8081/"),
        ({"host": "192.0.2.8"}, "http://192.0.2.8:8081/"),
        ({"host": "0.0.0.0"}, "http://192.0.2.7:8081/"),
        ({"host": "::"}, "http://[2001:db8::7]:8081/"),
        ({"host": "0.0.0.0", "hosts": ["voice.example.org"]}, "http://voice.example.org:8081/"),
        ({"host": "0.0.0.0", "certificate": "c.pem"}, "https://192.0.2.7:8081/"),
    ],
)
def test_it_can_be_opened(server: dict[str, object], url: str) -> None:
    assert address(load(server=server), 8081) == url


def test_a_machine_without_a_network_has_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiortc_private, "machine_addresses", list)
    assert address(load(server={"host": "0.0.0.0"}), 8081) == "http://localhost:8081/"


def test_where_keys_are_wanted_it_is_the_address_with_a_token() -> None:
    settings = load(server={"keys": ["a key of sixteen"]})
    assert to_open(settings, "http://h:1/") == "what `antiphon token --url http://h:1/` prints"
    assert to_open(load(), "http://h:1/") == "http://h:1/"
