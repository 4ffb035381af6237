"""Rules of the house that a machine can hold: who may import whom, tasks in groups, documents that are true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "agent").rglob("*.py"), *(ROOT / "signaling").rglob("*.py")])


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports when it is loaded or later."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {name for name in found if name.split(".")[0] in ("agent", "signaling")}


def module(path: Path) -> str:
    """A file's dotted name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


SEAM = {"signaling.workers", "signaling.processes", "signaling.call_process"}
"""Where signaling knows the agent: in this process, or in others."""


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_who_may_import_whom(path: Path) -> None:
    name, used = module(path), imports(path)
    if name == "agent.machine":
        assert used == {"agent.events", "agent.ledger"}
    if name == "agent.ledger":
        assert used == {"agent.events", "agent.overlap"}
    if name in ("agent.events", "agent.overlap"):
        assert not used
    if name.startswith(("agent.listening", "agent.speaking")):
        assert not {m for m in used if m.startswith("agent.transports")}
    if re.match(r"agent\.engines\.(noise|vad|asr|llm|tts|turn)\.", name):
        family = ".".join(name.split(".")[:3])
        allowed = ("agent.engines", "agent.audio", "agent.errors", "agent.speaking")
        assert not {m for m in used if not m.startswith((*allowed, family)) and m != "agent"}
    elif not name.startswith(("agent.engines", "agent.commands")):
        assert not {m for m in used if re.match(r"agent\.engines\.(noise|vad|asr|llm|tts|turn)\.", m)}, (
            "by entry point only"
        )
    if name.startswith("signaling.") and name not in SEAM:
        assert used <= {"agent.errors"} | {m for m in used if m.startswith("signaling.")}


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_no_task_outside_a_group(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"(?<!group)(?<!loading)\.create_task\(", text.replace("_group.create_task(", "group(")), (
        module(path)
    )
    assert "get_event_loop(" not in text
    assert not re.search(r"time\.(time|monotonic|perf_counter)\(", text) or module(path) in WALL_CLOCK


WALL_CLOCK = {"agent.realtime.config", "agent.engines.packages", "agent.engines.fetching", "agent.commands.models"}
"""What promises a time of day to a client, or shows a download's progress."""


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_files_are_named_for_what_they_are(path: Path) -> None:
    assert not re.search(r"utils|manager|helper|handler|common|misc", path.stem)


@pytest.mark.parametrize("script", ["draw_turn_taking.py", "draw_settings.py"])
def test_drawn_documents_are_fresh(script: str) -> None:
    command = [sys.executable, str(ROOT / "docs" / script), "--check"]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == 0, f"run: python docs/{script}"


def test_the_readme_names_only_commands_and_files_that_exist() -> None:
    text = "".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^)(?:[A-Z]+=\S+ )?make ([a-z]+)\b", text, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), f"make {target}"
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / path).exists(), path
    for name in set(re.findall(r"antiphon (serve|call|token|models|doctor|[a-z]+)\b(?= --| [a-z]|`)", text)):
        assert name in ("serve", "call", "token", "models", "doctor"), f"antiphon {name}"


@pytest.mark.parametrize("command", ["serve", "call", "token", "models", "doctor"])
def test_every_command_explains_itself(command: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "agent.cli", command, "--help"], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert shown.stdout.startswith(f"usage: antiphon {command}")
