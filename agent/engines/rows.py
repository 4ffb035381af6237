"""The rows of the model catalogue: what `catalogue.toml` says, as data, checked when it is read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from agent.errors import ConfigError

PACKAGED = Path(__file__).with_name("catalogue.toml")
"""The catalogue that comes with the program."""
_SHAPE = {
    "hf": re.compile(r"[^@:\s]+/[^@:\s]+@[^@:\s]+:\S+"),
    "pypi": re.compile(r"[^=:\s]+==[^=:\s]+:\S+"),
    "npm": re.compile(r"@?[^@:\s]+@[^@:\s]+:\S+"),
}
"""The source kinds in the order in which they are tried, and how each is written."""
_ROW_KEYS = frozenset({"engine", "licence", "languages", "note", "default_cores", "instead", "alternative"})
_FILE_KEYS = frozenset({"name", "bytes", "sha256"})


@dataclass(frozen=True, slots=True)
class Part:
    """One file inside a box: a hub repository, a wheel or an npm tarball."""

    box: str
    """``repo@revision``, ``package==version`` or ``package@version``"""
    member: str
    """the file's path in the box"""

    def __str__(self) -> str:
        return f"{self.box}:{self.member}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file comes from: parts that make it up when they are put one after another."""

    kind: str
    """"hf", "pypi" or "npm\""""
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        more = f" and {len(self.parts) - 1} more parts" if len(self.parts) > 1 else ""
        return f"{self.kind} {self.parts[0]}{more}"


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model, pinned by size and sha256, with its sources in the order to try."""

    name: str
    """path below the model's folder"""
    bytes: int
    sha256: str
    sources: tuple[Source, ...]

    def is_in(self, folder: Path) -> bool:
        """Whether the folder has a file of this name and size: cheap, and no proof of its content."""
        try:
            return (folder / self.name).stat().st_size == self.bytes
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Row:
    """One model."""

    id: str
    engine: str
    licence: str
    languages: tuple[str, ...]
    """ISO 639-1; "*" is every language that the model family knows"""
    note: str
    default_cores: int | None
    """pulled without being asked for on at least this many cores; None is never"""
    instead: str | None
    """the row that stands in where this one can not be had"""
    sets: tuple[tuple[File, ...], ...]
    """the files; each further set is the same model as other bytes, one whole set or the other"""

    @property
    def size_mb(self) -> float:
        """Megabytes (10^6 bytes) on disk, of the first set."""
        return sum(file.bytes for file in self.sets[0]) / 1e6


def read_rows(path: Path = PACKAGED) -> dict[str, Row]:
    """Read a catalogue.

    :raises ConfigError: if it is not one; names the file, the row and what is wrong.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the model catalogue {path} can not be read: {error}") from error
    rows: dict[str, Row] = {}
    for model_id, table in tables.items():
        try:
            rows[model_id] = _row(model_id, table)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"the model catalogue {path} is wrong at [{model_id}]: {error}") from error
    for row in rows.values():
        if row.instead is not None and (row.instead not in rows or rows[row.instead].instead is not None):
            raise ConfigError(f"the model catalogue {path} is wrong at [{row.id}]: instead = {row.instead!r} is no row")
    return rows


def _row(model_id: str, table: Mapping[str, Any]) -> Row:
    unknown = table.keys() - _ROW_KEYS - _SHAPE.keys() - {"files"}
    if unknown:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    sets = [_files(table)]
    if "alternative" in table:
        sets.append(_files(table["alternative"]))
    cores = table.get("default_cores")
    return Row(
        id=model_id,
        engine=table["engine"],
        licence=table["licence"],
        languages=tuple(table["languages"]),
        note=table["note"],
        default_cores=None if cores is None else int(cores),
        instead=table.get("instead"),
        sets=tuple(sets),
    )


def _files(table: Mapping[str, Any]) -> tuple[File, ...]:
    files = []
    for entry in table["files"]:
        name, digest = str(entry["name"]), str(entry["sha256"])
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ValueError(f"file name {name!r} leaves the model's folder")
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError(f"{name}: sha256 {digest!r} is not 64 hexadecimal digits")
        unknown = entry.keys() - _FILE_KEYS - _SHAPE.keys()
        if unknown:
            raise ValueError(f"{name}: unknown keys {sorted(unknown)}")
        own = entry if entry.keys() & _SHAPE.keys() else table
        sources = tuple(_source(kind, own[kind], name) for kind in _SHAPE if kind in own)
        if not sources:
            raise ValueError(f"{name} has no source")
        files.append(File(name, int(entry["bytes"]), digest, sources))
    if not files:
        raise ValueError("files is empty")
    return tuple(files)


def _source(kind: str, written: str | list[str], name: str) -> Source:
    parts = []
    for text in [written] if isinstance(written, str) else written:
        if not _SHAPE[kind].fullmatch(text):
            raise ValueError(f"{name}: {kind} = {text!r} is not written as docs/models.md says")
        box, _, member = text.partition(":")
        parts.append(Part(box, member.replace("{name}", name)))
    return Source(kind, tuple(parts))
