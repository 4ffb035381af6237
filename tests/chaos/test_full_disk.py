"""Nothing can be written any more: who is on the line does not notice, and who starts a server is told what to do."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from agent.caller import Caller
from agent.engines.catalogue import home
from agent.engines.protocols import Recognizer
from tests.chaos.hearing import answered
from tests.people import models_missing

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(60),
]

ANTIPHON = (sys.executable, "-m", "agent.cli")


def nothing_more() -> None:
    """In a new process: no file takes a byte more."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@asynccontextmanager
async def serving_blindly(environment: dict[str, str]) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """A server whose output goes to a full disk, which is also all that it has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    full = os.open("/dev/full", os.O_WRONLY)
    process = await asyncio.create_subprocess_exec(
        *(*ANTIPHON, "serve", "--port", str(port)),
        env={**os.environ, **environment},
        stdout=full,
        stderr=full,
        preexec_fn=nothing_more,
    )
    os.close(full)
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(30.0), aiohttp.ClientSession() as http:
            while not await ready(http, url):
                assert process.returncode is None, "it ended"
                await asyncio.sleep(0.1)
        yield url, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ready(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


@pytest.fixture
def fresh_home(tmp_path: Path) -> Path:
    """The models, and nothing else."""
    (tmp_path / "models").symlink_to(home() / "models")
    return tmp_path


async def test_a_server_on_a_full_disk_answers_and_ends_well(
    fresh_home: Path, environment: dict[str, str], ears: Recognizer
) -> None:
    """Its home has the models, and can not take the note that they were compared."""
    async with serving_blindly({**environment, "ANTIPHON_HOME": str(fresh_home)}) as (url, process):
        async with Caller(url) as caller:
            await answered(caller, ears)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10.0) == 0


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB, without a byte to spare."""
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("this user may not mount a small file system")
    try:
        with (tmp_path / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(4096))
        yield tmp_path
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def refused(*arguments: str, home: Path) -> str:
    """What `antiphon` says, where it can write nothing, before it ends."""
    done = subprocess.run(
        [*ANTIPHON, *arguments],
        env={**os.environ, "ANTIPHON__LLM__MODEL": "smollm2", "ANTIPHON_HOME": str(home)},
        preexec_fn=nothing_more,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_certificate_that_can_not_be_written_is_said_with_a_remedy(fresh_home: Path) -> None:
    said = refused("serve", "--port", "0", "--self-signed", home=fresh_home)
    assert all(remedy in said for remedy in ("free some space", "ANTIPHON_HOME", "server.certificate")), said


def test_processes_that_can_not_meet_are_said_with_a_remedy() -> None:
    said = refused("serve", "--port", "0", "--processes", "2", home=home())
    assert all(remedy in said for remedy in ("free some space", "TMPDIR", "--processes")), said


def test_models_that_have_no_room_are_said_with_a_remedy(full_disk: Path) -> None:
    assert "antiphon models pull" in refused("serve", "--port", "0", home=full_disk)
    said = refused("models", "pull", "silero-vad", home=full_disk)
    assert all(remedy in said for remedy in ("free some space", "ANTIPHON_HOME")), said
