"""The client's ICE candidates: which of them are worth a packet of ours.

A candidate is an address to which we send on somebody's word. So there are not too many of them, and none that names
this machine, its own network link or a cloud's metadata service; this machine, though, where callers are expected.
Names ending in ``.local`` are left out, too: to ask the network for them takes seconds where it does not answer, and a
client that has them reaches us by itself, and is known by its packets then (RFC 8445, 7.3.1.3).
"""

from __future__ import annotations

from ipaddress import ip_address

MOST = 24
"""candidates of one offer, and of all that follow it; a browser with two networks and two relays has about ten"""
_LINE = "a=candidate:"


def sifted(sdp: str, *, loopback: bool, most: int = MOST) -> str:
    """An offer, or a part of one, without the candidates that are not to be tried.

    :param loopback: this machine's own addresses are.
    :param most: how many are left at most.
    """
    kept = []
    count = 0
    for line in sdp.splitlines():
        if line.startswith(_LINE):
            if count >= most or not _wanted(line, loopback):
                continue
            count += 1
        kept.append(line)
    return "".join(f"{line}\r\n" for line in kept)


def _wanted(line: str, loopback: bool) -> bool:
    """By RFC 8839, 5.1: foundation, component, transport, priority, address, port, ``typ``, type."""
    parts = line.removeprefix(_LINE).split()
    if len(parts) < 8 or parts[2].lower() != "udp":
        return False  # aiortc has no ICE over TCP
    try:
        address = ip_address(parts[4])
    except ValueError:
        return False
    if address.is_loopback:
        return loopback
    return not (address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved)
