"""Three networks on one machine: callers and server in one each, and a router between that passes no packets on.

    caller 10.213.1.2 ── 10.213.1.1 router 10.213.2.1 ── 10.213.2.2 server

Each is a Linux network namespace, made with iproute2 by root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

ROUTER, SERVER = ("10.213.1.1", "10.213.2.1"), "10.213.2.2"
"""the router's address for callers, and the one for the server; the server's"""


class Refused(Exception):
    """This machine has no namespaces for us; the message says why."""


def _ip(*args: str) -> None:
    done = subprocess.run(["ip", *args], capture_output=True, text=True, check=False, timeout=10)
    if done.returncode:
        raise Refused(f"ip {' '.join(args)}: {done.stderr.strip()}")


def name(of: str) -> str:
    """The namespace of caller, router or server; this process's own."""
    return f"antiphon-{os.getpid()}-{of}"


def inside(of: str) -> list[str]:
    """What a command begins with that runs in there."""
    return ["ip", "netns", "exec", name(of)]


@contextmanager
def networks() -> Iterator[None]:
    """Make them; they are gone afterwards.

    :raises Refused: if that is not possible here.
    """
    if shutil.which("ip") is None:
        raise Refused("iproute2 is not installed: apt-get install iproute2")
    made = []
    try:
        for of in ("caller", "router", "server"):
            _ip("netns", "add", name(of))
            made.append(of)
            _ip("-n", name(of), "link", "set", "lo", "up")
        for number, of in enumerate(("caller", "server"), 1):
            network = f"10.213.{number}"
            _ip(
                *("-n", name("router"), "link", "add", f"to-{of}", "type", "veth"),
                *("peer", "name", "eth0", "netns", name(of)),
            )
            _ip("-n", name("router"), "address", "add", f"{network}.1/24", "dev", f"to-{of}")
            _ip("-n", name("router"), "link", "set", f"to-{of}", "up")
            _ip("-n", name(of), "address", "add", f"{network}.2/24", "dev", "eth0")
            _ip("-n", name(of), "link", "set", "eth0", "up")
            _ip("-n", name(of), "route", "add", "default", "via", f"{network}.1")
        passes = [*inside("router"), "sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"]
        subprocess.run(passes, check=True, timeout=10)
        yield
    finally:
        for of in made:
            subprocess.run(["ip", "netns", "delete", name(of)], check=False, timeout=10, capture_output=True)
