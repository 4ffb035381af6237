"""What a client sends by PATCH after its offer: candidates of that offer, or of another (RFC 9725, 4.3; RFC 8840)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from aiohttp import ETag

from agent.errors import SignalingError

FRAGMENT = "application/trickle-ice-sdpfrag"
_ANY = "*"
_UFRAG = re.compile(r"(?m)^a=ice-ufrag:(\S+)")
_CANDIDATE = re.compile(r"a=candidate:\S+ \d+ \S+ \d+ \S+ \d+ typ \S+( .*)?")
"""foundation, component, transport, priority, address, port, type (RFC 8839, 5.1)"""
_NEWS = ("a=candidate:", "a=end-of-candidates", "a=ice-ufrag:")


@dataclass(frozen=True, slots=True)
class IceSession:
    """What a call's newest offer began: the candidates that follow are for it and for no other. Pure."""

    tag: str
    """entity tag, without its quotes; every offer has another one"""
    ufrags: frozenset[str]
    """by which the offer's candidates are known"""

    @classmethod
    def of(cls, offer: str) -> Self:
        """The session that an offer begins."""
        return cls(secrets.token_hex(8), frozenset(_UFRAG.findall(offer)))

    @property
    def etag(self) -> str:
        """The value of the header ``ETag``."""
        return f'"{self.tag}"'

    def match(self, given: Sequence[ETag] | None, *, required: bool) -> None:
        """Whether a PATCH is meant for this session.

        :param given: the header ``If-Match``; None if there was none.
        :param required: there must be one, as WHIP has it.
        :raises SignalingError: 428 if it is missing, 412 if it names another session.
        """
        if given is None:
            if required:
                raise SignalingError(
                    428, "Send If-Match with the ETag that came with the answer.", code="precondition_required"
                )
        elif not any(tag.value in (self.tag, _ANY) and not tag.is_weak for tag in given):
            raise SignalingError(
                412,
                "If-Match names candidates of an older offer; send those of the newest, with its ETag.",
                code="precondition_failed",
            )

    def check(self, fragment: str) -> None:
        """Whether a fragment has candidates of this session.

        :raises SignalingError: 400 if it is no fragment, 422 if it wants an ICE restart.
        """
        lines = [line for line in fragment.splitlines() if line.strip()]
        wrong = next((line for line in lines if not _sound(line)), None)
        if wrong is not None or not any(line.startswith(_NEWS) for line in lines):
            found = "it has no candidates" if wrong is None else f"{wrong[:60]!r} is none of its lines"
            raise SignalingError(400, f"The body is not a fragment by RFC 8840: {found}.", code="invalid_fragment")
        if not self.ufrags.issuperset(_UFRAG.findall(fragment)):
            raise SignalingError(
                422,
                "ICE is not restarted by PATCH here: POST a new offer to the call's address /v1/realtime/calls/…, "
                "and the call goes on.",
                code="ice_restart_unsupported",
            )


def _sound(line: str) -> bool:
    """Whether it may stand in a fragment: an attribute, a candidate as it should be, or the head of a section."""
    if line.startswith("a=candidate:"):
        return _CANDIDATE.fullmatch(line) is not None
    return line.startswith(("a=", "m=")) and len(line) > len("a=")
