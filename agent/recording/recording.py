"""A room's recording, as the room's loop sees it: it takes down what there is, and never waits for the disk."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

from agent.audio import I16, TICK_S
from agent.errors import discreet
from agent.recording.writer import AGENT, Entry, Joined, Left, Said, Tick, Writer

log = logging.getLogger(__name__)

BATCH_TICKS = 25
"""Half a second: what the thread is given at once, and what is lost if the process is killed."""
BATCH_ENTRIES = 200
"""and as much whatever the time, so that a flood of lines is no flood of memory"""
MOST_WAITING = 20
"""Batches, ten seconds and 1 MB a voice: a disk that is further behind is too slow."""
CLOSE_S = 5.0
"""How long the end of a recording waits for the disk."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
TOO_SLOW = "the disk is too slow"

_Batches: TypeAlias = "SimpleQueue[list[Entry] | None]"


class Recording:
    """Writes ``FOLDER/ROOM-2026-11-22T10-15-00Z/``: ``mix.opus``, ``agent.opus``, a track for each person, and
    ``transcript.jsonl``. To be made, used and closed on the loop.

    If it can not go on, it stops, and the call does not; what was written until then plays.

    :param folder: of all recordings; see `agent.recording.check_folder`.
    :param at: now.
    :param failed: called on the loop, once, with the reason, if the recording stops before it is closed.
    """

    def __init__(
        self, folder: Path, room: str, at: datetime, failed: Callable[[str], None] = lambda reason: None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._failed = failed
        self._entries: list[Entry] = []
        self._ticks = self._handed_over = 0
        self._on = self._alive = True
        self._batches: _Batches = SimpleQueue()  # bounded by `_hand_over`: its own bound would be a lock
        begin = partial(Writer, folder, room, at)
        # A daemon: a disk that hangs does not keep the process from ending.
        self._thread = threading.Thread(target=self._work, args=(begin,), name="recording", daemon=True)
        self._thread.start()

    @property
    def on(self) -> bool:
        """It goes on: it was not closed, and has not failed."""
        return self._on

    @property
    def elapsed_s(self) -> float:
        """How long it is by now: its ticks. `said` counts from its beginning."""
        return self._ticks * TICK_S

    def tick(self, agent: I16 | None, people: Mapping[str, I16 | None]) -> None:
        """Every 20 ms: the agent's voice and each person's, int16 (TICK_SAMPLES,) at WIRE_RATE; None for silence.

        The arrays are kept for a while, and must not be written to any more. Who has not joined is in the mix only.
        """
        voices = {person_id: pcm for person_id, pcm in people.items() if pcm is not None}
        if agent is not None:
            voices[AGENT] = agent
        self._take(Tick(voices))

    def rest(self, ticks: int) -> None:
        """So many ticks have passed in which there was nothing to hear."""
        if ticks > 0:
            self._take(Tick(ticks=ticks))

    def joined(self, person_id: str, name: str) -> None:
        """Somebody is there: a track for them. Who was there before and has left gets another one."""
        self._take(Joined(person_id, name, self.elapsed_s))

    def left(self, person_id: str) -> None:
        """Somebody is no longer there: their track ends."""
        self._take(Left(person_id, self.elapsed_s))

    def said(self, person_id: str, name: str, text: str, started_s: float, ended_s: float) -> None:
        """A turn's words, for the transcript.

        :param person_id: or "agent".
        :param started_s: and when it ended, in seconds of the recording (`elapsed_s`).
        """
        self._take(Said(person_id, name, text, started_s, ended_s))

    async def close(self) -> None:
        """End it, and wait for the disk, for `CLOSE_S` at most."""
        if self._on:
            self._on = False
            self._batches.put(self._entries)
            self._batches.put(None)
            self._entries = []
        await asyncio.to_thread(self._thread.join, CLOSE_S)
        if self._thread.is_alive():
            self._fail(TOO_SLOW)

    def _take(self, entry: Entry) -> None:
        if not self._on:
            return
        self._entries.append(entry)
        if isinstance(entry, Tick):
            self._ticks += entry.ticks
        if self._ticks - self._handed_over >= BATCH_TICKS or len(self._entries) >= BATCH_ENTRIES:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._batches.qsize() >= MOST_WAITING:
            self._fail(TOO_SLOW)
            return
        self._batches.put(self._entries)
        self._entries, self._handed_over = [], self._ticks

    def _fail(self, reason: str) -> None:
        """On the loop: stop, and say why, once."""
        if not self._alive:
            return
        self._on = self._alive = False
        self._entries = []
        self._batches.put(None)
        log.warning("a recording stopped: %s", reason)
        self._failed(reason)

    def _work(self, begin: Callable[[], Writer]) -> None:
        """In the thread."""
        try:
            writer = begin()
            try:
                while (batch := self._batches.get()) is not None:
                    writer.write(batch)
                writer.end()
            finally:
                writer.close()
        except Exception as error:
            with suppress(RuntimeError):  # the loop is over
                self._loop.call_soon_threadsafe(self._fail, _reason(error))


def _reason(error: Exception) -> str:
    """Without the path, which has names in it."""
    if isinstance(error, OSError):
        return "the disk is full" if error.errno in FULL else f"nothing can be written: {error.strerror}"
    return discreet(error)
