"""Whether the two ends of a call reach each other, asked by each pair of addresses; touches aioice's private parts.

ICE itself stops at the first pair that works, and says nothing of the others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from aioice import stun
from aioice.candidate import Candidate
from aioice.ice import CandidatePair
from aiortc import RTCPeerConnection


@dataclass(frozen=True, slots=True)
class End:
    """One end of a pair."""

    kind: str
    """host, srflx, prflx or relay (RFC 8445, 4)"""
    address: str
    port: int

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.kind} {address}:{self.port}"

    @classmethod
    def of(cls, candidate: Candidate) -> End:
        """Of a candidate of aioice."""
        return cls(candidate.type, candidate.host, candidate.port)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two addresses between which packets may pass."""

    ours: End
    theirs: End
    answered: bool = True
    """the other end has answered this way"""
    error: str = ""
    """what the socket or the TURN server of our end said meanwhile; "" for nothing"""


def selected(pc: RTCPeerConnection) -> Pair | None:
    """The pair by which a call goes; None before it is connected."""
    pair = _connection(pc)._nominated.get(1)
    return None if pair is None else Pair(End.of(pair.local_candidate), End.of(pair.remote_candidate))


async def check_pairs(pc: RTCPeerConnection, within_s: float) -> list[Pair]:
    """Ask the other end by every pair of addresses at once, once its description is known.

    A relay lets nobody in whom its owner has not written to: let both ends ask at the same time.
    """
    connection = _connection(pc)
    pairs = [
        CandidatePair(protocol, remote)
        for protocol in connection._protocols
        for remote in connection._remote_candidates
        if remote.type != "prflx" and protocol.local_candidate.can_pair_with(remote)
    ]
    errors: dict[Any, str] = {}
    for protocol in connection._protocols:
        protocol.error_received = _noted(errors, protocol)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_answers(connection, pair, within_s)) for pair in pairs]
    return [
        Pair(End.of(pair.local_candidate), End.of(pair.remote_candidate), task.result(), errors.get(pair.protocol, ""))
        for pair, task in zip(pairs, asked, strict=True)
    ]


def _noted(errors: dict[Any, str], protocol: Any) -> Any:
    def error_received(error: Exception) -> None:
        errors[protocol] = str(error)

    return error_received


async def _answers(connection: Any, pair: CandidatePair, within_s: float) -> bool:
    key = connection.remote_password.encode()
    request = connection.build_request(pair, nominate=False)
    try:
        async with asyncio.timeout(within_s):
            await pair.protocol.request(request, pair.remote_addr, integrity_key=key)
    except stun.TransactionFailed:
        return True  # that is an answer, too
    except (TimeoutError, stun.TransactionError):
        return False
    return True


def _connection(pc: RTCPeerConnection) -> Any:
    """aioice's connection below a call."""
    return pc.getTransceivers()[0].receiver.transport.transport._connection
