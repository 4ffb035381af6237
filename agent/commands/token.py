"""`antiphon token`: a key for a browser, and the address with which somebody can call."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.errors import ConfigError
from agent.settings import load


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("token", help="make a short-lived token, with which a browser may call")
    parser.add_argument("--minutes", type=float, default=10, help="that it may start calls, at most 120 (10)")
    parser.add_argument("--most-minutes", type=float, default=0, help="of a call; 0 for no limit (0)")
    parser.add_argument("--url", default="", help="the address in which it stands; else what the settings say")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (antiphon.toml)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the address with the token behind the #, where neither servers nor their logs see it."""
    from signaling.tokens import LONGEST_S, SHORTEST_S, Tokens

    server = load(args.config).server
    if not server.keys:
        raise ConfigError("this server has no keys, so nobody needs a token; set server.keys")
    seconds = round(60 * args.minutes)
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise ConfigError(
            f"--minutes {args.minutes:g}: a token is good for {SHORTEST_S} s to {LONGEST_S // 60} minutes"
        )
    tokens = Tokens([key.get_secret_value() for key in server.keys])
    token, _ = tokens.issue(seconds=seconds, most_minutes=args.most_minutes)
    scheme = "https" if server.certificate else "http"
    host = server.hosts[0] if server.hosts else "localhost"
    print(f"{args.url or f'{scheme}://{host}:{server.port}/'}#token={token}")
    return 0
