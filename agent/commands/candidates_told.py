"""`antiphon doctor` on candidates: the addresses in a call's answer, and why one that may be missed is not there."""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import ip_address

from agent.commands.doctor import Finding
from agent.settings import Settings
from agent.transports.aiortc_private import gathered_addresses, machine_addresses
from agent.transports.pair_check import End
from agent.worker import GATHER_S, is_loopback


def told(answer: str, settings: Settings, alive: Collection[str]) -> Finding:
    """The candidates in an answer.

    :param answer: SDP, as a client gets it.
    :param alive: the STUN and TURN servers that have answered when they were asked alone.
    """
    ends = _ends(answer)
    wrong = [*_hosts_missing(ends, settings), *_useless(ends, settings)]
    details = [*(f"{end}{_meaning(end, settings)}" for end in ends), *_absent(ends, settings, alive)]
    if wrong:
        return Finding("ICE candidates", "; ".join(wrong), good=False, details=details)
    return Finding("ICE candidates", f"{len(ends)} in an answer", details=details)


def _ends(answer: str) -> list[End]:
    """The addresses in an answer (RFC 8839, 5.1), which repeats them for sound and events."""
    lines = [line.split() for line in answer.splitlines() if line.startswith("a=candidate:")]
    return list(dict.fromkeys(End(parts[7], parts[4], int(parts[5])) for parts in lines))


def _meaning(end: End, settings: Settings) -> str:
    if end.kind == "host" and settings.ice.public_address:
        return ", told in place of our own (ice.public_address)"
    return {"srflx": ", as the STUN server sees us", "relay": ", lent by the TURN server"}.get(end.kind, "")


def _hosts_missing(ends: list[End], settings: Settings) -> list[str]:
    """Addresses of ours that were meant to be told and are not."""
    if settings.ice.relay_only:
        return []
    addresses = gathered_addresses()
    wrong = [f"ice.addresses: {address} is not of this machine" for address in addresses if not _is_ours(address)]
    if len(addresses) - len(wrong) > sum(end.kind == "host" for end in ends):
        wrong.append(f"all UDP ports of ice.ports, {settings.ice.ports}, are taken: widen it, or end what holds them")
    return wrong


def _is_ours(address: str) -> bool:
    """Whether a socket can be opened there."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _useless(ends: list[End], settings: Settings) -> list[str]:
    """What keeps all callers, or those on other machines, from reaching any of the addresses."""
    if not ends:
        if settings.ice.relay_only:
            return ["there is none: ice.relay_only tells none of our own, and no TURN server lends one"]
        return ["there is none: this machine has no address that callers could use; set ice.addresses"]
    public = settings.ice.public_address
    if public and not _is_address(public):
        return [f"ice.public_address, {public!r}, is a name, which not every client looks up; write the IP address"]
    from_elsewhere = not is_loopback(settings.server.host) or bool(settings.server.hosts)
    if from_elsewhere and all(end.kind != "relay" and is_loopback(end.address) for end in ends):
        return [
            f"the only candidate is {ends[0].address}: browsers on other machines can not reach it; set ice.addresses "
            "or ice.public_address"
        ]
    return []


def _absent(ends: list[End], settings: Settings, alive: Collection[str]) -> list[str]:
    """Which kinds and addresses are not told, and why."""
    kinds = {end.kind for end in ends}
    absent = []
    if settings.ice.relay_only:
        absent.append("none of our own: ice.relay_only")
    elif "host" in kinds and not settings.ice.public_address:
        why = "not in ice.addresses" if settings.ice.addresses else f"server.host is {settings.server.host}"
        shown = {end.address for end in ends}
        absent += [f"not {address}: {why}" for address in machine_addresses() if address not in shown]
    if "srflx" not in kinds and not settings.ice.relay_only:
        absent.append(f"none by STUN: {_silent('stun', settings, alive)}")
    if "relay" not in kinds:
        absent.append(f"none by TURN: {_silent('turn', settings, alive)}")
    return absent


def _silent(scheme: str, settings: Settings, alive: Collection[str]) -> str:
    """Why no server of a kind gave a candidate."""
    urls = [url for url in settings.ice.servers if url.startswith(scheme)]
    if not urls:
        return f"no {scheme.upper()} server in ice.servers"
    if urls[0] not in alive:
        return "see the server above"
    if scheme == "stun":
        return f"the server does not answer to {', '.join(gathered_addresses())}, from where calls ask"
    return f"the server took longer than the {GATHER_S:.0f} s that an answer waits for it"


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False
