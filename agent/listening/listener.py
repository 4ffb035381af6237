"""One participant's ear: sound in, speech and its text out. One loop, one task, whatever the phase."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from agent.audio import EAR_RATE, F32, I16, WIRE_RATE, AudioChunk, Resampler, to_wave
from agent.engines.protocols import Recognizer, Vad
from agent.engines.threads import call
from agent.events import Event, HearingFailed, SpeechEnded, SpeechStarted, Transcript
from agent.listening.gate import Gate
from agent.listening.level import Leveller
from agent.listening.segmenter import PREFIX_MS, SPEECH_MS, Ended, Segmenter, Started

GAP_LIMIT_S = 2.0
"""A hole in the packets longer than this is filled with this much silence: enough to end any utterance."""
JOIN_S = 1.0
"""Speech that goes on within this time after a pause belongs to the same utterance, and is recognised as one."""
UTTERANCE_LIMIT_S = 60.0
"""An utterance keeps at most this much sound; of a longer one, the beginning is forgotten."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """The models that a listener hears with."""

    vad: Vad
    asr: Recognizer
    threads: Executor
    """where the recogniser runs"""


class Listener:
    """Hears one participant.

    :param post: takes `SpeechStarted`, `SpeechEnded`, `Transcript` and `HearingFailed`.
    :param pause_ms: silence after which `SpeechEnded` is posted.
    :param language: ISO 639-1, or None to detect it in each utterance.
    """

    def __init__(
        self,
        speaker: str,
        hearing: Hearing,
        post: Callable[[Event], None],
        *,
        pause_ms: int,
        language: str | None,
    ) -> None:
        self.speaker = speaker
        self.language = language
        self._hearing = hearing
        self._post = post
        self._vad = Gate(hearing.vad.stream())
        self._window = hearing.vad.window
        self._segmenter = Segmenter(window=self._window, pause_ms=pause_ms)
        self._leveller = Leveller()
        self._resampler = Resampler(WIRE_RATE, EAR_RATE)
        self._pending: I16 = np.zeros(0, np.int16)
        self._next_pts: int | None = None
        self._position = 0  # media time up to which all was heard, in samples at EAR_RATE
        prefix_s = (PREFIX_MS + SPEECH_MS) / 1000
        self._prefix: deque[F32] = deque(maxlen=round(prefix_s * EAR_RATE / self._window) + 1)
        self._audio: deque[F32] = deque(maxlen=round(UTTERANCE_LIMIT_S * EAR_RATE / self._window))
        self._utterance = 0
        self._speaking = False
        self._ended_at = float("-inf")
        self._decode: asyncio.Task[None] | None = None

    async def run(self, chunks: AsyncIterator[AudioChunk]) -> None:
        """Listen until the chunks end."""
        async with asyncio.TaskGroup() as group:
            async for chunk in chunks:
                for window in self._windows(chunk):
                    self._hear(window, group)

    def seal(self) -> None:
        """What was said until now is one utterance; what follows is another."""
        self._audio.clear()
        self._ended_at = float("-inf")
        if self._speaking:
            self._utterance += 1

    # -- sound -----------------------------------------------------------------------------------------------

    def _windows(self, chunk: AudioChunk) -> list[F32]:
        """The chunk as whole VAD windows at EAR_RATE; what is lost before it is silence."""
        pcm = chunk.pcm
        if self._next_pts is not None and chunk.pts > self._next_pts:
            gap = chunk.pts - self._next_pts
            filled = min(gap, round(GAP_LIMIT_S * WIRE_RATE))
            self._position += (gap - filled) * EAR_RATE // WIRE_RATE
            pcm = np.concatenate([np.zeros(filled, np.int16), pcm])
        self._next_pts = chunk.pts + len(chunk.pcm)
        heard = np.concatenate([self._pending, self._resampler(pcm)])
        whole = len(heard) // self._window * self._window
        self._pending = heard[whole:]
        return [to_wave(window) for window in heard[:whole].reshape(-1, self._window)]

    def _hear(self, window: F32, group: asyncio.TaskGroup) -> None:
        begins, self._position = self._position, self._position + self._window
        probability = self._vad(window, self._leveller(window))
        self._prefix.append(window)
        if self._speaking or self._now - self._ended_at < JOIN_S:
            self._audio.append(window)
        match self._segmenter(begins, probability):
            case Started(at_s=at):
                self._start(at)
            case Ended(at_s=at):
                self._end(at, group)
            case None:
                pass

    @property
    def _now(self) -> float:
        """Media time, s."""
        return self._position / EAR_RATE

    # -- speech ----------------------------------------------------------------------------------------------

    def _start(self, at: float) -> None:
        if self._now - self._ended_at >= JOIN_S:
            self._utterance += 1
            self._audio.clear()
            self._audio.extend(self._prefix)
        elif self._decode is not None:
            self._decode.cancel()  # the utterance goes on: its text so far is not wanted any more
        self._speaking = True
        self._post(SpeechStarted(self.speaker, self._utterance, at))

    def _end(self, at: float, group: asyncio.TaskGroup) -> None:
        self._speaking = False
        self._ended_at = at
        self._post(SpeechEnded(self.speaker, self._utterance, at, age_s=self._now - at))
        wave = np.concatenate(list(self._audio)) if self._audio else np.zeros(0, np.float32)
        self._decode = group.create_task(self._recognise(self._utterance, wave))

    async def _recognise(self, utterance: int, wave: F32) -> None:
        try:
            found = await call(
                self._hearing.threads,
                lambda: self._hearing.asr.transcribe(wave, language=self.language, prompt=""),
            )
        except Exception as error:  # whatever a model raises, the caller hears that it went wrong
            self._post(HearingFailed(self.speaker, utterance, str(error)))
        else:
            self._post(Transcript(self.speaker, utterance, found.text, found.language))
