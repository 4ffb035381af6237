"""A real TURN server for tests: coturn, with passwords that are made from a shared secret."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

TURNSERVER = shutil.which("turnserver")
SECRET = "north"
LISTENS = """
import socket, sys, time
ends = time.monotonic() + 10
while True:
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()
        break
    except OSError:
        if time.monotonic() > ends:
            raise
        time.sleep(0.05)
"""
"""waits until somebody listens on a TCP port"""

needs_coturn = pytest.mark.skipif(TURNSERVER is None, reason="coturn is not installed: apt-get install coturn")


def free_port() -> int:
    """A TCP port that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def coturn(
    port: int, address: str = "127.0.0.1", *, inside: Sequence[str] = (), options: Sequence[str] = ()
) -> Iterator[None]:
    """A TURN server that listens there by UDP and TCP, and lends ports of the same address.

    :param inside: what its command line begins with, such as ``ip netns exec …``.
    """
    assert TURNSERVER is not None
    process = subprocess.Popen(
        [
            *(*inside, TURNSERVER, "-n", "--use-auth-secret", f"--static-auth-secret={SECRET}"),
            *("--realm=antiphon.example", f"--listening-ip={address}", f"--relay-ip={address}"),
            *(f"--listening-port={port}", "--no-tls", "--no-dtls", "--no-cli", "--log-file=stdout", "--pidfile="),
            *options,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        subprocess.run([*inside, sys.executable, "-c", LISTENS, address, str(port)], check=True, timeout=15)
        assert process.poll() is None, "turnserver ended"
        yield
    finally:
        process.terminate()
        process.wait(10)
