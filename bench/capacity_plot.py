"""Draws the curve of `bench.capacity` into docs/capacity.svg: latency over people who talk at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

PLOT = Path(__file__).resolve().parents[1] / "docs" / "capacity.svg"
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 320, 60, 40, 20
STEP_MS = 500


def draw(curve: Sequence[dict[str, Any]]) -> None:
    """One line for the median and one for the 95th percentile."""
    most_ms = STEP_MS * (int(max(row["p95_ms"] for row in curve)) // STEP_MS + 1)
    most = max(int(row["talking"]) for row in curve)

    def x(people: int) -> float:
        return LEFT + (WIDTH - LEFT - 20) * people / most

    def y(ms: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * ms / most_ms

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for ms in range(0, most_ms + 1, STEP_MS):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y(ms):.0f}" y2="{y(ms):.0f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(ms) + 4:.0f}" text-anchor="end">{ms} ms</text>')
    for row in curve:
        at = x(row["talking"])
        parts.append(f'<text x="{at:.0f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{row["talking"]}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">people talking at once</text>')
    for key, name, colour in (("p50_ms", "median", "#0a7"), ("p95_ms", "95th percentile", "#c60")):
        points = " ".join(f"{x(row['talking']):.0f},{y(row[key]):.0f}" for row in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        end = f'x="{x(curve[-1]["talking"]):.0f}" y="{y(curve[-1][key]) - 6:.0f}"'
        parts.append(f'<text {end} text-anchor="end" fill="{colour}">{name}</text>')
    PLOT.write_text("\n".join([*parts, "</svg>"]) + "\n")
