"""The client's ICE candidates: which of them are worth a packet of ours.

A candidate is an address to which we send on somebody's word. So there are not too many of them, and none that names
this machine, its own network link or a cloud's metadata service; this machine, though, where callers are expected.
Names ending in ``.local`` are left out, too: to ask the network for them takes seconds where it does not answer, and a
client that has them reaches us by itself, and is known by its packets then (RFC 8445, 7.3.1.3).
"""

from __future__ import annotations

import re
from ipaddress import ip_address

MOST = 24
"""candidates of one offer, and of all that follow it; a browser with two networks and two relays has about ten"""
_LINE = "a=candidate:"
_CANDIDATE = re.compile(
    r"a=candidate:\S{1,64}[ ]+1[ ]+udp[ ]+\d{1,10}[ ]+(?P<address>[0-9a-f.:]{2,45})[ ]+(?P<port>\d{1,5})[ ]+"
    r"typ[ ]+(host|srflx|prflx|relay)( .*)?",
    re.ASCII | re.IGNORECASE,
)
"""RFC 8839, 5.1: foundation, component, transport, priority, address, port, type. There is one component, as RTCP goes
with the sound; aiortc has no ICE over TCP."""


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
    found = _CANDIDATE.fullmatch(line)
    if found is None or not 0 < int(found["port"]) < 1 << 16:
        return False
    try:
        address = ip_address(found["address"])
    except ValueError:
        return False
    if address.is_loopback:
        return loopback
    return not (address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved)
