"""A call between two networks that only a TURN server joins: real interfaces, real routes, real coturn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.coturn import SECRET, coturn, needs_coturn
from tests.namespaces import ROUTER, SERVER, Refused, inside, networks
from tests.people import models_missing

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    needs_coturn,
    pytest.mark.timeout(120),
]

ROOT = Path(__file__).resolve().parents[2]
KEY = "a long text that nobody guesses"
PORT, TURN_PORT = 8080, 3478
FOR_CALLERS, FOR_SERVER = ROUTER


@contextmanager
def running(
    of: str, module: Sequence[str], log: Path = Path(os.devnull), **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program in one of the networks, ended afterwards."""
    command = [*inside(of), sys.executable, "-m", *module]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **environment}, cwd=ROOT)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(15)


@pytest.fixture(scope="module")
def wires() -> Iterator[None]:
    """The networks, a TURN server on the router, and a way for the web."""
    with ExitStack() as stack:
        try:
            stack.enter_context(networks())
        except Refused as error:
            pytest.skip(f"no network namespaces here: {error}")
        stack.enter_context(coturn(TURN_PORT, FOR_SERVER, inside=inside("router")))
        stack.enter_context(running("router", ["tests.tcp_forwarder", FOR_CALLERS, SERVER, str(PORT)]))
        yield


def called(tmp_path: Path, connect_s: float = 15.0, **ice: object) -> dict[str, object]:
    """What a caller says of a call to a server with these settings."""
    log = tmp_path / "server.log"
    settings = {
        **{f"ANTIPHON__ICE__{key}": each if isinstance(each, str) else json.dumps(each) for key, each in ice.items()},
        "ANTIPHON__SERVER__HOST": SERVER,
        "ANTIPHON__SERVER__KEYS": json.dumps([KEY]),
        "ANTIPHON__LLM__MODEL": "smollm2",
        "ANTIPHON__ICE__ADDRESSES": "[]",
    }
    caller = [*inside("caller"), sys.executable, "-m", "tests.far_caller", f"http://{FOR_CALLERS}:{PORT}", KEY]
    with running("server", ["agent.cli", "serve", "--port", str(PORT)], log, **settings) as server:
        deadline = time.monotonic() + 40
        while "Ready after" not in log.read_text():
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        done = subprocess.run(
            [*caller, str(connect_s)], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
        )
    assert done.returncode == 0, done.stderr + log.read_text()
    said: dict[str, object] = json.loads(done.stdout)
    return said


def test_without_a_turn_server_nothing_gets_through(wires: None, tmp_path: Path) -> None:
    said = called(tmp_path, connect_s=4.0)
    assert "did not come up within 4 s" in str(said["error"])


@pytest.mark.parametrize(
    ("transport", "relay_only"), [("udp", False), ("tcp", False), ("udp", True)], ids=["udp", "tcp", "relay only"]
)
def test_the_answer_is_heard_over_the_relay(wires: None, tmp_path: Path, transport: str, relay_only: bool) -> None:
    said = called(
        tmp_path,
        SERVERS=[f"turn:{FOR_SERVER}:{TURN_PORT}?transport={transport}"],
        TURN_SECRET=SECRET,
        RELAY_ONLY=relay_only,
    )
    assert said["told"] == (["relay"] if relay_only else ["host", "relay"])
    assert said["way"] == ["host", "relay"], "the server's end of the call is its relay"
    assert float(str(said["heard_s"])) > 0.5
