"""Says where the event loop stands still: nothing of a call is heard or spoken while it does.

A thread looks at the loop from outside. The loop sets a mark ten times a second; where the mark is late, the thread
writes down the line at which the loop's thread is just then, and how long it stayed there.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

log = logging.getLogger(__name__)

BEAT_S = 0.1
"""between two marks"""
LATE_S = 0.1
"""a mark that is later than this is a stall; five ticks of every call were missed"""
INSIDE = Path(__file__).parent.parent
"""our own code; its innermost line is the one to look at"""
UNSEEN = "no line of ours: the whole process was stopped, or native code held the interpreter"


class StallDetector:
    """Watches the loop that runs it.

    :param stalled: called in the loop after each stall, with its length in s.
    """

    def __init__(self, stalled: Callable[[float], None]) -> None:
        self._stalled = stalled
        self._beat = threading.Event()
        self._over = False
        self._where = ""

    async def run(self) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        given = threading.get_ident(), loop.time
        thread = threading.Thread(target=self._watch, args=given, name="stalls", daemon=True)
        thread.start()
        try:
            while True:
                began = loop.time()
                await asyncio.sleep(BEAT_S)
                self._beat.set()
                late_s = loop.time() - began - BEAT_S
                if late_s > LATE_S:
                    where, self._where = self._where or UNSEEN, ""
                    log.warning("the loop stood still for %.0f ms at %s", 1000 * late_s, where)
                    self._stalled(late_s)
        finally:
            self._over = True
            self._beat.set()
            await asyncio.to_thread(thread.join)

    def _watch(self, loop_thread: int, clock: Callable[[], float]) -> None:
        while not self._over:
            began = clock()
            if not self._beat.wait(BEAT_S + LATE_S):
                if clock() - began < BEAT_S + 2 * LATE_S:  # else this thread stood still as well
                    self._where = where(sys._current_frames().get(loop_thread))
                self._beat.wait()
            self._beat.clear()


def where(frame: FrameType | None) -> str:
    """The innermost line of our own on a stack, and the call in which it waits."""
    stack = traceback.extract_stack(frame) if frame is not None else []
    ours = next((line for line in reversed(stack) if Path(line.filename).is_relative_to(INSIDE)), None)
    if ours is None:
        return f"{stack[-1].filename}:{stack[-1].lineno} {stack[-1].line}" if stack else ""
    inner = "" if stack[-1] is ours else f", in {stack[-1].name} of {Path(stack[-1].filename).name}"
    return f"{Path(ours.filename).relative_to(INSIDE)}:{ours.lineno} {ours.line}{inner}"
