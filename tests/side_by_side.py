"""Runs the tests in two processes beside each other: those that compute, and those that wait for speech to be over.

Speech takes as long as it takes, and leaves most of two cores idle.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPUTE = ("tests/unit", "tests/fuzz", "tests/contracts")


def main() -> int:
    """Print both outputs, one behind the other; 0 if all passed."""
    pytest = (sys.executable, "-m", "pytest")
    with tempfile.TemporaryFile() as said:
        computing = subprocess.Popen([*pytest, *COMPUTE, "-p", "no:cacheprovider"], cwd=ROOT, stdout=said, stderr=said)
        try:
            waiting = subprocess.call([*pytest, "tests", *(f"--ignore={each}" for each in COMPUTE)], cwd=ROOT)
            computed = computing.wait()
        finally:
            computing.kill()
        said.seek(0)
        sys.stdout.write(said.read().decode(errors="replace"))
    return max(waiting, computed)


if __name__ == "__main__":
    sys.exit(main())
