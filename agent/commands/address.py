"""The address that a server prints: one that a browser can open."""

from __future__ import annotations

from ipaddress import ip_address

from agent.settings import Settings


def address(settings: Settings, port: int) -> str:
    """Where the page is, such as ``https://192.168.1.7:8080/``.

    A server that listens everywhere has no address of its own: it is shown by the first of `server.hosts`, or else by
    this machine's first address.

    :param port: that the server listens on.
    """
    host = settings.server.host
    if not host or _everywhere(host):
        host = next(iter([*settings.server.hosts, *_own(6 if ":" in host else 4)]), "localhost")
    elif host == "127.0.0.1":
        host = "localhost"
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'https' if settings.server.certificate else 'http'}://{host}:{port}/"


def to_open(settings: Settings, url: str) -> str:
    """What a person is told to open: with keys, an address without a token would be of no use."""
    return f"what `antiphon token --url {url}` prints" if settings.server.keys else url


def _everywhere(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _own(version: int) -> list[str]:
    from agent.transports.aiortc_private import machine_addresses

    return [each for each in machine_addresses() if ip_address(each).version == version]
