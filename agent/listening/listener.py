"""One participant's ear: sound in, speech and its text out. One loop, one task, whatever the phase."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import numpy as np

from agent.audio import EAR_RATE, F32, I16, AudioChunk, to_wave
from agent.engines.protocols import NoiseSuppressor, Recognizer, Vad
from agent.events import EndOfTurn, Event, HearingFailed, Partial, SpeechEnded, SpeechStarted, Transcript
from agent.listening.endpointing import Endpointing
from agent.listening.gate import Gate
from agent.listening.level import Leveller
from agent.listening.nearness import Nearness
from agent.listening.pauses import Detection, Pauses
from agent.listening.segmenter import END, PREFIX_MS, SPEECH_MS, Ended, Segmenter, Started
from agent.listening.slots import Slots
from agent.listening.suppression import Suppression
from agent.listening.transcriber import Transcriber, Urgency

GAP_LIMIT_S = 2.0
"""A hole in the packets longer than this is filled with this much silence: enough to end any utterance."""
JOIN_S = 1.0
"""Speech that goes on within this time after a pause belongs to the same utterance, and is recognised as one."""
UTTERANCE_LIMIT_S = 60.0
"""An utterance keeps at most this much sound; of a longer one, the beginning is forgotten."""
PART_S = 5.0
"""Sound of an utterance from which it is cut at its next pause, so that its beginning is not decoded again and again;
shorter pieces would lose context that the recogniser hears by."""
TURN_GAP_S = 5.0
"""Speech after a longer pause has nothing to do with what was said before, turn or not."""
DIP_DB = 25.0
"""A window so far below the voice is no speech, whatever the detector says: it lags by 66 ms (median of 17 clips)."""
LAG_S = 0.25
"""A detector that goes on hearing speech for longer than that is right: it is a quieter voice."""
DIP_MS = 64
"""Silence, two windows, after which what was said is decoded on suspicion: a stop consonant is silent for less. With
one window half of the answers come 10 to 30 ms sooner, and the slowest tenth 70 to 120 later, behind wasted decodes."""
PAUSE_MS = 96
"""Silence after which it is decoded even beside an earlier decode that has been overtaken."""
PARTIAL_S = 0.55
"""Between two decodes of speech that does not pause."""
EAGER_FIRST_S, EAGER_S = 0.3, 0.25
"""Speech after which words are looked for while the agent speaks, and new speech until they are looked for again."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """The models that a listener hears with."""

    vad: Vad
    asr: Recognizer
    slots: Slots
    """where the recogniser runs"""
    detection: Detection | None
    """None: pauses are only timed"""
    noise: NoiseSuppressor | None = None
    """takes noise out before all of them; None: they hear what came"""


@dataclass(frozen=True, slots=True)
class Ears:
    """How one participant is listened to."""

    pause_ms: int
    """silence after which `SpeechEnded` is posted"""
    language: str | None
    """ISO 639-1, or None to detect it in each utterance"""
    partials: bool = True
    """recognise while the person speaks"""


class Listener:
    """Hears one participant.

    :param post: takes `SpeechStarted`, `SpeechEnded`, `EndOfTurn`, `Partial`, `Transcript` and `HearingFailed`.
    :param overlapped: whether the agent is audible, so that speech is an interruption or nothing.
    :param utterances: numbers for them, each used once; those of several listeners are told apart by it.
    """

    def __init__(
        self,
        speaker: str,
        hearing: Hearing,
        ears: Ears,
        endpointing: Endpointing,
        post: Callable[[Event], None],
        overlapped: Callable[[], bool],
        utterances: Iterator[int] | None = None,
    ) -> None:
        self._numbers = itertools.count(1) if utterances is None else utterances
        self.speaker = speaker
        self._ears = ears
        self._post = post
        self._overlapped = overlapped
        self._vad = Gate(hearing.vad.stream())
        self._window = hearing.vad.window
        self._segmenter = Segmenter(window=self._window, pause_ms=ears.pause_ms)
        self._leveller = Leveller()
        self._nearness = Nearness()
        self._transcriber = Transcriber(hearing.asr, hearing.slots, ears.language, self._recognised)
        self._endpointing = endpointing
        self._pauses = Pauses(hearing.detection, endpointing, self._window, self._judged)
        self._suppression = None if hearing.noise is None else Suppression(hearing.noise)
        self._pending: I16 = np.zeros(0, np.int16)
        self._next_pts: int | None = None
        self._position = 0  # media time up to which all was heard, in samples at EAR_RATE
        prefix_s = (PREFIX_MS + SPEECH_MS) / 1000
        self._prefix: deque[F32] = deque(maxlen=round(prefix_s * EAR_RATE / self._window) + 1)
        self._audio: deque[F32] = deque(maxlen=round(UTTERANCE_LIMIT_S * EAR_RATE / self._window))
        self._utterance = 0
        self._said: dict[int, str] = {}  # texts of the turn's earlier utterances
        self._speaking = False
        self._ended: int | None = None  # position of the end of the last utterance, unless it was sealed
        self._group: asyncio.TaskGroup | None = None
        self._sounded = 0  # position of the end of the last window that sounded like speech
        self._final = 0  # the same, at the end of the last utterance
        self._decoded_at = 0  # position at which a decode of unpaused speech was last asked for

    async def run(self, chunks: AsyncIterator[AudioChunk]) -> None:
        """Listen until the chunks end."""
        async with asyncio.TaskGroup() as self._group:
            async for chunk in chunks:
                for window in self._windows(chunk):
                    self._hear(window)

    def seal(self) -> None:
        """What was said until now is one turn; what follows is another."""
        self._audio.clear()
        self._said.clear()
        self._pauses.forget()
        self._transcriber.begin()
        self._ended = None
        if self._speaking:
            self._utterance = next(self._numbers)

    def completed(self, probability: float) -> None:
        """Whether what was said so far reads like a complete message, 0..1: one more witness of the pause."""
        self._pauses.completed(probability)

    def expect(self, language: str | None) -> None:
        """What is said from now on is in this language, ISO 639-1; None: find out."""
        self._transcriber.language_spoken = language

    def be_patient(self, sure_ms: int, endpointing_ms: int, limit_ms: int) -> None:
        """Wait so long for the end of a turn from now on (`Endpointing`)."""
        self._endpointing.set(sure_ms=sure_ms, endpointing_ms=endpointing_ms, limit_ms=limit_ms)

    @property
    def undecided(self) -> bool:
        """It is open whether the present pause is the end of the turn, and words may tell."""
        return self._pauses.undecided

    def finish(self) -> None:
        """The person has let go of the button: what was said until now is all, however short the pause."""
        if self._group is not None and (ended := self._segmenter.finish()) is not None:
            self._end(ended.at_s)
        self._prefix.clear()  # what is said next does not begin with the end of this

    @property
    def heard_s(self) -> float:
        """How much was heard so far, media s."""
        return self._now

    # -- sound -----------------------------------------------------------------------------------------------

    def _windows(self, chunk: AudioChunk) -> list[F32]:
        """The chunk as whole VAD windows at EAR_RATE; what is lost before it is silence."""
        pcm = chunk.pcm
        if self._next_pts is not None and chunk.pts > self._next_pts:
            gap = chunk.pts - self._next_pts
            filled = min(gap, round(GAP_LIMIT_S * EAR_RATE))
            self._position += gap - filled
            pcm = np.concatenate([np.zeros(filled, np.int16), pcm])
        self._next_pts = chunk.pts + len(chunk.pcm)
        if self._suppression is not None:
            pcm = self._suppression(pcm)
        heard = np.concatenate([self._pending, pcm])
        whole = len(heard) // self._window * self._window
        self._pending = heard[whole:]
        return [to_wave(window) for window in heard[:whole].reshape(-1, self._window)]

    def _hear(self, window: F32) -> None:
        begins, self._position = self._position, self._position + self._window
        probability = self._vad(window, self._leveller(window))
        overlapped = self._overlapped()
        if not self._nearness(window, probability, learn=not overlapped) and overlapped:
            probability = 0.0
        if probability >= END and self._leveller.fallen_db < DIP_DB:
            self._sounded = self._position
        self._prefix.append(window)
        if self._speaking or self._joins():
            self._audio.append(window)
        if self._speaking or self._ended is not None:
            self._pauses.hear(window)
        if probability >= END and not self._speaking and self._ended is not None:
            self._pauses.stir(self._since_end_s)
        match self._segmenter(begins, probability):
            case Started(at_s=at):
                self._start(at)
            case Ended(at_s=at):
                self._end(at)
            case None:
                self._between(overlapped)

    def _between(self, overlapped: bool) -> None:
        """Nothing begins and nothing ends; but something may be known sooner."""
        if not self._speaking:
            self._pauses.grow(self._final, self._position, self._tasks())
            return
        self._pauses.grow(self._until, self._position, self._tasks())
        silence_ms = (self._position - self._until) * 1000 // EAR_RATE
        if silence_ms >= DIP_MS or self._position > self._segmenter.until:
            self._decode(Urgency.PAUSE if silence_ms >= PAUSE_MS else Urgency.DIP)
        elif self._ears.partials:
            spoken_s = (self._position - self._decoded_at) / EAR_RATE
            if spoken_s >= (EAGER_S if overlapped else PARTIAL_S) and not self._transcriber.busy:
                self._decode(Urgency.DIP if overlapped else Urgency.PARTIAL)

    @property
    def _now(self) -> float:
        """Media time, s."""
        return self._position / EAR_RATE

    @property
    def _since_end_s(self) -> float:
        """Media time since the last utterance ended, s; infinite if a turn's end lies between."""
        return float("inf") if self._ended is None else (self._position - self._ended) / EAR_RATE

    @property
    def _until(self) -> int:
        """Position at which the speech so far ended, if it has ended."""
        heard = self._segmenter.until
        return self._sounded if heard - self._sounded <= LAG_S * EAR_RATE else heard

    def _joins(self) -> bool:
        """Whether speech that begins now would go on with the last utterance."""
        if self._ended is None:
            return False
        return self._since_end_s < JOIN_S or not self._transcriber.knows(self._final)

    def _tasks(self) -> asyncio.TaskGroup:
        assert self._group is not None, "run() is not running"
        return self._group

    # -- speech ----------------------------------------------------------------------------------------------

    def _start(self, at: float) -> None:
        if self._since_end_s >= TURN_GAP_S:
            self._said.clear()
            self._pauses.forget()
        if not self._joins():
            self._said[self._utterance] = self._transcriber.text
            self._utterance = next(self._numbers)
            self._transcriber.begin()
            self._audio.clear()
            self._audio.extend(self._prefix)
        elif len(self._audio) * self._window > PART_S * EAR_RATE and self._transcriber.knows(self._final):
            since = (self._position - (self._ended or 0)) // self._window
            self._transcriber.cut()
            self._audio.clear()
            self._audio.extend(list(self._prefix)[-since:])
        if self._ended is None:
            for window in self._prefix:
                self._pauses.hear(window)
        self._pauses.went_on(None if self._ended is None else at - self._ended / EAR_RATE)
        self._speaking = True
        first_s = EAGER_S - EAGER_FIRST_S + SPEECH_MS / 1000 if self._overlapped() else 0.0
        self._decoded_at = self._position - round(first_s * EAR_RATE)
        self._post(SpeechStarted(self.speaker, self._utterance, at))

    def _end(self, at: float) -> None:
        self._speaking = False
        self._ended, self._final = round(at * EAR_RATE), self._until
        self._post(SpeechEnded(self.speaker, self._utterance, at, age_s=self._now - at))
        self._pauses.began(self._final)
        self._pauses.grow(self._final, self._position, self._tasks())
        if self._transcriber.knows(self._final):
            self._tell()
        else:
            self._decode(Urgency.FINAL)

    # -- words -----------------------------------------------------------------------------------------------

    def _decode(self, urgency: Urgency) -> None:
        self._decoded_at = self._position
        self._transcriber.decode(self._wave, self._until if self._speaking else self._final, urgency, self._tasks())

    def _wave(self) -> F32:
        return np.concatenate(list(self._audio)) if self._audio else np.zeros(0, np.float32)

    def _recognised(self, until: int, failure: Exception | None) -> None:
        if self._speaking:
            if failure is None:
                self._post(Partial(self.speaker, self._utterance, self._transcriber.text))
        elif until == self._final:
            if failure is None:
                self._tell()
            else:
                self._post(HearingFailed(self.speaker, self._utterance, str(failure)))

    def _tell(self) -> None:
        """All that was said up to the pause is known."""
        text, language = self._transcriber.text, self._transcriber.language
        said = " ".join(part for part in (*self._said.values(), text) if part)
        self._pauses.read(said, language, self._transcriber.stop)
        self._post(Transcript(self.speaker, self._utterance, text, language))

    def _judged(self, wait_s: float) -> None:
        self._post(EndOfTurn(self.speaker, self._utterance, wait_s))
