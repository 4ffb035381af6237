"""What has been freed goes back to the system.

glibc keeps the pages of freed blocks in one arena for each thread, and a server whose calls run on a dozen threads
keeps some tens of MB there, more with every odd order of allocations. ``malloc_trim(3)`` returns them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable


def _libc() -> Callable[[int], int]:
    """``malloc_trim`` of this process; what does nothing where the allocator is none of glibc (macOS, musl)."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return lambda _: 0
    return trim


_trim = _libc()


def give_back() -> bool:
    """Return it; whether there was any. Takes 10 to 20 ms of a server that has been busy: for when nobody talks."""
    return bool(_trim(0))
