"""The command `antiphon`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from agent.errors import AntiphonError

COMMANDS = ("serve", "call", "token", "models", "doctor")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status. An error that has a remedy is one line, not a traceback."""
    parser = argparse.ArgumentParser(
        prog="antiphon", description="A voice agent that talks over WebRTC the way people talk on the phone."
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"agent.commands.{name}").add(subparsers)
    args = parser.parse_args(argv)
    try:
        status: int = args.run(args)
    except AntiphonError as error:
        print(f"antiphon: {error}", file=sys.stderr)  # noqa: T201 - a command line's errors go there
        return 1
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
