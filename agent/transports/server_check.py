"""Asks a STUN or TURN server for what a call wants of it: the address that it sees us at, or one that it lends."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from aioice import stun, turn
from aiortc.rtcicetransport import parse_stun_turn_uri

from agent.errors import TransportError
from agent.transports.ice import IceServer

GIVE_BACK_S = 1.0
"""How long a TURN server may take to take its address back; else it does so by itself, after ten minutes."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a server gave."""

    address: str
    """the IP address that it sees us at; of a TURN server, the one that it lent"""
    port: int
    server: str
    """its own IP address"""
    took_s: float


class ServerRefused(TransportError):
    """A server answered with an error."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"answered {code} {reason}".rstrip())
        self.code = code
        """as in RFC 8489, 14.8, and RFC 8656, 19"""


async def ask(server: IceServer, within_s: float) -> Given:
    """Ask it, as a call does; what it lends is given back.

    :raises ServerRefused: if it answers with an error.
    :raises TransportError: if it does not answer, or if aiortc would not ask it.
    """
    parts = parse_stun_turn_uri(server.url)
    host, port, scheme = parts["host"], parts["port"], parts["scheme"]
    if scheme == "stuns" or (scheme == "turns" and parts["transport"] != "tcp"):
        raise TransportError(
            "no call asks it, since aiortc knows TLS for TURN over TCP alone; write "
            + (f"stun:{host}" if scheme == "stuns" else f"turns:{host}:{port}?transport=tcp")
        )
    loop = asyncio.get_running_loop()
    wire = "TCP" if parts.get("transport") == "tcp" else "UDP"
    began = loop.time()
    with _in_words(host, f"{wire} port {port}", within_s, tls=scheme == "turns"):
        async with asyncio.timeout(within_s):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            if not server.relays:
                address, seen_port = await _seen(host, port)
                return Given(address, seen_port, str(found[0][4][0]), loop.time() - began)
            transport, lease = await turn.create_turn_endpoint(
                _Lease,
                server_addr=(host, port),
                username=server.username or None,
                password=server.credential or None,
                ssl=scheme == "turns",
                transport=parts["transport"],
            )
    took_s = loop.time() - began
    address, lent_port = transport.get_extra_info("sockname")
    transport.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(GIVE_BACK_S):
            await lease.over.wait()
    return Given(address, lent_port, str(found[0][4][0]), took_s)


@contextmanager
def _in_words(host: str, port: str, within_s: float, *, tls: bool) -> Iterator[None]:
    """Say what went wrong, and what may be done about it."""
    try:
        yield
    except stun.TransactionFailed as error:
        raise ServerRefused(*error.response.attributes.get("ERROR-CODE", (0, "an error without a number"))) from error
    except (TimeoutError, stun.TransactionTimeout) as error:
        what = f"no answer within {within_s:.0f} s: is the server up, and is {port} open there and on the way?"
        raise TransportError(what + (" Does it speak TLS there?" if tls else "")) from error
    except (socket.gaierror, UnicodeError) as error:
        raise TransportError(
            f"{host} has no address ({error}): is the name right, and does this machine reach a name server?"
        ) from error
    except ssl.SSLError as error:
        raise TransportError(f"TLS fails ({error.reason}): the server wants a certificate for {host}") from error
    except ConnectionRefusedError as error:
        raise TransportError(f"nobody listens on {port} of {host}: is the server up, and is that its port?") from error
    except OSError as error:
        raise TransportError(f"{error.strerror or error}: is there a way from here to {port} of {host}?") from error


class _Lease(asyncio.DatagramProtocol):
    """What a TURN server lent."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set()


class _Question(asyncio.DatagramProtocol):
    """A binding request, and the answer to it."""

    def __init__(self) -> None:
        self.request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        self.answer: asyncio.Future[stun.Message] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        with suppress(ValueError):
            message = stun.parse_message(data)
            if message.transaction_id == self.request.transaction_id and not self.answer.done():
                self.answer.set_result(message)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _seen(host: str, port: int) -> tuple[str, int]:
    """Our address as a STUN server sees it; by IPv4, as calls ask."""
    transport, question = await asyncio.get_running_loop().create_datagram_endpoint(
        _Question, remote_addr=(host, port), family=socket.AF_INET
    )
    try:
        while not question.answer.done():
            transport.sendto(bytes(question.request))
            await asyncio.wait({question.answer}, timeout=stun.RETRY_RTO)
        message = question.answer.result()
    finally:
        transport.close()
    if message.message_class is not stun.Class.RESPONSE:
        raise stun.TransactionFailed(message)
    if "XOR-MAPPED-ADDRESS" not in message.attributes:
        raise TransportError("its answer names no address (RFC 8489, 14.2): is it a STUN server?")
    address, seen_port = message.attributes["XOR-MAPPED-ADDRESS"]
    return str(address), int(seen_port)
