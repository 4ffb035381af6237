"""The log, and what it does not say: a traceback names places and kinds of errors, not the words that were spoken."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from types import TracebackType

from agent.errors import discreet

_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def log_to_stderr(verbose: bool) -> None:
    """What we do; with ``verbose`` what the libraries say, too."""
    lines = logging.StreamHandler()
    lines.setFormatter(Discreet("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, handlers=[lines])
    for name in ("agent", "signaling"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)


class Discreet(logging.Formatter):
    """Formats tracebacks without what they quote."""

    def formatException(self, ei: _Raised) -> str:
        """The traceback of an exception, of what led to it, and of those that a group holds."""
        return "" if ei[1] is None else "".join(_told(ei[1])).rstrip("\n")


def _told(error: BaseException) -> Iterator[str]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _told(cause)
        yield "\nwhich led to:\n\n"
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(error.__traceback__)
    if isinstance(error, BaseExceptionGroup):
        yield f"{type(error).__name__} of {len(error.exceptions)}:\n"
        for one in error.exceptions:
            yield from ("  " + line for part in _told(one) for line in part.splitlines(keepends=True))
    else:
        yield discreet(error) + "\n"
