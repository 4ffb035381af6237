"""A call to a server whose certificate is its own says which file makes it known, and with that file it goes on."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent import certificate
from agent.audio import WIRE_RATE, write_wav
from agent.caller import Caller
from agent.errors import TransportError


async def refuse(_: web.Request) -> web.Response:
    """Whoever gets as far as that has a TLS connection."""
    return web.json_response({"error": {"message": "nobody is at home"}}, status=503)


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TestServer]:
    """A server with the certificate that --self-signed makes."""
    monkeypatch.setenv("ANTIPHON_HOME", str(tmp_path))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    await asyncio.to_thread(lambda: tls.load_cert_chain(*certificate.self_signed(certificate.own(), [])))
    app = web.Application()
    app.router.add_post("/v1/realtime/calls", refuse)
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=tls)
    yield server
    await server.close()


async def test_an_unknown_certificate_is_told_with_the_file_that_makes_it_known(
    server: TestServer, tmp_path: Path
) -> None:
    url = f"https://127.0.0.1:{server.port}"
    with pytest.raises(TransportError, match="is not known here") as caught:
        async with Caller(url):
            pass
    variable = next(word for word in str(caught.value).split() if word.startswith("SSL_CERT_FILE="))
    name, _, file = variable.partition("=")
    wav = tmp_path / "hello.wav"
    await asyncio.to_thread(write_wav, wav, np.full(WIRE_RATE // 5, 3000, np.int16), WIRE_RATE)
    call = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent.cli", "call", "--url", url, "--wav", str(wav)),
        env={**os.environ, name: file},
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await call.communicate()
    assert b"nobody is at home" in complaint, complaint.decode()


async def test_a_server_without_tls_is_told_from_none() -> None:
    app = web.Application()
    app.router.add_post("/v1/realtime/calls", refuse)
    async with TestServer(app) as plain:
        with pytest.raises(TransportError, match=r"TLS fails .*http://"):
            async with Caller(f"https://127.0.0.1:{plain.port}"):
                pass
