"""`antiphon doctor` says of each way in which a network can be set up wrongly what is wrong, and the fix."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import aioice.ice
import pytest

from agent.certificate import self_signed
from agent.cli import main
from agent.commands.connectivity import hides_its_relays
from agent.errors import TransportError
from agent.transports.ice import IceServer
from agent.transports.server_check import Given, ask
from tests.coturn import SECRET, coturn, free_port, needs_coturn
from tests.people import models_missing

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(60),
]

PUBLIC = {"SERVER__HOST": "0.0.0.0", "SERVER__KEYS": '["a long text that nobody guesses"]'}


def test_tools_that_work_are_named_and_one_that_does_not_is_said_with_the_fix(doctor: Doctor) -> None:
    program = str(Path(__file__).parents[1] / "mcp_tools.py")
    servers = [{"command": sys.executable, "args": [program]}, "stdio:/nowhere/a-server --key secret"]
    status, said = doctor(TOOLS__FUNCTIONS=["tests.wire.test_server_tools:capital"], TOOLS__MCP=servers)
    assert status == 1
    assert "ok    tools: capital" in said
    assert f"ok    mcp {sys.executable}: where_is, orders_cancel" in said
    assert "FAIL  mcp /nowhere/a-server: its program can not be started" in said
    assert "correct the command in tools.mcp" in said
    assert "FAIL  tools: the embedded language models call none; set llm.url" in said


@pytest.fixture(scope="module")
def turn() -> Iterator[str]:
    """Where a TURN server listens that answers STUN, too."""
    port = free_port()
    with coturn(port, options=["--allow-loopback-peers"]):
        yield f"127.0.0.1:{port}"


Doctor = Callable[..., tuple[int, str]]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Doctor:
    """Ask it with these settings, such as ``ICE__SERVERS``; its exit status, and what it says after the settings."""
    for part in ("get_host_addresses", "asyncio"):  # set for the whole process, which here goes on
        monkeypatch.setattr(aioice.ice, part, getattr(aioice.ice, part))
    gather = aioice.ice.Connection.get_component_candidates
    monkeypatch.setattr(aioice.ice.Connection, "get_component_candidates", gather)

    def ask_it(**settings: object) -> tuple[int, str]:
        given = {"LLM__MODEL": "smollm2", "ICE__ADDRESSES": ["127.0.0.1"], **settings}
        with monkeypatch.context() as environment:
            for key, value in given.items():
                environment.setenv(f"ANTIPHON__{key}", value if isinstance(value, str) else json.dumps(value))
            status = main(["doctor"])
        said, complaints = capfd.readouterr()
        assert not complaints
        return status, said[said.index("models:") :]

    return ask_it


def test_out_of_the_box_all_is_well_and_said(doctor: Doctor) -> None:
    status, said = doctor()
    assert status == 0, said
    assert "ok    ICE candidates: 1 in an answer\n        host 127.0.0.1:" in said
    assert "none by STUN: no STUN server in ice.servers" in said
    assert "none by TURN: no TURN server in ice.servers" in said
    assert "ok    a call from this machine: connected" in said


@needs_coturn
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_servers_that_work_are_timed_and_their_candidates_shown(doctor: Doctor, turn: str, transport: str) -> None:
    urls = [f"stun:{turn}", f"turn:{turn}?transport={transport}"]
    status, said = doctor(ICE__SERVERS=urls, ICE__TURN_SECRET=SECRET)
    assert status == 0, said
    assert f"ok    stun:{turn}: sees this machine at 127.0.0.1, after " in said
    assert f"ok    turn:{turn}?transport={transport}: lends 127.0.0.1:" in said
    assert ", lent by the TURN server" in said
    assert ", as the STUN server sees us" in said
    assert "no answer" not in said


@needs_coturn
def test_relay_only_connects_by_the_relay_and_tells_nothing_else(doctor: Doctor, turn: str) -> None:
    status, said = doctor(ICE__SERVERS=[f"turn:{turn}"], ICE__TURN_SECRET=SECRET, ICE__RELAY_ONLY=True)
    assert status == 0, said
    assert "ok    ICE candidates: 1 in an answer\n        relay 127.0.0.1:" in said
    assert "none of our own: ice.relay_only" in said
    assert "→ relay 127.0.0.1:" in said


@needs_coturn
def test_a_wrong_secret_is_told_from_a_wrong_account_and_from_none(doctor: Doctor, turn: str) -> None:
    server = [f"turn:{turn}"]
    status, said = doctor(ICE__SERVERS=server, ICE__TURN_SECRET="south")
    assert status == 1
    assert f"FAIL  turn:{turn}: answered 401 Unauthorized: ice.turn_secret is not the one" in said
    assert "none by TURN: see the server above" in said
    assert "ok    a call from this machine" in said, "our own address is enough here"
    _, said = doctor(ICE__SERVERS=server, ICE__TURN_USERNAME="me", ICE__TURN_CREDENTIAL="mine")
    assert "ice.turn_username and ice.turn_credential are no account" in said
    _, said = doctor(ICE__SERVERS=server)
    assert "it wants a password; set ice.turn_secret" in said


@needs_coturn
def test_a_relay_that_forbids_an_address_is_named(doctor: Doctor) -> None:
    port = free_port()
    with coturn(port):  # as it is by default: 127.0.0.1 is forbidden
        status, said = doctor(ICE__SERVERS=[f"turn:127.0.0.1:{port}"], ICE__TURN_SECRET=SECRET, ICE__RELAY_ONLY=True)
    assert status == 1
    assert "FAIL  a call from this machine: did not connect within 5 s" in said
    assert "no answer host 127.0.0.1:" in said
    assert "the TURN server forbids one of the two addresses (coturn: denied-peer-ip" in said


def test_a_dead_server_is_told_by_what_to_look_at(doctor: Doctor) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent, socket.create_server(("127.0.0.1", 0)) as mute:
        silent.bind(("127.0.0.1", 0))
        port, nobody, plain = silent.getsockname()[1], free_port(), mute.getsockname()[1]
        urls = [
            *(f"turn:127.0.0.1:{port}", f"stun:127.0.0.1:{port}", f"stun:127.0.0.1:{nobody}"),
            *(f"turn:127.0.0.1:{nobody}?transport=tcp", "stuns:stun.example.org", f"turns:127.0.0.1:{plain}"),
        ]
        status, said = doctor(ICE__SERVERS=urls, ICE__TURN_SECRET=SECRET, ICE__RELAY_ONLY=True)
    assert status == 1
    open_ = f"no answer within 3 s: is the server up, and is UDP port {port} open there and on the way?"
    assert f"FAIL  turn:127.0.0.1:{port}: {open_}" in said
    assert f"FAIL  stun:127.0.0.1:{port}: {open_}" in said
    assert f"FAIL  stun:127.0.0.1:{nobody}: nobody listens on UDP port {nobody} of 127.0.0.1" in said
    assert f"FAIL  turn:127.0.0.1:{nobody}?transport=tcp: nobody listens on TCP port {nobody} of 127.0.0.1" in said
    assert "write stun:stun.example.org" in said
    assert f"FAIL  turns:127.0.0.1:{plain}: no answer within 3 s" in said
    assert "Does it speak TLS there?" in said
    assert "FAIL  ICE candidates: there is none: ice.relay_only tells none of our own" in said
    assert "FAIL  a call from this machine: did not connect" in said


def test_loopback_alone_is_not_enough_for_callers_elsewhere(doctor: Doctor) -> None:
    status, said = doctor(**PUBLIC)
    assert status == 1
    assert "the only candidate is 127.0.0.1: browsers on other machines can not reach it; set ice.addresses" in said
    status, said = doctor(SERVER__HOSTS=["voice.example.org"])
    assert status == 1, "a proxy in front, and candidates that only this machine can reach"
    assert "ice.public_address" in said


def test_a_public_address_is_shown_in_place_of_ours_and_asked_for(doctor: Doctor) -> None:
    status, said = doctor(**PUBLIC, ICE__PUBLIC_ADDRESS="203.0.113.7", ICE__PORTS="47100-47110")
    assert status == 0, said
    assert "host 203.0.113.7:471" in said
    assert "told in place of our own (ice.public_address)" in said
    assert "ok    a call from this machine: connected" in said
    assert "no answer host 127.0.0.1:" in said
    assert "for callers outside, let the UDP ports 47100-47110 through to this machine" in said
    status, said = doctor(**PUBLIC, ICE__PUBLIC_ADDRESS="voice.example.org")
    assert status == 1
    assert "write the IP address" in said


def test_an_address_of_another_machine_and_ports_that_are_taken_are_named(doctor: Doctor) -> None:
    status, said = doctor(ICE__ADDRESSES=["127.0.0.1", "192.0.2.1"])
    assert status == 1
    assert "ice.addresses: 192.0.2.1 is not of this machine" in said
    assert "ok    a call from this machine" in said
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        status, said = doctor(ICE__PORTS=f"{port}-{port}")
    assert status == 1
    assert f"all UDP ports of ice.ports, {port}-{port}, are taken: widen it" in said


def test_settings_that_name_nothing_are_refused_with_the_key(doctor: Doctor) -> None:
    for settings, words in (
        ({"ICE__RELAY_ONLY": True}, "FAIL  network: ice.relay_only wants a TURN server in ice.servers"),
        ({"ICE__ADDRESSES": ["localhost"]}, "FAIL  network: ice.addresses: 'localhost' is no IP address"),
        ({"ICE__PORTS": "50100-50000"}, "FAIL  network: ice.ports: 50100-50000 is no range"),
    ):
        status, said = doctor(**settings)
        assert status == 1
        assert words in said


@pytest.mark.parametrize("host", ["turn.example.org", "turn..example.org"])
async def test_a_name_without_an_address_is_said(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str | bytes, *args: object, **kwargs: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    if ".." not in host:
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(TransportError, match=rf"{host} has no address .*is the name right"):
        await ask(IceServer(f"turn:{host}"), 3.0)


async def test_a_certificate_that_is_not_to_be_trusted_is_told_from_a_dead_server(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    await asyncio.to_thread(lambda: tls.load_cert_chain(*self_signed(tmp_path, [])))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransportError, match=r"TLS fails \(CERTIFICATE_VERIFY_FAILED\): the server wants"):
            await ask(IceServer(f"turns:127.0.0.1:{port}"), 3.0)


def test_a_turn_server_that_lends_private_addresses_to_the_world_is_found() -> None:
    assert hides_its_relays(Given("10.0.0.7", 49152, "8.8.8.8", 0.1))
    assert not hides_its_relays(Given("10.0.0.7", 49152, "10.0.0.7", 0.1)), "in a network of one's own"
    assert not hides_its_relays(Given("8.8.8.8", 49152, "8.8.8.8", 0.1))
