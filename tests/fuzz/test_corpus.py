"""Real inputs, and all that once went wrong, are read without a word; a fuzzer breeds new ones from them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.guided import NAMES
from tests.fuzz.quiet import no_errors
from tests.fuzz.targets import CORPUS, TARGETS

FILES = sorted(path for name in NAMES for path in (CORPUS / name).iterdir())
ROOT = CORPUS.parents[2]
RUNS = 2000
"""of each target; some seconds"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_input_of_the_corpus_is_read_or_refused(path: Path) -> None:
    with no_errors():
        TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_a_corpus() -> None:
    assert tuple(TARGETS) == NAMES
    assert {path.parent.name for path in FILES} == set(NAMES) == {path.name for path in CORPUS.iterdir()}


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this machine")
@pytest.mark.timeout(120)
def test_inputs_bred_from_the_corpus_are_read_or_refused() -> None:
    command = [sys.executable, "-m", "tests.fuzz.guided", f"-runs={RUNS}"]
    done = subprocess.run(command, check=False, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stderr.count(f"Done {RUNS} runs") == len(NAMES)
