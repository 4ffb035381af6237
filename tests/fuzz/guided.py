"""Guided by coverage: what reads bytes from outside, with inputs that are bred from the corpus (atheris, libFuzzer).

    python -m tests.fuzz.guided [TARGET] [libFuzzer's options, such as -max_total_time=120 or -runs=1000]

One target after the other. Inputs that reach new code are kept in `.hypothesis/guided`. One that fails goes into the
corpus, so that `tests/fuzz/test_corpus.py` fails with it from then on, until the product is repaired; keep the file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

NAMES = ("offer", "candidates", "event", "socket", "rtp", "opus", "stream")
WATCHED = ["agent", "signaling", "aiortc"]
"""packages whose branches guide it"""
OWN = ["-timeout=10", "-rss_limit_mb=2048"]


def fuzzed(name: str, target: Callable[[bytes], None], options: list[str]) -> bool:
    """Fuzz one target in a child, for atheris ends the process that it runs in; whether nothing was found."""
    import atheris

    here = Path(__file__).resolve()
    corpus, kept = here.parent / "corpus" / name, here.parents[2] / ".hypothesis" / "guided" / name
    kept.mkdir(parents=True, exist_ok=True)
    print(f"-- {name}", file=sys.stderr, flush=True)  # noqa: T201
    child = os.fork()
    if not child:
        atheris.Setup([name, *OWN, *options, f"-artifact_prefix={corpus}/", str(kept), str(corpus)], target)
        atheris.Fuzz()
    return os.waitpid(child, 0)[1] == 0


def main() -> int:
    """Fuzz one target, or all."""
    import atheris

    with atheris.instrument_imports(include=WATCHED):
        from tests.fuzz.targets import TARGETS
    names = [each for each in sys.argv[1:] if not each.startswith("-")] or NAMES
    options = [each for each in sys.argv[1:] if each.startswith("-")]
    failed = [name for name in names if not fuzzed(name, TARGETS[name], options)]
    print(f"failed: {', '.join(failed)}; see tests/fuzz/corpus" if failed else "nothing failed", file=sys.stderr)  # noqa: T201
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
