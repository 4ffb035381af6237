"""The certificate that is made here: used again while it lasts and has the names, and nobody else's to read."""

from __future__ import annotations

import ssl
from pathlib import Path

from agent.certificate import self_signed


def test_it_is_made_once_and_anew_for_another_name(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path / "tls", [])
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    assert key.stat().st_mode & 0o077 == 0
    first = certificate.read_bytes()
    assert self_signed(tmp_path / "tls", [])[0].read_bytes() == first
    self_signed(tmp_path / "tls", ["voice.example.org"])
    assert certificate.read_bytes() != first
    certificate.write_text("broken")
    self_signed(tmp_path / "tls", [])
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
