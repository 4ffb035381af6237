"""docs/reliability.md names a test for everything that can go wrong; the tests are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
LINES = [line.strip("| ") for line in PAGE.splitlines() if line.startswith("| ")]
ROWS = [
    row for row in ([cell.strip() for cell in line.split(" | ")] for line in LINES) if row[-1] not in ("---", "test")
]
NAMED = sorted(set(re.findall(r"`(tests/\S+\.py)::(\w+)`", PAGE)))


def test_every_row_says_what_is_heard_and_names_its_tests() -> None:
    assert len(ROWS) >= 20
    for row in ROWS:
        assert len(row) == 4, row
        assert all(row), row
        assert re.fullmatch(r"(`tests/\S+\.py::test_\w+`(, )?)+", row[3]), row


@pytest.mark.parametrize("path, name", NAMED)
def test_a_named_test_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions, f"{path} has no {name}; correct docs/reliability.md"


def test_every_test_of_this_kind_is_named() -> None:
    for path in sorted((ROOT / "tests" / "chaos").glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                assert (f"tests/chaos/{path.name}", node.name) in NAMED, f"docs/reliability.md has no {node.name}"
