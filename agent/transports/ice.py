"""How peers reach us: STUN and TURN servers, and what stands in an answer about our own addresses.

None by default: a server that is offline asks nobody.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import time

from aiortc import RTCConfiguration, RTCIceServer
from aiortc.rtcconfiguration import RTCIceTransportPolicy
from aiortc.rtcicetransport import parse_stun_turn_uri

from agent.errors import ConfigError

DEAD_S = 60.0
"""how long a server that gave no candidate is not asked again, while there is another"""
_URL = re.compile(r"(stuns?|turns?):[^\s?]+(\?transport=(udp|tcp))?")


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server, and how to log in there."""

    url: str
    """as in RFC 7064 and 7065: ``stun:host:port``, ``turn:host:port?transport=tcp``"""
    username: str = ""
    credential: str = field(default="", repr=False)

    @property
    def relays(self) -> bool:
        """It is a TURN server."""
        return self.url.startswith("turn")

    def link(self) -> str:
        """A value of the header ``Link``, by which a client learns of it (RFC 9725, 4.6)."""
        url = self.url if self.relays else self.url.partition("?")[0]  # RFC 7064 has no transport
        parts = [f'<{url}>; rel="ice-server"']
        if self.username:
            parts += [f"username={_quoted(self.username)}", f"credential={_quoted(self.credential)}"]
            parts.append('credential-type="password"')
        return "; ".join(parts)


class Ice:
    """What the settings say of reaching us; one per process.

    :param urls: STUN and TURN servers, the preferred ones first.
    :param secret: of TURN servers whose passwords are made from it, as coturn's ``use-auth-secret`` does; each is good
        for ``ttl_s``.
    :param relay_only: our own addresses are not told, and everything goes by TURN.
    :param public_address: told in place of our own ones, where a network translates it to them.
    :raises ConfigError: if a URL is none, or there is no TURN server for ``relay_only``.
    """

    def __init__(
        self,
        urls: Sequence[str] = (),
        *,
        username: str = "",
        credential: str = "",
        secret: str = "",
        ttl_s: int = 600,
        relay_only: bool = False,
        public_address: str = "",
    ) -> None:
        for url in urls:
            if not _is_server(url):
                raise ConfigError(f"ice.servers: {url!r} is no address like stun:host:3478 or turn:host:3478")
        if relay_only and not any(url.startswith("turn") for url in urls):
            raise ConfigError("ice.relay_only wants a TURN server in ice.servers")
        self._urls = urls
        self._username, self._credential, self._secret, self._ttl_s = username, credential, secret, ttl_s
        self._relay_only = relay_only
        self._public = public_address
        self._dead_until: dict[str, float] = {}

    def servers(self) -> list[IceServer]:
        """All of them, with credentials that are good from now on."""
        name, password = (
            rest_credentials(self._secret, self._ttl_s) if self._secret else (self._username, self._credential)
        )
        return [IceServer(url, name, password) if url.startswith("turn") else IceServer(url) for url in self._urls]

    @property
    def policy(self) -> str:
        """What a client is to try: ``all`` of the servers beside its own addresses, the ``relay`` only, or ``none``."""
        return "relay" if self._relay_only else "all" if self._urls else "none"

    def configuration(self, now: float) -> RTCConfiguration:
        """For a peer connection of ours: of each kind of server the first that is not known to be dead.

        :param now: `loop.time()`.
        """
        chosen: dict[bool, IceServer] = {}
        for server in sorted(self.servers(), key=lambda each: self._dead_until.get(each.url, 0.0) > now):
            chosen.setdefault(server.relays, server)
        return RTCConfiguration(
            iceServers=[
                RTCIceServer(each.url, username=each.username or None, credential=each.credential or None)
                for each in chosen.values()
            ],
            iceTransportPolicy=RTCIceTransportPolicy.RELAY if self._relay_only else RTCIceTransportPolicy.ALL,
        )

    def gathered(self, configuration: RTCConfiguration, sdp: str, now: float) -> None:
        """Remember which servers gave a candidate.

        :param sdp: our answer.
        """
        for server in configuration.iceServers or []:
            kind = "relay" if str(server.urls).startswith("turn") else "srflx"
            if f" typ {kind}" in sdp:
                self._dead_until.pop(str(server.urls), None)
            elif kind == "relay" or " typ relay" not in sdp:
                self._dead_until[str(server.urls)] = now + DEAD_S

    def told(self, sdp: str) -> str:
        """Our answer, with the public address in place of our own ones."""
        if not self._public:
            return sdp
        return re.sub(r"(?m)^(a=candidate:\S+ \d+ \S+ \d+ )\S+( \d+ typ host)", rf"\g<1>{self._public}\2", sdp)


def _is_server(url: str) -> bool:
    """Whether aiortc takes it, too: it has no IPv6 addresses here, and would stumble over them in every call."""
    try:
        return bool(_URL.fullmatch(url) and parse_stun_turn_uri(url))
    except ValueError:
        return False


def rest_credentials(secret: str, ttl_s: int, name: str = "antiphon") -> tuple[str, str]:
    """User name and password for a TURN server that shares the secret, good for ``ttl_s``, as coturn checks them
    (draft-uberti-behave-turn-rest)."""
    username = f"{int(time()) + ttl_s}:{name}"
    return username, base64.b64encode(hmac.digest(secret.encode(), username.encode(), "sha1")).decode()


def _quoted(text: str) -> str:
    """As a quoted-string (RFC 9110, 5.6.4)."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
