"""`antiphon serve`: the server."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import ConfigError
from agent.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from agent.worker import Worker
    from signaling.processes import Processes

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
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (antiphon.toml)")
    parser.add_argument("--verbose", action="store_true", help="log what the libraries say, too")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    settings = load(args.config, **_flags(args))
    log_to_stderr(args.verbose)
    _refuse_public(settings)
    asyncio.run(serve(settings, lambda: _worker(settings, args)))
    return 0


def log_to_stderr(verbose: bool) -> None:
    """What we do; with ``verbose`` what the libraries say, too."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for name in ("agent", "signaling"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)


def _worker(settings: Settings, args: argparse.Namespace) -> Worker | Processes:
    """Who holds the calls: this process, or others."""
    if settings.server.processes > 1:
        from signaling.processes import Processes

        return Processes(settings, config=args.config, flags=_flags(args), verbose=args.verbose)
    from agent.worker import Worker

    return Worker(settings)


def _flags(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    given = {
        "server": {"host": args.host, "port": args.port, "processes": args.processes},
        "llm": {"model": args.llm_model, "url": args.llm_url},
    }
    tables = {table: {k: v for k, v in keys.items() if v is not None} for table, keys in given.items()}
    return {table: keys for table, keys in tables.items() if keys}


def _refuse_public(settings: Settings) -> None:
    from agent.worker import is_loopback

    if not is_loopback(settings.server.host):
        raise ConfigError(
            f"server.host {settings.server.host!r} can be reached from other machines, and this version can not ask "
            "callers for a token; listen on 127.0.0.1 and put a proxy that authenticates in front of it"
        )


async def serve(settings: Settings, make: Callable[[], Worker | Processes]) -> None:
    """Listen, load the models, take calls; return after SIGTERM or SIGINT.

    :param make: who holds the calls.
    :raises ConfigError: if the port is taken.
    :raises AntiphonError: if a model is missing.
    """
    from aiohttp import web

    from signaling.app import create_app

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    worker = make()
    app = create_app(worker, settings.server.hosts)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await _listen(runner, settings)
        await _until(stop, worker, _url(runner, settings))
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    from aiohttp import web

    host, port = settings.server.host, settings.server.port
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} on {host} is taken by another program; choose another: "
                f"`antiphon serve --port {port + 1}`, or `PORT={port + 1} make run`"
            ) from error
        raise ConfigError(
            f"can not listen on {host}:{port}: {error.strerror}; see server.host and server.port"
        ) from error


def _url(runner: web.AppRunner, settings: Settings) -> str:
    port = runner.addresses[0][1]
    host = "localhost" if settings.server.host == "127.0.0.1" else settings.server.host
    return f"http://{host}:{port}/"


async def _until(stop: asyncio.Event, worker: Worker | Processes, url: str) -> None:
    """Run the worker until it is told to stop, or fails."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    print(f"Antiphon is starting at {url}", flush=True)
    running = asyncio.ensure_future(worker.run())
    stopping = asyncio.ensure_future(stop.wait())
    ready = asyncio.ensure_future(worker.ready.wait())
    try:
        await asyncio.wait({running, stopping, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            print(f"Ready after {loop.time() - began:.1f} s. Open {url} and press the button. Ctrl-C ends.", flush=True)
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiting in (stopping, ready):
            waiting.cancel()
        if not running.done():
            running.cancel()
        await asyncio.wait({running})
    if not running.cancelled():
        _raise_first(running.exception())


def _raise_first(error: BaseException | None) -> None:
    """A TaskGroup wraps what went wrong; the person at the terminal wants the thing itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        raise error
