"""What is done with sound outside of calls, with the calls' models: recordings to text, texts to speech."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from agent.rest.names import Names
from agent.rest.speech import Speech
from agent.rest.transcription import Transcriptions
from agent.room import Models
from agent.settings import Settings

THREADS = 2
"""for all that is not recognition: decoding files, making and encoding speech"""
NICENESS = 10
"""of these threads: calls go first"""


class Studio:
    """One server's; in the process where the models are."""

    def __init__(self, models: Models, settings: Settings) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "rest", _stand_back)
        self.names = Names(settings)
        self.transcriptions = Transcriptions(models.hearing, self._threads)
        self.speech = Speech(models.voice, settings.tts.voice, self._threads)

    def close(self) -> None:
        """No more work; what runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _stand_back() -> None:
    """Let this thread run when no other wants to; on Linux, where a thread has a priority of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
