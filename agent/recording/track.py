"""One voice, or the mix of all, as a file of its own. Its methods block; they are for the recording's thread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from agent.audio import I16, TICK_SAMPLES
from agent.recording.disk import AppendedFile
from agent.recording.ogg import SILENCE, OggOpus
from agent.transports.opus import DTX_BYTES, OpusEncoder

_QUIET: I16 = np.zeros(TICK_SAMPLES, np.int16)


class Track:
    """Every track begins when the recording does, so that they line up when they are played side by side.

    :param tags: what players show.
    :param late: ticks since the recording began.
    :raises OSError: if there is such a file, or it can not be made.
    """

    def __init__(self, path: Path, tags: Mapping[str, str], late: int = 0) -> None:
        self._ogg = OggOpus(tags)
        self._encoder = OpusEncoder()
        self._file = AppendedFile(path)
        self._silent = late  # ticks that are not in the stream yet

    def play(self, pcm: I16) -> None:
        """A tick of sound, int16 (TICK_SAMPLES,)."""
        payload = self._encoded(pcm)
        if payload:
            self._fill()
            self._ogg.packet(payload)
        else:
            self._silent += 1

    def rest(self, ticks: int = 1) -> None:
        """Ticks of silence."""
        while ticks and not self._encoder.resting:  # until what sounded has died away in it
            self.play(_QUIET)
            ticks -= 1
        self._silent += ticks

    def write(self) -> None:
        """What was played until now goes to the file.

        :raises OSError: if the disk is full, or gone; what was written before plays.
        """
        self._fill()
        self._file.append(self._ogg.taken())

    def sync(self) -> None:
        """Wait until what was written would outlast the machine's end."""
        self._file.sync()

    def end(self) -> None:
        """Write the stream's end.

        :raises OSError: as `write`.
        """
        self._fill()
        self._file.append(self._ogg.ended(self._encoded(_QUIET) or SILENCE))
        self._file.sync()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _encoded(self, pcm: I16) -> bytes:
        """Opus; b"" for what a call would not send: silence goes on."""
        packet = self._encoder.encode(pcm)
        return b"" if packet is None or packet.size <= DTX_BYTES else bytes(packet)

    def _fill(self) -> None:
        self._ogg.silence(self._silent)
        self._silent = 0
