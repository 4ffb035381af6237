"""What a person at a terminal sees when something is wrong: one line that says what, where, and the fix."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.audio import write_wav
from agent.engines.catalogue import Catalogue, home
from bench.speech import spoken
from tests.people import models_missing

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(60),
]


def antiphon(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "agent.cli", *args],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "ANTIPHON__LLM__MODEL": "smollm2", **environment},
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """Its one line of complaint."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("antiphon: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def other_home(tmp_path: Path) -> Path:
    """A home with copies of the models, to be spoiled."""
    for model in ("silero-vad", "whisper-tiny.en", "whisper-base", "smollm2", "smart-turn-v3.2"):
        target = tmp_path / "models" / model
        target.mkdir(parents=True)
        for file in Catalogue.load().folder(model).iterdir():
            if file.is_file():
                os.link(file, target / file.name) if file.stat().st_dev == tmp_path.stat().st_dev else shutil.copy(
                    file, target
                )
    return tmp_path


def test_a_taken_port(taken: int) -> None:
    line = refused(antiphon("serve", "--port", str(taken)))
    assert f"port {taken}" in line
    assert "--port" in line


def test_a_public_address_is_refused() -> None:
    assert "ANTIPHON__SERVER__KEYS" in refused(antiphon("serve", "--host", "0.0.0.0"))


def test_a_wrong_setting() -> None:
    assert "turn.yield_ms" in refused(antiphon("serve", ANTIPHON__TURN__YIELD_MS="soon"))
    assert "nothing" in refused(antiphon("serve", ANTIPHON__TTS__ENGINE="nothing"))


def test_a_wav_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "no.wav"
    path.write_text("this is not sound")
    assert "no.wav" in refused(antiphon("call", "--wav", str(path)))
    assert "gone.wav" in refused(antiphon("call", "--wav", str(tmp_path / "gone.wav")))


def test_nobody_to_call(tmp_path: Path) -> None:
    write_wav(tmp_path / "hello.wav", spoken("Hello.").pcm, 48_000)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = refused(antiphon("call", "--wav", str(tmp_path / "hello.wav"), "--url", f"http://127.0.0.1:{port}"))
    assert "make run" in line


def test_a_missing_model_names_the_command_that_gets_it(other_home: Path) -> None:
    shutil.rmtree(other_home / "models" / "whisper-tiny.en")
    line = refused(antiphon("serve", "--port", "0", ANTIPHON_HOME=str(other_home)))
    assert "antiphon models pull whisper-tiny.en" in line


@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_a_corrupted_model_is_refused_by_name(other_home: Path, damage: str) -> None:
    path = other_home / "models" / "whisper-tiny.en" / "model.bin"
    content = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:5000] + bytes(64) + content[5064:])
    line = refused(antiphon("serve", "--port", "0", ANTIPHON_HOME=str(other_home)))
    assert "whisper-tiny.en" in line
    assert "antiphon models pull" in line
    assert home() != other_home


def test_a_language_model_that_is_not_there_is_waited_for_and_said(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as out:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "agent.cli", "serve", "--port", "0"),
                *("--llm-url", f"http://127.0.0.1:{port}/v1", "--llm-model", "any"),
            ],
            stdout=out,
            stderr=out,
        )
    try:
        deadline = time.monotonic() + 30
        while "can not be reached" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        said = log.read_text()
        assert f"127.0.0.1:{port}" in said
        assert "--llm-url" in said
        assert server.poll() is None
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0
