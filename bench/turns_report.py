"""The tables of `bench.turns`: by kind, against the bars, and by name what failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.report import quantile, table

Result = Mapping[str, Any]

SECTIONS = ("turns", "harmless", "interruptions")
BARS = (
    ("premature answers", "turns", "premature", 3.0),
    ("answers that never came", "turns", "never", 0.0),
    ("false cuts", "harmless", "false_cut", 5.0),
    ("missed interruptions", "interruptions", "missed", 2.0),
)
"""what it is called, of which section, the verdict's key, and the most that is allowed, in %"""
HEADER = (
    *("kind", "cases", "premature %", "never answered", "false cuts %", "missed %"),
    *("split", "to voice p50 ms", "longest silence p50 / most ms", "to cut p50 / most ms"),
)


def print_figures(results: Sequence[Result]) -> dict[str, object]:
    """Print; return the figures."""
    kinds = list(dict.fromkeys((str(result["section"]), str(result["kind"])) for result in results))
    print("\n" + table(HEADER, [_row(kind, _of(results, section, kind)) for section, kind in kinds]))
    print(
        "\nSplit: the turn was closed before its end, heard or not. Silence: of the agent, from a harmless sound on.\n"
    )
    totals: dict[str, object] = {}
    rows = []
    for name, section, key, most in BARS:
        of = _of(results, section)
        if not of:
            continue
        wrong = sum(bool(result[key]) for result in of)
        share = 100 * wrong / len(of)
        totals[name.replace(" ", "_") + "_percent"] = round(share, 1)
        rows.append(
            [name, f"{wrong} of {len(of)}", f"{share:.1f} %", f"<= {most:g} %", "yes" if share <= most else "NO"]
        )
    print(table(["", "cases", "measured", "bar", "met"], rows))
    failed = [
        (name, f"{r['kind']}: {r['name']}") for name, section, key, _ in BARS for r in _of(results, section) if r[key]
    ]
    if failed:
        print("\nFailed:\n\n" + "\n".join(f"- {name}: {case}" for name, case in failed))
    return {**totals, "failed": [f"{name}: {case}" for name, case in failed], "each": list(results)}


def _of(results: Iterable[Result], section: str, kind: str = "") -> list[Result]:
    return [result for result in results if result["section"] == section and kind in ("", result["kind"])]


def _row(kind: str, results: Sequence[Result]) -> list[object]:
    return [
        kind,
        len(results),
        _share(results, "premature"),
        _count(results, "never"),
        _share(results, "false_cut"),
        _share(results, "missed"),
        _count(results, "split"),
        _ms(results, "voice_to_voice_ms", most=False),
        _ms(results, "silent_ms"),
        _ms(results, "cut_ms"),
    ]


def _share(results: Sequence[Result], key: str) -> str:
    return f"{100 * sum(bool(r[key]) for r in results) / len(results):.0f}" if key in results[0] else ""


def _count(results: Sequence[Result], key: str) -> str:
    return str(sum(bool(r[key]) for r in results)) if key in results[0] else ""


def _ms(results: Sequence[Result], key: str, *, most: bool = True) -> str:
    values = [float(r[key]) for r in results if r.get(key) is not None]
    if not values:
        return ""
    middle = f"{quantile(values, 0.5):.0f}"
    return f"{middle} / {max(values):.0f}" if most else middle
