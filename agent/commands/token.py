"""`antiphon token`: a key for a browser, and the address with which somebody can call, or join a room."""

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
    parser.add_argument("--room", default="", help="the room that it joins; else it is for calls of one's own")
    parser.add_argument("--name", default="", help="of the person; else they choose it")
    parser.add_argument("--listen", action="store_true", help="only to listen to the room")
    parser.add_argument("--url", default="", help="the address in which it stands; else what the settings say")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (antiphon.toml)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the address with the token in it."""
    from signaling.names import ROOM_RULE, is_room, person_name
    from signaling.tokens import LONGEST_S, SHORTEST_S, Tokens, address

    server = load(args.config).server
    if not server.keys:
        raise ConfigError("this server has no keys, so nobody needs a token; set server.keys")
    seconds = round(60 * args.minutes)
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise ConfigError(
            f"--minutes {args.minutes:g}: a token is good for {SHORTEST_S} s to {LONGEST_S // 60} minutes"
        )
    if args.room and not is_room(args.room):
        raise ConfigError(f"--room {args.room}: {ROOM_RULE}")
    if args.listen and not args.room:
        raise ConfigError("--listen: a listener wants a room; give --room, too")
    tokens = Tokens([key.get_secret_value() for key in server.keys])
    token, _ = tokens.issue(
        seconds=seconds,
        room=args.room,
        name=person_name(args.name) if args.name else "",
        role="listen" if args.listen else "talk",
        most_minutes=args.most_minutes,
    )
    scheme = "https" if server.certificate else "http"
    host = server.hosts[0] if server.hosts else "localhost"
    print(address(args.url or f"{scheme}://{host}:{server.port}/", token, args.room))
    return 0
