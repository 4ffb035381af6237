"""One participant's words: an utterance is recognised again and again as it grows.

Whenever the voice dips, what was said so far is decoded, because the dip may be the pause that ends the turn: the
text is then there before the pause was even noticed. While a voice does not dip, it is decoded now and then if nobody
else needs the recogniser. An utterance that has become long is cut at a pause, and what lies before is not decoded
again: a monologue's last words are as quick as a short question's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from agent.audio import F32
from agent.engines.protocols import Hypothesis, Recognizer
from agent.errors import EngineError, discreet
from agent.listening.slots import Slots

log = logging.getLogger(__name__)

AT_ONCE = 2
"""decodes of one participant: one that has been overtaken by more speech, and its successor"""
PROMPT_CHARS = 200
"""of the part before that the recogniser is told"""


class Urgency(IntEnum):
    """How much a text is wanted."""

    PARTIAL = 0
    """if nobody else needs the recogniser"""
    DIP = 1
    """it may turn out to be all"""
    PAUSE = 2
    """it probably is"""
    FINAL = 3
    """somebody waits for it"""


@dataclass(slots=True)
class Decode:
    """One decode in progress."""

    until: int
    urgency: Urgency
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Utterance:
    """What is known of the utterance in progress."""

    parts: list[str] = field(default_factory=list)
    """texts of what was cut off and is not decoded again"""
    until: int = -1
    """position, in samples at EAR_RATE, up to which speech is recognised"""
    text: str = ""
    """of what follows the parts"""
    language: str = ""
    stop: float | None = None
    """how likely a sentence ends there (`Hypothesis`)"""
    decodes: list[Decode] = field(default_factory=list)

    @property
    def whole(self) -> str:
        """All that was recognised."""
        return " ".join(text for text in (*self.parts, self.text) if text)


class Transcriber:
    """Recognises one participant.

    :param language: ISO 639-1 that is spoken, or None to detect it in each utterance; may change at any time.
    :param report: called with the position up to which speech is now recognised; or with the exception that a
        recogniser raised instead.
    """

    def __init__(
        self, asr: Recognizer, slots: Slots, language: str | None, report: Callable[[int, Exception | None], None]
    ) -> None:
        self._asr = asr
        self._slots = slots
        self.language_spoken = language
        self._report = report
        self._utterance = Utterance()

    @property
    def text(self) -> str:
        """What was recognised of the utterance so far."""
        return self._utterance.whole

    @property
    def language(self) -> str:
        """ISO 639-1 of it, "" if unknown."""
        return self._utterance.language

    @property
    def stop(self) -> float | None:
        """0..1, how likely a sentence ends where it does so far; None if unknown."""
        return self._utterance.stop

    def knows(self, until: int) -> bool:
        """Whether the speech up to this position is recognised."""
        return self._utterance.until == until

    @property
    def busy(self) -> bool:
        """A decode of this participant's is in progress."""
        return bool(self._utterance.decodes)

    def begin(self) -> None:
        """A new utterance; nothing of the one before is reported any more."""
        for decode in self._utterance.decodes:
            if decode.task is not None:
                decode.task.cancel()
        self._utterance = Utterance()

    def cut(self) -> None:
        """What is recognised is settled; from now on only what follows is heard."""
        utterance = self._utterance
        utterance.parts.append(utterance.text)
        utterance.text = ""
        for decode in utterance.decodes:
            if decode.task is not None:
                decode.task.cancel()

    def decode(self, wave: Callable[[], F32], until: int, urgency: Urgency, group: asyncio.TaskGroup) -> None:
        """Recognise the utterance up to this position, unless that is known, or about to be.

        :param wave: gives float32 (n,) at EAR_RATE, the sound since the last `cut`.
        """
        utterance = self._utterance
        if self.knows(until):
            return
        for decode in utterance.decodes:
            if decode.until == until:
                decode.urgency = max(decode.urgency, urgency)
                return
        if urgency is Urgency.PARTIAL and (utterance.decodes or not self._slots.idle):
            return
        if urgency is Urgency.DIP and utterance.decodes:
            return
        if urgency is Urgency.PAUSE and len(utterance.decodes) >= AT_ONCE:
            return
        decode = Decode(until, urgency)
        utterance.decodes.append(decode)
        decode.task = group.create_task(self._run(utterance, decode, wave()), name=f"decode until {until}")

    async def _run(self, utterance: Utterance, decode: Decode, wave: F32) -> None:
        prompt = " ".join(utterance.parts)[-PROMPT_CHARS:]
        failure: Exception | None = None
        try:
            found: Hypothesis = await self._slots.run(
                lambda: self._asr.transcribe(wave, language=self.language_spoken, prompt=prompt),
                lambda: decode.urgency is Urgency.FINAL,
            )
        except Exception as error:  # whatever a model raises, the caller hears that it went wrong
            log.error("hearing failed %s", discreet(error), exc_info=None if isinstance(error, EngineError) else error)
            failure = error
        finally:
            utterance.decodes.remove(decode)
        if decode.until < utterance.until:
            return  # overtaken by its successor
        if failure is None:
            utterance.until, utterance.text = decode.until, found.text
            utterance.language = found.language or utterance.language
            utterance.stop = found.stop
        elif decode.urgency is Urgency.FINAL:
            utterance.until = decode.until  # as much as will ever be known
        self._report(decode.until, failure)
