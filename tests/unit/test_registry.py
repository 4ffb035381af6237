"""Engines by name: what comes back, and what a wrong name or setting is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from agent.engines import cores, registry
from agent.errors import ConfigError

PLUGIN = """
import typing
class Parrot:
    rate = 8000
    languages = frozenset({"en"})
    def __init__(
        self, *, name: str, threads: int = 7, speed: float = 1.0, mode: typing.Literal["a", "b"] = "a"
    ) -> None:
        self.name, self.threads, self.speed, self.mode = name, threads, speed, mode
class Anything:
    def __init__(self, **settings: object) -> None:
        self.settings = settings
"""
ENTRY_POINTS = """
[antiphon.tts]
parrot = parrot_plugin:Parrot
anything = parrot_plugin:Anything
gramophone = parrot_needs:Gramophone
broken = parrot_broken:Broken
"""
METADATA = "Metadata-Version: 2.1\nName: parrots\nVersion: 1.0\nProvides-Extra: gramophone\n"


@pytest.fixture(autouse=True)
def parrots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution of somebody else's, installed."""
    info = tmp_path / "parrots-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "parrot_plugin.py").write_text(PLUGIN)
    (tmp_path / "parrot_needs.py").write_text("import gramophone_horn")
    (tmp_path / "parrot_broken.py").write_text("from agent.errors import NoSuchThing")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("parrot_plugin", "parrot_needs", "parrot_broken"):
        sys.modules.pop(name, None)


def test_every_engine_of_ours_can_be_imported() -> None:
    ours = [
        (entry.group, entry.name)
        for seam in ("noise", "vad", "asr", "llm", "tts", "turn")
        for entry in entry_points(group=f"antiphon.{seam}")
        if entry.value.startswith("agent.")
    ]
    assert ("antiphon.tts", "hibari") in ours
    for group, name in ours:
        assert callable(registry.engine(group, name))


def test_settings_become_arguments() -> None:
    parrot = registry.load("tts", "parrot", {"name": "Polly", "speed": 2}, threads=3)
    assert vars(parrot) == {"name": "Polly", "threads": 3, "speed": 2.0, "mode": "a"}


def test_strings_from_the_environment_are_converted() -> None:
    parrot = registry.load("antiphon.tts", "parrot", {"name": "Polly", "speed": "1.5", "threads": "2"}, threads=3)
    assert vars(parrot) == {"name": "Polly", "threads": 2, "speed": 1.5, "mode": "a"}


def test_an_engine_without_threads_is_given_none() -> None:
    assert registry.load("tts", "espeak", {}, threads=3)


def test_an_engine_may_take_any_setting() -> None:
    assert vars(registry.load("tts", "anything", {"feathers": 2})) == {"settings": {"feathers": 2}}


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("hibary", {}, ["'hibary'", "did you mean 'hibari'?", "espeak", "parrot"]),
        ("parrot", {"name": "P", "sped": 1}, ["[tts.parrot]", "'sped'", "did you mean 'speed'?", "mode, name"]),
        ("parrot", {}, ["[tts.parrot]", "needs the setting 'name'"]),
        ("parrot", {"name": "P", "speed": "quick"}, ["[tts.parrot] speed = 'quick'", "number"]),
        ("parrot", {"name": "P", "mode": "c"}, ["[tts.parrot] mode = 'c'", "'a' or 'b'"]),
        ("gramophone", {}, ["gramophone_horn", "install parrots[gramophone]"]),
        ("broken", {}, ["NoSuchThing"]),
    ],
)
def test_a_mistake_is_named_with_its_remedy(name: str, settings: dict[str, object], says: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        registry.load("tts", name, settings)
    for words in says:
        assert words in str(caught.value)


@pytest.mark.parametrize("available", [1, 2, 3, 4, 6, 8, 16, 64])
def test_the_shares_fit_the_cores(available: int) -> None:
    share = cores.share(available)
    assert min(share.asr, share.llm, share.tts, share.vad) >= 1
    assert share.asr + share.llm + share.tts <= max(3, available)
    assert share.llm <= cores.prompt_threads(share.llm, available) <= max(share.llm, available)


def test_the_share_is_of_the_cores_we_may_use() -> None:
    assert cores.share() == cores.share(cores.available())
