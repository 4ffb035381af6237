"""The catalogue: its rows, where things are, what is said when they are not, and the command."""

from __future__ import annotations

import argparse
import hashlib
import socket
import sys
from pathlib import Path

import pytest

from agent.commands import models
from agent.engines import catalogue as module
from agent.engines.catalogue import Catalogue, home
from agent.engines.rows import PACKAGED, File, Row, read_rows
from agent.errors import ConfigError, ModelCorrupt, ModelMissing

GGUF = b"the weights of a small model"
TOML = f"""
[small]
engine = "embedded"
licence = "MIT"
languages = ["en", "de"]
note = "For tests"
default_cores = 1
hf = "org/small@abc:{{name}}"
files = [{{ name = "small.gguf", bytes = {len(GGUF)}, sha256 = "{hashlib.sha256(GGUF).hexdigest()}" }}]

[large]
engine = "embedded"
licence = "MIT"
languages = ["*"]
note = "For tests"
default_cores = 4
instead = "small"
hf = "org/large@abc:{{name}}"
files = [{{ name = "large.gguf", bytes = 3, sha256 = "{"0" * 64}" }}]
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of one's own."""
    monkeypatch.setenv("ANTIPHON_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ANTIPHON_OFFLINE", raising=False)
    return tmp_path / "home" / "models"


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """A catalogue of two rows."""
    path = tmp_path / "catalogue.toml"
    path.write_text(TOML)
    return path


def put(folder: Path, name: str = "small.gguf", content: bytes = GGUF) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_the_packaged_rows() -> None:
    rows = Catalogue.load().rows
    assert {"silero-vad", "whisper-base", "smollm2", "qwen2.5-0.5b", "smart-turn-v3.2", "kokoro-82m"} <= rows.keys()
    assert {
        "whisper-tiny.en",
        "whisper-tiny",
        "whisper-small",
        "whisper-medium",
        "whisper-large-v3-turbo",
    } <= rows.keys()
    for row in rows.values():
        assert row.licence, row.id
        assert row.languages, row.id
        for files in row.sets:
            assert len({file.name for file in files}) == len(files), row.id
            assert all(file.bytes > 0 for file in files), row.id
    voices = [file for file in rows["kokoro-82m"].sets[0] if file.name.startswith("voices/")]
    assert len(voices) == 54
    assert {file.bytes for file in voices} == {510 * 256 * 4}
    base, packaged = rows["whisper-base"].sets
    assert {source.kind for file in base for source in file.sources} == {"hf"}
    assert [part.member[-5:] for part in packaged[0].sources[0].parts] == ["part1", "part2"]


def test_sources_are_tried_in_the_order_that_was_promised() -> None:
    for row in read_rows().values():
        for file in (file for files in row.sets for file in files):
            kinds = [source.kind for source in file.sources]
            assert kinds == sorted(kinds, key=["hf", "pypi", "npm"].index), (row.id, file.name)


@pytest.mark.parametrize(("cores", "more"), [(2, False), (3, False), (4, True), (64, True)])
def test_what_a_machine_pulls_by_itself(cores: int, more: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available", lambda: cores)
    larger = ["qwen2.5-0.5b"] * more
    assert Catalogue().defaults() == [
        "silero-vad",
        "whisper-base",
        "whisper-tiny.en",
        "smollm2",
        *larger,
        "smart-turn-v3.2",
    ]


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home() == tmp_path / "home"
    monkeypatch.delenv("ANTIPHON_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert home() == tmp_path / "Library" / "Caches" / "antiphon"
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert home() == tmp_path / ".cache" / "antiphon"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert home() == tmp_path / "xdg" / "antiphon"


def test_a_missing_model_says_how_to_get_it(toml: Path, cache: Path) -> None:
    catalogue = Catalogue.load(toml)
    with pytest.raises(ModelMissing, match="run `antiphon models pull small`"):
        catalogue.folder("small")
    assert catalogue.missing(["small", "large"]) == ["small", "large"]
    assert catalogue.state("small") == "missing"
    put(cache / "small", content=GGUF[:-1])
    assert catalogue.state("small") == "partly"
    with pytest.raises(ModelMissing):
        catalogue.file("small")


def test_what_lies_in_the_cache_is_found(toml: Path, cache: Path) -> None:
    put(cache / "small")
    catalogue = Catalogue.load(toml)
    assert catalogue.folder("small") == cache / "small"
    assert catalogue.file("small", "small.gguf") == catalogue.file("small") == cache / "small" / "small.gguf"
    assert catalogue.state("small") == "here"
    with pytest.raises(ModelMissing, match=r"other\.gguf does not exist"):
        catalogue.file("small", "other.gguf")


def test_a_stand_in(toml: Path, cache: Path) -> None:
    catalogue = Catalogue.load(toml)
    assert catalogue.resolve("large") == "large"
    put(cache / "small")
    assert catalogue.resolve("large") == "small"
    assert catalogue.state("large") == "stand-in"
    assert catalogue.missing(["large"]) == []
    put(cache / "large", "large.gguf", b"abc")
    assert catalogue.resolve("large") == "large"


def test_an_unknown_model(toml: Path) -> None:
    with pytest.raises(ConfigError, match=r"no model 'smol'.*there are: small, large"):
        Catalogue.load(toml).folder("smol")
    with pytest.raises(ConfigError, match="no model 'smol'"):
        Catalogue({"smol": Path("/")}, rows=read_rows(toml))


def test_a_path_given_by_the_user_comes_first(toml: Path, cache: Path, tmp_path: Path) -> None:
    put(cache / "small")
    mine = put(tmp_path / "mine", "tuned.gguf", b"of any size")
    assert Catalogue.load(toml, paths={"small": mine}).file("small", "small.gguf") == mine
    put(tmp_path / "mine", "small.gguf", b"of any size")
    catalogue = Catalogue.load(toml, paths={"small": mine.parent})
    assert catalogue.folder("small") == mine.parent
    assert catalogue.state("small") == "yours"
    assert catalogue.verify(["small"]) == []
    with pytest.raises(ModelMissing, match=r"absent, the path given for it, has not small\.gguf"):
        Catalogue.load(toml, paths={"small": tmp_path / "absent"}).pull(["small"])


def test_offline_opens_no_socket_and_says_what_to_put_where(
    toml: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setenv("ANTIPHON_OFFLINE", "1")
    catalogue = Catalogue.load(toml)
    digest = hashlib.sha256(GGUF).hexdigest()
    for attempt in (lambda: catalogue.folder("small"), lambda: catalogue.pull(["small"])):
        with pytest.raises(
            ModelMissing, match=rf"offline.*small\.gguf \(28 bytes, sha256 {digest}\) into {cache}/small"
        ):
            attempt()
    with pytest.raises(ModelMissing, match="'large' is not"):
        catalogue.pull(["large"])
    put(cache / "small")  # by hand, as it said
    catalogue.pull(["small", "large"])


def test_bytes_are_compared_again_only_when_a_file_has_changed(
    toml: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(cache / "small", content=GGUF)
    catalogue = Catalogue.load(toml)
    assert catalogue.folder("small") == cache / "small"
    with monkeypatch.context() as patched:
        patched.setattr("agent.engines.catalogue.sha256", lambda *_: pytest.fail("read again"))
        assert catalogue.file("small") == path
    path.write_bytes(GGUF.swapcase())
    with pytest.raises(ModelCorrupt, match="small"):
        catalogue.file("small")


def test_verify_reads_every_byte(toml: Path, cache: Path) -> None:
    path = put(cache / "small", content=GGUF.swapcase())
    catalogue = Catalogue.load(toml)
    with pytest.raises(ModelCorrupt):
        catalogue.folder("small")
    (error,) = catalogue.verify(["small"])
    assert isinstance(error, ModelCorrupt)
    assert (error.path, error.expected) == (str(path), hashlib.sha256(GGUF).hexdigest())
    assert error.actual == hashlib.sha256(GGUF.swapcase()).hexdigest()
    assert "antiphon models pull" in str(error)
    path.unlink()
    assert isinstance(catalogue.verify(["small"])[0], ModelMissing)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('licence = "MIT"\n', "", "licence"),
        ('note = "For tests"', 'note = "For tests"\nsize = 3', "unknown keys"),
        ("0" * 64, "0" * 63, "64 hexadecimal digits"),
        ('"large.gguf"', '"../large.gguf"', "leaves the model's folder"),
        ("org/large@abc:{name}", "org/large:{name}", "docs/models.md"),
        ('hf = "org/large@abc:{name}"\n', "", "has no source"),
        ('instead = "small"', 'instead = "tiny"', "is no row"),
        ("[small]", "[small", "can not be read"),
    ],
)
def test_a_wrong_catalogue_is_refused(toml: Path, old: str, new: str, complaint: str) -> None:
    assert old in TOML
    toml.write_text(TOML.replace(old, new))
    with pytest.raises(ConfigError, match=complaint):
        Catalogue.load(toml)


def command(catalogue: Catalogue, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    models.add(parser.add_subparsers())
    args = parser.parse_args(["models", *arguments], argparse.Namespace(catalogue=catalogue))
    code: int = args.run(args)
    return code


def test_the_command_lists(toml: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(cache / "small")
    assert command(Catalogue.load(toml), "list") == 0
    title, small, large = capsys.readouterr().out.splitlines()
    assert title.split() == ["ID", "ENGINE", "LICENCE", "LANGUAGES", "MB", "STATE"]
    assert small.split()[:8] == ["*", "small", "embedded", "MIT", "en", "de", "0", "here"]
    assert "stand-in" in large


def test_the_command_fails_with_one_line(
    toml: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTIPHON_OFFLINE", "1")
    assert command(Catalogue.load(toml), "pull", "small") == 1
    assert command(Catalogue.load(toml), "pull", "smal") == 1
    put(cache / "small", content=GGUF.swapcase())
    assert command(Catalogue.load(toml), "verify") == 1
    missing, unknown, corrupt = capsys.readouterr().err.splitlines()
    assert "offline mode" in missing
    assert "no model 'smal'" in unknown
    assert "is not the file it should be" in corrupt
    put(cache / "small")
    assert command(Catalogue.load(toml), "verify") == 0


def test_the_packaged_catalogue_names_no_host() -> None:
    assert "://" not in PACKAGED.read_text()


def test_size_is_in_megabytes() -> None:
    file = File("x", 2_500_000, "0" * 64, ())
    assert Row("x", "e", "l", ("*",), "", None, None, ((file, file),)).size_mb == 5.0
