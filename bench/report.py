"""How benches print: one Markdown table with the machine beneath it, and the same as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("aiortc", "ctranslate2", "hibari-tts", "xllamacpp")


def quantile(values: Sequence[float], q: float) -> float:
    """The value below which a share ``q`` of the values lies, by linear interpolation."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=1000, method="inclusive")[min(998, max(0, round(q * 1000) - 1))]


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def machine() -> str:
    """What the figures were measured on, and how busy it was."""
    model = next(
        (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine()
    )
    versions = " ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = os.getloadavg()[0]
    return f"{len(psutil.Process().cpu_affinity() or [])} cores of {model}; load {load:.1f}; {versions}"


def save(name: str, figures: Mapping[str, object]) -> Path:
    """Write a bench's figures to bench/results/."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **figures}, indent=2) + "\n")
    return path


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
