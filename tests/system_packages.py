"""Installs the system packages that tests need where it may (apt-get as root), else says which they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NEEDED = {"chromium": "chromium", "ip": "iproute2", "turnserver": "coturn"}
"""program: Debian package"""


def main() -> int:
    """0 always: what is missing skips its tests, and they say so."""
    missing = sorted({package for program, package in NEEDED.items() if shutil.which(program) is None})
    if not missing:
        return 0
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(f"Some tests will be skipped; they need: {' '.join(missing)}")  # noqa: T201
        return 0
    print(f"Installing {' '.join(missing)} …", flush=True)  # noqa: T201
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True, env=environment
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
