"""docs/realtime-api.md names a test for everything that clients expect, and for bad clients; the tests are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.conformance.test_clients import CLIENTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "realtime-api.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in PAGE.splitlines()
    if line[:3].strip("| ").isdigit()
]
NAMED = sorted(set(re.findall(r"`(tests/\S+\.py)::(\w+)`", PAGE)))
ITEMS, LEAST = 64, 60


@cache
def functions(path: str) -> frozenset[str]:
    """The names of a file's functions."""
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_row_says_what_works_and_names_its_tests() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, ITEMS + 1))
    for row in ROWS:
        assert len(row) == 4, row
        assert re.fullmatch(r"yes|(partly|no): .+", row[2]), row
        assert re.fullmatch(r"(`tests/\S+\.py::test_\w+`( \([\w, -]+\))?(, )?)+", row[3]), row
    assert sum(row[2] == "yes" for row in ROWS) >= LEAST


@pytest.mark.parametrize("path, name", NAMED)
def test_a_named_test_exists(path: str, name: str) -> None:
    assert name in functions(path), f"{path} has no {name}; correct docs/realtime-api.md"


def test_a_named_client_exists() -> None:
    named = {
        name
        for names in re.findall(r"` \(([\w, -]+)\)", "\n".join(" | ".join(row) for row in ROWS))
        for name in names.split(", ")
    }
    assert named == {client.name for client in CLIENTS}
