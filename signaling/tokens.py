"""Who may call: API keys for servers, and short-lived tokens that they hand to browsers.

A token is ``ek_`` and a signed JSON Web Token (HS256, RFC 7519), so that it is valid in every process, outlives a
restart and needs no store. It is signed with a secret made from the first API key: a server without keys, which is open
to its own machine, signs with a secret of this process.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from time import time
from typing import Any, Literal

import jwt

from agent.errors import SignalingError

PREFIX = "ek_"
"""OpenAI's clients refuse to use other keys in a browser"""
SHORTEST_S, USUAL_S, LONGEST_S = 10, 600, 7200
"""that a token may start calls"""
MOST_BYTES = 24 * 1024
"""of a token: it holds the session that was made with it, and travels in a header"""
ALGORITHM = "HS256"
Role = Literal["talk", "listen"]


@dataclass(frozen=True, slots=True)
class Grant:
    """What the bearer of a key or a token may do."""

    who: str
    """names the bearer for limits and logs, and does not tell the secret"""
    server: bool = False
    """an API key, or the own machine of an open server: may do everything, and hand out tokens"""
    room: str = ""
    """of a token, the only one; "" for calls of one's own"""
    name: str = ""
    """of the person"""
    role: Role = "talk"
    """listen: hears a room, and may neither speak nor ask"""
    most_minutes: float = 0.0
    """of a call; 0 for no limit of its own"""
    session: Mapping[str, Any] = field(default_factory=dict)
    """settings that the calls begin with"""
    expires: int = 0
    """Unix time, in s, from which a token starts no call any more; 0 for never"""


OPEN = Grant(who="own machine", server=True)
"""What everybody may who can reach a server without keys."""


def address(page: str, token: str, room: str = "") -> str:
    """The address that brings the page a token, behind the #, where neither servers nor their logs see it.

    :param page: where the page is.
    :param room: to be joined; "" for a call of one's own.
    """
    query = f"{'&' if '?' in page else '?'}room={room}" if room else ""
    return f"{page}{query}#token={token}"


class Tokens:
    """Reads what bearers present, and issues tokens.

    :param keys: API keys; none leaves the server open to whoever reaches it.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]
        secret = self._keys[0] if self._keys else secrets.token_bytes(32)
        self._secret = blake2b(secret, person=b"antiphon tokens", digest_size=32).digest()

    @property
    def open(self) -> bool:
        """There are no keys."""
        return not self._keys

    def issue(
        self,
        *,
        seconds: int = USUAL_S,
        room: str = "",
        name: str = "",
        role: Role = "talk",
        most_minutes: float = 0.0,
        session: Mapping[str, Any] | None = None,
    ) -> tuple[str, int]:
        """A token, and the Unix time, in s, from which it starts no call any more.

        :raises SignalingError: 400 if the session is too long for a header.
        """
        expires = int(time()) + seconds
        claims = {
            "exp": expires,
            "jti": secrets.token_hex(8),
            "room": room,
            "name": name,
            "role": role,
            "most_minutes": most_minutes,
            "session": dict(session or {}),
        }
        token = PREFIX + jwt.encode(claims, self._secret, ALGORITHM)
        if len(token) > MOST_BYTES:
            raise SignalingError(
                400,
                f"The session takes {len(token)} bytes as a token; {MOST_BYTES} are allowed. Send long instructions by "
                "session.update.",
                code="session_too_long",
                param="session",
            )
        return token, expires

    def read(self, bearer: str | None) -> Grant:
        """What the bearer of this may do.

        :param bearer: a key or a token, or None where nothing was presented.
        :raises SignalingError: 401, and why.
        """
        if bearer is not None and bearer.startswith(PREFIX):
            return self._token(bearer)
        if self.open:
            return OPEN
        if bearer is None:
            raise SignalingError(
                401, "This server wants a key or a token: send Authorization: Bearer ….", code="missing_token"
            )
        given = bearer.encode("utf-8", "surrogateescape")  # as it came: a header may hold any bytes
        # All are compared, so that the time tells neither which one it was nor how much of it was right.
        if sum(hmac.compare_digest(given, key) for key in self._keys):
            return Grant(who=f"key {blake2b(given, digest_size=4).hexdigest()}", server=True)
        raise SignalingError(401, "This key is not one of the server's.", code="invalid_token")

    def _token(self, token: str) -> Grant:
        if len(token) > MOST_BYTES or not token.isascii():
            raise SignalingError(401, "This token is not one of the server's.", code="invalid_token")
        try:
            claims = jwt.decode(
                token.removeprefix(PREFIX), self._secret, [ALGORITHM], options={"require": ["exp", "jti"]}
            )
            return Grant(
                who=f"token {claims['jti']}",
                room=claims["room"],
                name=claims["name"],
                role=claims["role"],
                most_minutes=claims["most_minutes"],
                session=claims["session"],
                expires=claims["exp"],
            )
        except jwt.ExpiredSignatureError as error:
            raise SignalingError(
                401, "This token has expired; ask who gave it to you for a new one.", code="token_expired"
            ) from error
        except (jwt.InvalidTokenError, KeyError) as error:
            raise SignalingError(401, "This token is not one of the server's.", code="invalid_token") from error
