"""Other people's clients of the Realtime API, as their registries have them, each in a conversation with the server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from agent.audio import EAR_RATE, WIRE_RATE, resample, to_wave, write_wav
from agent.caller import trimmed
from agent.engines.catalogue import home
from bench.speech import spoken
from bench.wer import word_errors
from tests.conformance.servers import CITY, KEY, ROOT, calling, serving
from tests.people import models_missing, second_ears
from tests.scripted_llm import ScriptedLLM

PYTHON = ROOT / ".venv-conformance" / "bin" / "python"
MODULES = ROOT / "tests" / "conformance" / "node_modules"
CHROMIUM = Path("/usr/bin/chromium")
RATE = 24_000
QUESTION = "What is the capital of France?"
INTERRUPTION = "Who wrote Romeo and Juliet?"
WORD_ERRORS = 0.15
LOUD_RMS = 300
MOST_S = 100.0
INSTALL = "to install it: make conformance"

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(150),
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
    Client("agents-websocket", ("node", "tests/conformance/clients/agents_websocket.js"), (MODULES,)),
    Client(
        "agents-webrtc",
        (sys.executable, "-m", "tests.conformance.clients.agents_webrtc"),
        (MODULES, CHROMIUM),
        rate=WIRE_RATE,
    ),
    Client("npm-openai", ("node", "tests/conformance/clients/npm_openai.js"), (MODULES,), tls=True),
)


@dataclass
class Turn:
    """What a client told of one turn."""

    heard: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    """the cities whose weather was asked for"""
    interrupted: bool = False
    truncated_ms: list[int] = field(default_factory=list)
    sound_s: float = 0.0


@dataclass
class Told:
    """What a client told of the whole conversation."""

    client: Client
    turns: dict[str, Turn]
    wrong: list[str]
    first: str
    """the type of the first event; "" if it does not tell"""
    voice: Path
    """the first answer: PCM16 at RATE"""


@pytest.fixture(scope="module")
def page() -> str:
    """Where the browser's page will be: another origin than the server's."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def llm() -> Iterator[ScriptedLLM]:
    with calling() as found:
        yield found


class Servers(dict[tuple[bool, bool], str]):
    """Their addresses, by whether they have a certificate, and whether their model calls; started when wanted."""

    def __init__(self, folder: Path, page: str, llm: ScriptedLLM, stack: ExitStack) -> None:
        super().__init__()
        self._folder, self._llm, self._stack = folder, llm, stack
        self._settings = {"ANTIPHON__SERVER__ORIGINS": json.dumps([page])}

    def __missing__(self, which: tuple[bool, bool]) -> str:
        tls, calls = which
        options = ["--self-signed"] * tls + ["--llm-url", self._llm.url, "--llm-model", "scripted"] * calls
        log = self._folder / f"{'tls' if tls else 'plain'}-{'calls' if calls else 'talks'}.log"
        self[which] = self._stack.enter_context(serving(log, *options, **self._settings))
        return self[which]

    @property
    def logs(self) -> str:
        """All that they have logged."""
        return "\n".join(f"-- {log.name}\n{log.read_text()}" for log in sorted(self._folder.glob("*.log")))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, page: str, llm: ScriptedLLM) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(tmp_path_factory.mktemp("servers"), page, llm, stack)


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda client: client.name)
def told(request: pytest.FixtureRequest, servers: Servers, page: str, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A spoken turn, an interrupted one, a typed one; and one in which a function is called."""
    client: Client = request.param
    if missing := [path for path in client.needs if not path.exists()]:
        pytest.skip(f"{client.name} is not here ({missing[0].name}); {INSTALL}")
    folder = tmp_path_factory.mktemp(client.name)
    voice = folder / "voice.pcm"
    orders = {"url": f"{servers[client.tls, False]}/v1", "tools_url": f"{servers[client.tls, True]}/v1"}
    orders |= {"key": KEY, "voice": str(voice), "page": page}
    for name, text in (("question", QUESTION), ("interruption", INTERRUPTION)):
        write_wav(folder / f"{name}.wav", resample(trimmed(spoken(text).pcm), WIRE_RATE, client.rate), client.rate)
        orders[name] = str(folder / f"{name}.wav")
    environment = {
        **os.environ,
        "NODE_EXTRA_CA_CERTS": str(home() / "tls" / "certificate.pem"),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [*client.command, json.dumps(orders)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=MOST_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{servers.logs}"
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    wrong = [line["text"] for line in lines if line["what"] == "wrong"]
    first = next((line["type"] for line in lines if line["what"] == "first"), "")
    return Told(client, turns(lines), wrong, first, voice)


def turns(lines: list[dict[str, str]]) -> dict[str, Turn]:
    """The lines of a conversation by turn."""
    found: dict[str, Turn] = {}
    turn = Turn()
    for line in lines:
        match line["what"]:
            case "turn":
                turn = found[line["kind"]] = Turn()
            case "heard":
                turn.heard.append(line["text"])
            case "answer":
                turn.answers.append(line["text"])
            case "called":
                turn.called.append(line["city"])
            case "interrupted":
                turn.interrupted = True
            case "truncated":
                turn.truncated_ms.append(int(line["ms"]))
            case "sound":
                turn.sound_s += float(line["s"])
    return found


def test_a_conversation(told: Told) -> None:
    """Nothing that the client would complain of, and every turn as its user expects it."""
    assert not told.wrong
    assert told.first in ("", "session.created")

    first = told.turns["spoken"]
    assert word_errors(QUESTION, " ".join(first.heard)).rate <= WORD_ERRORS
    assert "Paris" in " ".join(first.answers)
    pcm = np.frombuffer(told.voice.read_bytes(), "<i2").astype(np.int16)
    assert len(pcm) / RATE > 0.8
    assert np.sqrt(np.mean(pcm.astype(np.float64) ** 2)) > LOUD_RMS
    if told.client.name == "openai-python":
        wave = to_wave(resample(pcm, RATE, EAR_RATE))
        text = second_ears().transcribe(np.ascontiguousarray(wave), language="en", prompt="").text
        assert word_errors(" ".join(first.answers), text).rate <= WORD_ERRORS

    second = told.turns["interrupted"]
    assert second.interrupted
    assert second.truncated_ms
    assert 500 < second.truncated_ms[0] < 6000
    assert word_errors(INTERRUPTION, " ".join(second.heard)).rate <= WORD_ERRORS

    third = told.turns["typed"]
    assert "".join(third.answers).strip()
    assert third.sound_s > 0.4


def test_a_function_is_called_once_and_its_result_is_said(told: Told, llm: ScriptedLLM) -> None:
    turn = told.turns["tool"]
    assert turn.called == [CITY]
    assert "7 degrees" in " ".join(turn.answers)
    results = [m["content"] for m in llm.requests[-1]["messages"] if m["role"] == "tool"]
    assert len(results) == 1
    assert "7 degrees" in results[0]
