"""``antiphon models``: list, pull and verify the models."""

from __future__ import annotations

import argparse
import sys
import time
from typing import NoReturn

from tqdm import tqdm

from agent.engines.catalogue import Catalogue
from agent.engines.progress import Progress
from agent.errors import AntiphonError

QUIET_S = 1.0
"""Where there is no terminal, what is done sooner than this is not worth a line."""
LINE_S = 10.0
"""And what takes longer says how far it is this often."""


class Terminal(Progress):
    """Progress on stderr: bars on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._label = ""
        self._bar: tqdm[NoReturn] | None = None
        self._due = 0.0

    def note(self, text: str) -> None:
        """A line of its own."""
        self.close()
        print(text, file=sys.stderr, flush=True)

    def bytes(self, label: str, done: int, total: int | None) -> None:
        """Move the bar of ``label``, or say how far it is if that was long ago."""
        if label != self._label:
            self.close()
            self._label, self._due = label, time.monotonic() + QUIET_S
        if sys.stderr.isatty():
            if self._bar is None:
                self._bar = tqdm(desc=label, initial=done, unit="B", unit_scale=True, file=sys.stderr, leave=True)
            self._bar.total = total
            self._bar.update(done - self._bar.n)
        elif time.monotonic() >= self._due:
            of = f" of {total / 1e6:.1f}" if total else ""
            print(f"{label}: {done / 1e6:.1f}{of} MB", file=sys.stderr, flush=True)
            self._due = time.monotonic() + LINE_S

    def close(self) -> None:
        """Finish the bar that is being drawn."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._label = ""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the ``models`` command to the program's commands.

    If the parsed arguments have a ``catalogue`` (one with the user's paths), `run` uses that one.
    """
    parser = subparsers.add_parser("models", help="list, pull and verify the models", description=__doc__)
    parser.set_defaults(run=run)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|pull|verify")
    verbs.add_parser("list", help="every model of the catalogue and whether it is here")
    pull = verbs.add_parser("pull", help="fetch models, by default those that this machine starts with")
    pull.add_argument("ids", nargs="*", metavar="ID", help="as in `antiphon models list`")
    verify = verbs.add_parser("verify", help="compare the sha256 of every file, by default of the models here")
    verify.add_argument("ids", nargs="*", metavar="ID", help="as in `antiphon models list`")


def run(args: argparse.Namespace) -> int:
    """Run the verb; gives the exit code: 0, or 1 after one line of error on stderr."""
    terminal = Terminal()
    try:
        catalogue: Catalogue = getattr(args, "catalogue", None) or Catalogue.load()
        if args.verb == "list":
            print("\n".join(table(catalogue)))
            return 0
        if args.verb == "pull":
            catalogue.pull(args.ids or catalogue.defaults(), terminal)
            return 0
        ids = args.ids or [row for row in catalogue.rows if catalogue.state(row) in ("here", "partly")]
        wrong = catalogue.verify(ids, terminal)
        for error in wrong:
            terminal.note(str(error))
        if not wrong:
            terminal.note(f"every file is what it should be: {', '.join(ids) or 'there are none'}")
        return 1 if wrong else 0
    except AntiphonError as error:
        terminal.note(f"antiphon models: {error}")
        return 1
    except KeyboardInterrupt:
        terminal.note("stopped; run the same command again to go on")
        return 130
    finally:
        terminal.close()


def table(catalogue: Catalogue) -> list[str]:
    """The catalogue as lines of text; a star marks what this machine pulls without being asked for more."""
    defaults = catalogue.defaults()
    lines = [("", "ID", "ENGINE", "LICENCE", "LANGUAGES", "MB", "STATE", "")]
    for row in catalogue.rows.values():
        languages = "all" if row.languages == ("*",) else " ".join(row.languages)
        if len(languages) > 24:
            languages = f"{languages[:17]} +{len(row.languages) - 6}"
        star = "*" if row.id in defaults else ""
        state = catalogue.state(row.id)
        lines.append((star, row.id, row.engine, row.licence, languages, f"{row.size_mb:.0f}", state, row.note))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column == 5 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
