"""`antiphon serve`: the server."""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import secrets
import signal
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.commands.address import address, to_open
from agent.engines.threads import leave_hung_threads
from agent.errors import ConfigError
from agent.private_log import log_to_stderr
from agent.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from agent.worker import Worker
    from signaling.app import Access
    from signaling.calls import Calls
    from signaling.processes import Processes

HEADER_BYTES = 32 * 1024
"""of one header: a token holds the session that was made with it"""
SHUTDOWN_S = 3.0
"""How long requests in progress may take to end."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("serve", help="start the server")
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (8080; 0 takes a free one)")
    parser.add_argument(
        "--llm-model", metavar="NAME", help="smollm2, qwen2.5-0.5b or auto; with --llm-url its own name"
    )
    parser.add_argument(
        "--llm-url", metavar="URL", help="an OpenAI-compatible server, such as http://127.0.0.1:8000/v1"
    )
    parser.add_argument("--processes", type=int, metavar="N", help="hold calls in N processes, one a core (1)")
    parser.add_argument(
        "--self-signed", action="store_true", help="https with a certificate made here, to try it in a local network"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (antiphon.toml)")
    parser.add_argument("--verbose", action="store_true", help="log what the libraries say, too")
    parser.set_defaults(run=run, certificate={})


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    settings = load(args.config, **_flags(args))
    if args.self_signed:
        args.certificate = _self_signed(settings.server.hosts)
        settings = load(args.config, **_flags(args))
    log_to_stderr(args.verbose)
    _refuse_public(settings)
    asyncio.run(serve(settings, lambda: _worker(settings, args)))
    leave_output()
    leave_hung_threads(0)
    return 0


def _self_signed(hosts: list[str]) -> dict[str, str]:
    """A certificate of our own, as settings.

    :raises ConfigError: if it can not be written.
    """
    from agent.certificate import own, self_signed

    try:
        certificate, key = self_signed(own(), hosts)
    except OSError as error:
        raise ConfigError(
            f"the certificate can not be written to {own()} ({error.strerror}): free some space, set "
            "ANTIPHON_HOME to another folder, or give server.certificate and server.private_key"
        ) from error
    return {"certificate": str(certificate), "private_key": str(key)}


def leave_output() -> None:
    """What a full disk did not take is not worth an exit status of its own: the end of Python would try again."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _say(line: str) -> None:
    """To the terminal, or to the file that stands for it; one that can not be written is no reason not to serve."""
    with suppress(OSError):
        print(line, flush=True)


def _worker(settings: Settings, args: argparse.Namespace) -> Worker | Processes:
    """Who holds the calls: this process, or others."""
    if settings.server.processes > 1:
        from signaling.processes import Processes

        return Processes(settings, config=args.config, flags=_flags(args), verbose=args.verbose)
    from agent.worker import Worker

    return Worker(settings)


def _flags(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    given = {
        "server": {"host": args.host, "port": args.port, "processes": args.processes, **args.certificate},
        "llm": {"model": args.llm_model, "url": args.llm_url},
    }
    tables = {table: {k: v for k, v in keys.items() if v is not None} for table, keys in given.items()}
    return {table: keys for table, keys in tables.items() if keys}


def _refuse_public(settings: Settings) -> None:
    from agent.worker import is_loopback

    server = settings.server
    if not is_loopback(server.host) and not server.keys:
        raise ConfigError(
            f"server.host {server.host!r} can be reached from other machines, and anybody could call: set an API key, "
            f"such as ANTIPHON__SERVER__KEYS='[\"{secrets.token_urlsafe(18)}\"]', or listen on 127.0.0.1"
        )


async def serve(settings: Settings, make: Callable[[], Worker | Processes]) -> None:
    """Listen, load the models, take calls; return after SIGTERM or SIGINT.

    :param make: who holds the calls.
    :raises ConfigError: if the port is taken.
    :raises AntiphonError: if a model is missing.
    """
    from signaling.app import CALLS, create_app
    from signaling.runner import Runner

    stop = _Stop()
    worker = make()
    app = create_app(worker, access(settings))
    runner = Runner(app, access_log=None, shutdown_timeout=SHUTDOWN_S, max_field_size=HEADER_BYTES)
    tls = _tls(settings)
    await runner.setup()
    try:
        await _listen(runner, settings, tls)
        url = address(settings, runner.addresses[0][1])
        _say(f"Antiphon is starting at {url}")
        await _until(stop, worker, app[CALLS], to_open(settings, url), settings.limits.drain_s)
    finally:
        await runner.cleanup()


class _Stop:
    """What the terminal or the machine says: the first signal asks, the second insists."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()
        self.patient = False
        """calls may be finished: it was SIGTERM, not Ctrl-C"""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._signalled, True)
        loop.add_signal_handler(signal.SIGINT, self._signalled, False)

    def _signalled(self, patient: bool) -> None:
        if self.asked.is_set():
            self.insisted.set()
        self.patient = patient
        self.asked.set()


def access(settings: Settings) -> Access:
    """Who may use the server, as the settings have it."""
    from agent.worker import is_loopback
    from signaling.app import Access
    from signaling.body import Waits
    from signaling.lines import Most

    server, limits = settings.server, settings.limits
    return Access(
        keys=[key.get_secret_value() for key in server.keys],
        hosts=server.hosts,
        origins=server.origins,
        anywhere=not is_loopback(server.host),
        most=Most(limits.calls, limits.calls_per_key, limits.calls_per_address),
        waits=Waits(limits.request_s, limits.upload_s),
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """What the settings' certificate makes of the connection.

    :raises ConfigError: if one of the two files is missing or is not what it should be.
    """
    server = settings.server
    if server.certificate is None and server.private_key is None:
        return None
    if server.certificate is None or server.private_key is None:
        raise ConfigError("TLS wants both server.certificate and server.private_key; set the other one, too")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(server.certificate, server.private_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"server.certificate {server.certificate} and server.private_key {server.private_key} can not be used "
            f"({error}); give PEM files that belong together"
        ) from error
    return context


async def _listen(runner: web.AppRunner, settings: Settings, tls: ssl.SSLContext | None) -> None:
    from aiohttp import web

    host, port = settings.server.host, settings.server.port
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} on {host} is taken by another program; choose another: "
                f"`antiphon serve --port {port + 1}`, or `PORT={port + 1} make run`"
            ) from error
        raise ConfigError(
            f"can not listen on {host}:{port}: {error.strerror}; see server.host and server.port"
        ) from error


async def _until(stop: _Stop, worker: Worker | Processes, calls: Calls, page: str, drain_s: float) -> None:
    """Run the worker until it is told to stop, or fails; calls in progress end with a goodbye.

    :param page: what a person is told to open.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    running = asyncio.ensure_future(worker.run())
    asked = asyncio.ensure_future(stop.asked.wait())
    insisted = asyncio.ensure_future(stop.insisted.wait())
    ready = asyncio.ensure_future(worker.ready.wait())
    leaving: asyncio.Future[None] | None = None
    try:
        await asyncio.wait({running, asked, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            _say(f"Ready after {loop.time() - began:.1f} s. Open {page} and press the button. Ctrl-C ends.")
        await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
        calls.close()
        if not running.done():
            leaving = asyncio.ensure_future(_leave(worker, calls, drain_s if stop.patient else 0.0))
            await asyncio.wait({running, insisted, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiting in (asked, insisted, ready, leaving):
            if waiting is not None:
                waiting.cancel()
        if not running.done():
            running.cancel()
        await asyncio.wait({running})
    if not running.cancelled():
        _raise_first(running.exception())


async def _leave(worker: Worker | Processes, calls: Calls, drain_s: float) -> None:
    """Let calls be finished for so long, then say goodbye."""
    with suppress(TimeoutError):
        async with asyncio.timeout(drain_s):
            await calls.all_over()
    await worker.leave()


def _raise_first(error: BaseException | None) -> None:
    """A TaskGroup wraps what went wrong; the person at the terminal wants the thing itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        raise error
