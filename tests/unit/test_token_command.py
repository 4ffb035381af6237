"""`antiphon token`: an address with a token of the server's, and what it says where there can be none."""

from __future__ import annotations

import pytest

from agent.cli import main
from signaling.tokens import Tokens

KEY = "a key of sixteen"


def test_the_address_has_a_token_of_the_servers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTIPHON__SERVER__KEYS", f'["{KEY}"]')
    assert main(["token", "--most-minutes", "5"]) == 0
    address, _, token = capsys.readouterr().out.strip().partition("#token=")
    assert address == "http://localhost:8080/"
    assert Tokens([KEY]).read(token).most_minutes == 5
    assert main(["token", "--url", "https://host/"]) == 0
    assert capsys.readouterr().out.startswith("https://host/#token=ek_")
    assert main(["token", "--minutes", "0"]) == 1
    assert "--minutes" in capsys.readouterr().err


def test_the_address_leads_into_a_room(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ANTIPHON__SERVER__KEYS", f'["{KEY}"]')
    assert main(["token", "--room", "kitchen", "--name", " Ada\u202e\nLovelace", "--listen"]) == 0
    address, _, token = capsys.readouterr().out.strip().partition("#token=")
    assert address == "http://localhost:8080/?room=kitchen"
    grant = Tokens([KEY]).read(token)
    assert (grant.room, grant.name, grant.role) == ("kitchen", "Ada Lovelace", "listen")
    assert main(["token", "--room", "kitchen", "--url", "https://host/?lang=de"]) == 0
    assert capsys.readouterr().out.startswith("https://host/?lang=de&room=kitchen#token=ek_")
    for wrong, says in ((["--room", "a b"], "--room a b"), (["--listen"], "--listen")):
        assert main(["token", *wrong]) == 1
        assert says in capsys.readouterr().err


def test_a_server_without_keys_needs_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token"]) == 1
    assert "server.keys" in capsys.readouterr().err
