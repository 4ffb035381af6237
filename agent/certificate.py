"""A certificate of one's own, for trying the server from another machine of the same network.

Browsers give the microphone to pages of the own machine and to https only. They warn of this certificate once; for more
than a demonstration, get one that they know.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from aioice.ice import get_host_addresses
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.engines.catalogue import home

DAYS = 397
"""the longest that browsers accept"""
RENEW_DAYS = 30
CERTIFICATE, KEY = "certificate.pem", "key.pem"


def own() -> Path:
    """The folder of this machine's certificate."""
    return home() / "tls"


def self_signed(folder: Path, hosts: Sequence[str]) -> tuple[Path, Path]:
    """The certificate and its key in ``folder``, made or made anew if there is none that lasts and has these names.

    :param hosts: names beside localhost, this machine's and its addresses.
    """
    certificate, key = folder / CERTIFICATE, folder / KEY
    names = _names(hosts)
    if not _lasts(certificate, key, names):
        _make(certificate, key, names)
    return certificate, key


def _names(hosts: Sequence[str]) -> list[str]:
    own = get_host_addresses(use_ipv4=True, use_ipv6=False)
    return list(dict.fromkeys(["localhost", "127.0.0.1", socket.gethostname(), *own, *hosts]))


def _lasts(certificate: Path, key: Path, names: Sequence[str]) -> bool:
    if not (certificate.is_file() and key.is_file()):
        return False
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        covered = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    in_time = found.not_valid_after_utc - datetime.now(UTC) > timedelta(days=RENEW_DAYS)
    return in_time and {_general(name) for name in names} <= set(covered)


def _make(certificate: Path, key: Path, names: Sequence[str]) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Antiphon")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_general(each) for each in names]), critical=False)
        .sign(secret, hashes.SHA256())
    )
    key.parent.mkdir(parents=True, exist_ok=True)
    certificate.unlink(missing_ok=True)  # it belongs to the key that is written over
    pem = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
