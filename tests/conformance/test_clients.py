"""Other people's clients of the Realtime API, as their registries have them, each in a conversation with the server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from agent.audio import EAR_RATE, WIRE_RATE, resample, to_wave, write_wav
from agent.caller import trimmed
from agent.engines.catalogue import home
from bench.speech import spoken
from bench.wer import word_errors
from tests.people import models_missing, second_ears

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-conformance" / "bin" / "python"
MODULES = ROOT / "tests" / "conformance" / "node_modules"
CHROMIUM = Path("/usr/bin/chromium")
RATE = 24_000
KEY = "a-key-of-the-tests-only"
QUESTION = "What is the capital of France?"
INTERRUPTION = "Who wrote Romeo and Juliet?"
WORD_ERRORS = 0.15
LOUD_RMS = 300
INSTALL = "to install it: make conformance"

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]


@dataclass(frozen=True)
class Client:
    """One client and how it is started."""

    name: str
    command: tuple[str, ...]
    needs: tuple[Path, ...]
    tls: bool = False
    """it speaks to servers with a certificate only"""
    rate: int = RATE
    """of the recordings it is given"""


CLIENTS = (
    Client("openai-python", (str(PYTHON), "-m", "tests.conformance.clients.openai_python"), (PYTHON,)),
    Client("openai-agents", (str(PYTHON), "-m", "tests.conformance.clients.openai_agents"), (PYTHON,)),
    Client("livekit", (str(PYTHON), "-m", "tests.conformance.clients.livekit_agents"), (PYTHON,)),
    Client("pipecat", (str(PYTHON), "-m", "tests.conformance.clients.pipecat_service"), (PYTHON,)),
    Client("npm-openai", ("node", "tests/conformance/clients/npm_openai.js"), (MODULES,), tls=True),
    Client("agents-websocket", ("node", "tests/conformance/clients/agents_websocket.js"), (MODULES,)),
    Client(
        "agents-webrtc",
        (sys.executable, "-m", "tests.conformance.clients.agents_webrtc"),
        (MODULES, CHROMIUM),
        rate=WIRE_RATE,
    ),
)


@dataclass(frozen=True)
class Turn:
    """What a client told of one turn."""

    heard: list[str]
    answers: list[str]
    interrupted: bool
    truncated_ms: list[int]
    sound_s: float


@contextmanager
def serving(tmp: Path, *options: str, **settings: str) -> Iterator[str]:
    """`antiphon serve` in a process of its own, with a key; its address."""
    log = tmp / f"server{''.join(options)}.log"
    environment = {
        **os.environ,
        "ANTIPHON__SERVER__KEYS": json.dumps([KEY]),
        "ANTIPHON__LLM__MODEL": "smollm2",
        "ANTIPHON__ICE__ADDRESSES": '["127.0.0.1"]',
        **settings,
    }
    with log.open("wb") as output:
        command = [sys.executable, "-m", "agent.cli", "serve", "--port", "0", *options]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield _until(lambda: _ready(log, process), 60.0).replace("localhost", "127.0.0.1")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _ready(log: Path, process: subprocess.Popen[bytes]) -> str:
    assert process.poll() is None, log.read_text()
    found = re.search(r"https?://\S+?:\d+", log.read_text())
    return found.group() if found and "Ready" in log.read_text() else ""


def _until(found: Callable[[], str], within_s: float) -> str:
    deadline = time.monotonic() + within_s
    while not (text := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return text


@pytest.fixture(scope="module")
def page() -> str:
    """Where the browser's page will be: another origin than the server's."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, page: str) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("plain"), ANTIPHON__SERVER__ORIGINS=json.dumps([page])) as url:
        yield url


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("secure"), "--self-signed") as url:
        yield url


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def told(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Client, dict[str, Turn], list[dict[str, str]], Path]:
    """The client's whole conversation: a spoken turn, an interrupted one, a typed one."""
    client: Client = request.param
    if missing := [path for path in client.needs if not path.exists()]:
        pytest.skip(f"{client.name} is not here ({missing[0].name}); {INSTALL}")
    url = request.getfixturevalue("secure" if client.tls else "plain")
    voice = tmp_path / "voice.pcm"
    orders = {"url": f"{url}/v1", "key": KEY, "voice": str(voice), "page": request.getfixturevalue("page")}
    for name, text in (("question", QUESTION), ("interruption", INTERRUPTION)):
        write_wav(tmp_path / f"{name}.wav", resample(trimmed(spoken(text).pcm), WIRE_RATE, client.rate), client.rate)
        orders[name] = str(tmp_path / f"{name}.wav")
    environment = {
        **os.environ,
        "NODE_EXTRA_CA_CERTS": str(home() / "tls" / "certificate.pem"),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [*client.command, json.dumps(orders)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, done.stdout + done.stderr
    return client, turns(lines), lines, voice


def turns(lines: list[dict[str, str]]) -> dict[str, Turn]:
    """The lines of a conversation by turn."""
    parts: dict[str, list[dict[str, str]]] = {}
    kind = ""
    for line in lines:
        kind = line["kind"] if line["what"] == "turn" else kind
        parts.setdefault(kind, []).append(line)
    return {
        kind: Turn(
            heard=[line["text"] for line in part if line["what"] == "heard"],
            answers=[line["text"] for line in part if line["what"] == "answer"],
            interrupted=any(line["what"] == "interrupted" for line in part),
            truncated_ms=[int(line["ms"]) for line in part if line["what"] == "truncated"],
            sound_s=sum(float(line["s"]) for line in part if line["what"] == "sound"),
        )
        for kind, part in parts.items()
    }


def test_a_conversation(told: tuple[Client, dict[str, Turn], list[dict[str, str]], Path]) -> None:
    """Nothing that the client would complain of, and every turn as its user expects it."""
    client, by_kind, lines, voice = told
    assert not [line["text"] for line in lines if line["what"] == "wrong"]
    assert {line["type"] for line in lines if line["what"] == "first"} <= {"session.created"}

    first = by_kind["spoken"]
    assert word_errors(QUESTION, " ".join(first.heard)).rate <= WORD_ERRORS
    assert "Paris" in " ".join(first.answers)
    pcm = np.frombuffer(voice.read_bytes(), "<i2").astype(np.int16)
    assert len(pcm) / RATE > 0.8
    assert np.sqrt(np.mean(pcm.astype(np.float64) ** 2)) > LOUD_RMS
    if client.name == "openai-python":
        wave = to_wave(resample(pcm, RATE, EAR_RATE))
        text = second_ears().transcribe(np.ascontiguousarray(wave), language="en", prompt="").text
        assert word_errors(" ".join(first.answers), text).rate <= WORD_ERRORS

    second = by_kind["interrupted"]
    assert second.interrupted
    assert second.truncated_ms
    assert 500 < second.truncated_ms[0] < 6000
    assert word_errors(INTERRUPTION, " ".join(second.heard)).rate <= WORD_ERRORS

    third = by_kind["typed"]
    assert "".join(third.answers).strip()
    assert third.sound_s > 0.4
