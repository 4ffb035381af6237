"""What an engine is: one to three methods per seam.

Engines are plain: blocking functions and plain generators. Threads, cancellation and back-pressure are
`agent.engines.threads`' business, so that an engine's author needs to know neither asyncio nor WebRTC. An
engine's settings are its constructor's typed keyword arguments. ``threads`` among them is given by the rule
in `agent.engines.cores` unless the user set it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from agent.audio import F32, I16


class VadStream(Protocol):
    """Voice activity of one participant; keeps the model's state between calls."""

    def __call__(self, window: F32) -> float:
        """Float32 (Vad.window,) at EAR_RATE to the probability of speech, 0..1. Well under 1 ms."""
        ...


class Vad(Protocol):
    """A voice activity detector; one per process."""

    window: int
    """samples at EAR_RATE that one call takes"""

    def stream(self) -> VadStream:
        """A fresh state for one participant."""
        ...


class SuppressorStream(Protocol):
    """The noise of one participant; keeps what it has learnt of it between calls."""

    def __call__(self, pcm: I16) -> I16:
        """Int16 (k * NoiseSuppressor.frame,) at EAR_RATE to the same shape without the noise. Well under 1 ms for 20.

        What comes out may lag behind what went in by some milliseconds, always by the same.
        """
        ...


class NoiseSuppressor(Protocol):
    """Takes noise out of speech; one per process."""

    frame: int
    """samples at EAR_RATE; a call takes multiples of it"""

    def stream(self) -> SuppressorStream:
        """A fresh state for one participant."""
        ...


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What a recogniser believes was said."""

    text: str
    """"" if nothing was said"""
    language: str
    """ISO 639-1, "" if unknown"""
    stop: float | None = None
    """0..1, how likely a sentence ends where the sound does; None if the recogniser does not say"""


class Recognizer(Protocol):
    """A batch speech recogniser; one per process."""

    def knows(self, language: str) -> bool:
        """Whether it can be told to expect this language, ISO 639-1 or a tag like ``pt-BR``. Does not block."""
        ...

    def transcribe(self, wave: F32, *, language: str | None, prompt: str) -> Hypothesis:
        """Float32 (n,) at EAR_RATE, one utterance, to text. Blocks; called in a worker thread.

        :param language: ISO 639-1, or None to detect it.
        :param prompt: what was said before, as context for names and style; may be "".
        :raises EngineError: if the model failed.
        """
        ...


Task = Literal["transcribe", "translate"]
"""what is to be written: what was said, or the same in English"""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word, and when it was said."""

    text: str
    """with its punctuation, without spaces around it"""
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence or so of a transcript, and when it was said."""

    text: str
    start_s: float
    end_s: float
    words: tuple[TimedWord, ...] = ()
    """none where the recogniser can not tell"""
    tokens: tuple[int, ...] = ()
    """the recogniser's own names for its text; none where it has none"""
    logprob: float = 0.0
    """mean log-probability of the tokens"""
    no_speech: float = 0.0
    """probability that nobody spoke"""


@dataclass(frozen=True, slots=True)
class TimedHypothesis:
    """What a recogniser believes was said, and when."""

    segments: tuple[Segment, ...]
    """in order; times in s from the beginning of the sound"""
    language: str
    """ISO 639-1, "" if unknown: of what was said, translated or not"""


@runtime_checkable
class TimedRecognizer(Protocol):
    """What a `Recognizer` may be able to do besides."""

    def timed(self, wave: F32, *, language: str | None, prompt: str, task: Task) -> TimedHypothesis:
        """Float32 (n,) at EAR_RATE to text with the times of its sentences and words. Blocks.

        :param language: ISO 639-1 of what is said, or None to detect it.
        :param prompt: what was said before; may be "".
        :raises EngineError: if the model failed, or can not translate.
        :raises ModelMissing: if what it takes for this language or task is not on this machine.
        """
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A function that a model wants called, and that somebody else calls."""

    id: str
    name: str
    arguments: str
    """a JSON object"""


@dataclass(frozen=True, slots=True)
class CallDelta:
    """More of a call that is not complete yet; the first one may have no arguments."""

    id: str
    name: str
    arguments: str
    """what is new of them"""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the prompt."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[Call, ...] = ()
    """what an assistant wanted called after its text; a tool's message for each follows at once"""
    call_id: str = ""
    """of a tool: the call whose result ``text`` is"""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may want called."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None
    """JSON schema of its arguments; None for a function without any"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a reply may be."""

    tools: tuple[Tool, ...] = ()
    choice: Literal["auto", "none", "required"] = "auto"
    """whether one of them may, must not or must be called"""
    only: str = ""
    """the name of the one that must be called, whatever ``choice`` says"""
    most_tokens: int | None = None
    """the longest reply; None for as long as the model was set to. The shorter of the two counts"""


ANY = Scope()
"""Text, as long as the model was set to."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a server says that a request took; 0 where it does not tell."""

    prompt_tokens: int = 0
    """of the whole prompt"""
    cached_tokens: int = 0
    """of them, found in the server's cache"""
    tokens: int = 0
    """of the reply"""


@dataclass(frozen=True, slots=True)
class Ending:
    """The last piece of a reply."""

    short: Literal["max_output_tokens", "content_filter"] | None = None
    """why there is less of it than there would be"""
    usage: Usage = Usage()


Piece = str | CallDelta | Call | Ending
"""Of a reply: more text; more of a call, its whole when it is complete; the end. Text comes before the first call."""


class LanguageModel(Protocol):
    """A chat model behind an OpenAI-compatible server."""

    async def run(self) -> None:
        """Keep alive what the model needs (a child process, or nothing) until cancelled."""
        ...

    async def warm(self, messages: Sequence[Message]) -> None:
        """Wait until the model answers and has read this prefix once.

        :raises EngineError: if it can not be reached; the message has the address and the remedy.
        """
        ...

    async def prefill(self, messages: Sequence[Message], scope: Scope = ANY) -> None:
        """Read a prompt ahead, so that `reply` to one that begins alike is quicker; the last message may still grow.

        Best effort: returns at once where it would cost money or gain nothing, and never raises for the model.
        """
        ...

    async def ends(self, messages: Sequence[Message]) -> float | None:
        """The probability that the last message, the user's, is complete as it stands, 0..1; None if that can not be
        told at once. Reads the prompt as `prefill` does, so that `reply` after it is quicker. Never raises for the
        model.
        """
        ...

    def reply(self, messages: Sequence[Message], scope: Scope = ANY) -> AsyncGenerator[Piece, None]:
        """What is generated, as it is; an `Ending` is the last of it. Closing the generator stops the generation.

        :raises EngineError: if the server refuses, breaks off, or sends nothing for too long.
        """
        ...


class TurnDetector(Protocol):
    """Judges by the sound whether a person has finished; one per process."""

    seconds: float
    """how much of the sound it looks at, from the end"""

    def finished(self, wave: F32) -> float:
        """Float32 (n,) at EAR_RATE, a turn so far up to now, to the probability that it is over, 0..1.

        Blocks; called in a worker thread.

        :raises EngineError: if the model failed.
        """
        ...


class Synthesizer(Protocol):
    """Text to speech; one per process."""

    rate: int
    """Hz of what `speak` yields"""
    languages: frozenset[str]
    """ISO 639-1 codes it can speak"""
    voices: tuple[str, ...]
    """names of voices that a client may ask for"""

    def speak(self, text: str, *, voice: str, language: str, speed: float = 1.0) -> Iterator[I16]:
        """Int16 (n,) mono chunks at ``rate``, the first as early as possible. "" yields nothing.

        :param voice: a name that the engine knows; any other, and "", means its own.
        :param speed: 1.0 is the voice's own pace; best effort.

        Runs in a worker thread, which stops at its next ``yield`` when the listener was interrupted: yield at
        least every 100 ms of work.

        :raises EngineError: if the model failed.
        """
        ...
