"""The microphone of a client that sends its sound in events: `input_audio_buffer.append`, and what goes with it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from agent.audio import AudioChunk
from agent.realtime.formats import SoundIn, unwrapped

PIECE_S = 0.1
"""Sound that is heard without a pause: the voice activity detector takes 0.6 ms for it."""
MOST_S = 600.0
"""Sound that may wait to be heard: a client may send a whole recording at once, but not for ever."""
MOST_MARKS = 256
"""that may wait in it"""
Mark = Callable[[], Awaitable[None]]


class EventMicrophone:
    """Sound in the order of its events; marks between them keep their place.

    Media time is what was sent: while a client sends nothing, no time passes.
    """

    def __init__(self) -> None:
        self._decoder = SoundIn("audio/pcm")
        self._waiting: deque[tuple[SoundIn, bytes] | Mark] = deque()
        self._waiting_s = 0.0
        self._more = asyncio.Event()
        self._ended = False
        self._marks = 0
        self.since_mark_s = 0.0
        """sound since the last mark, s"""

    def expect(self, kind: str) -> None:
        """What comes from now on is in this format."""
        if kind != self._decoder.kind:
            self._decoder = SoundIn(kind)

    def append(self, audio: str) -> None:
        """More sound, base64.

        :raises ValueError: if it is not base64, or more than can wait.
        """
        data = unwrapped(audio)
        sound_s = len(data) / self._decoder.second
        if self._waiting_s + sound_s > MOST_S:
            raise ValueError(f"more than {MOST_S:g} s of sound wait to be heard; send it as it is recorded")
        self.since_mark_s += sound_s
        self._waiting_s += sound_s
        self._waiting.append((self._decoder, data))
        self._more.set()

    def mark(self, reached: Mark) -> None:
        """Do this when all sound before it was heard, and hear nothing more before it is done.

        :raises ValueError: if too many marks wait.
        """
        self.follow(reached)
        self.since_mark_s = 0.0

    def follow(self, reached: Mark) -> None:
        """The same, for what belongs to the mark before.

        :raises ValueError: if too many marks wait.
        """
        if self._marks >= MOST_MARKS:
            raise ValueError(f"more than {MOST_MARKS} turns wait to be heard")
        self._marks += 1
        self._waiting.append(reached)
        self._more.set()

    @property
    def marked(self) -> bool:
        """A mark is waiting, or is being done."""
        return bool(self._marks)

    def clear(self) -> None:
        """Forget the sound that was not heard yet."""
        self.since_mark_s = self._waiting_s = 0.0
        self._waiting = deque(each for each in self._waiting if callable(each))

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._more.set()

    async def chunks(self) -> AsyncIterator[AudioChunk]:
        """The sound, in pieces between which others get the loop."""
        pts = 0
        while True:
            while self._waiting:
                part = self._waiting.popleft()
                if callable(part):
                    await part()
                    self._marks -= 1
                    continue
                decoder, data = part
                self._waiting_s = max(0.0, self._waiting_s - len(data) / decoder.second)
                size = round(PIECE_S * decoder.second)
                for begins in range(0, len(data), size):
                    pcm = decoder(data[begins : begins + size])
                    yield AudioChunk(pcm, pts)
                    pts += len(pcm)
                    await asyncio.sleep(0)
            if self._ended:
                return
            self._more.clear()
            await self._more.wait()
