"""The ear: when it decodes, what it tells, and what it forgets. The recogniser says how much it was given."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

from agent.audio import EAR_RATE, F32, I16, AudioChunk
from agent.engines.protocols import Hypothesis
from agent.engines.threads import pool
from agent.events import Event, HearingFailed, Partial, SpeechEnded, SpeechStarted, Transcript
from agent.listening.endpointing import Endpointing
from agent.listening.listener import PART_S, Ears, Hearing, Listener
from agent.listening.slots import Slots


class LevelVad:
    """Loud is speech."""

    window = 512

    def stream(self) -> Callable[[F32], float]:
        return lambda window: 0.9 if float(np.abs(window).max()) > 0.02 else 0.01


@dataclass
class CountingAsr:
    """Says how many tenths of a second it was given, and what it was told before."""

    given: list[float] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    fails: bool = False

    def knows(self, language: str) -> bool:
        return language == "en"

    def transcribe(self, wave: F32, *, language: str | None, prompt: str) -> Hypothesis:
        self.given.append(len(wave) / EAR_RATE)
        self.prompts.append(prompt)
        self.gate.wait(5.0)
        if self.fails:
            raise RuntimeError("broken")
        return Hypothesis(f"w{len(self.given)}", "en")


@dataclass
class Person:
    """Somebody who makes sound, and what the listener told of it."""

    chunks: asyncio.Queue[AudioChunk | None]
    events: list[Event]
    listener: Listener
    asr: CountingAsr
    overlapped: list[bool]
    pts: int = 0

    async def speak(self, seconds: float) -> None:
        """A loud tone with the level of speech."""
        t = np.arange(round(seconds * EAR_RATE)) / EAR_RATE
        await self._sound((8000 * np.sin(2 * np.pi * 300 * t)).astype(np.int16))

    async def pause(self, seconds: float) -> None:
        """Silence, but for the last bit."""
        await self._sound(np.ones(round(seconds * EAR_RATE), np.int16))

    async def _sound(self, pcm: I16) -> None:
        for start in range(0, len(pcm), 320):
            self.chunks.put_nowait(AudioChunk(pcm[start : start + 320], self.pts))
            self.pts += len(pcm[start : start + 320])
            for _ in range(3):
                await asyncio.sleep(0)

    async def settle(self) -> None:
        """Let what was asked for be answered."""
        for _ in range(40):
            await asyncio.sleep(0.002)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    executor = pool("asr", 2)
    yield executor
    executor.shutdown(wait=True)


@pytest.fixture
async def person(threads: ThreadPoolExecutor) -> AsyncIterator[Person]:
    chunks: asyncio.Queue[AudioChunk | None] = asyncio.Queue()
    events: list[Event] = []
    overlapped = [False]
    asr = CountingAsr()
    asr.gate.set()
    hearing = Hearing(LevelVad(), asr, Slots(threads, 2), None)
    ears = Ears(pause_ms=96, language="en")
    listener = Listener("ann", hearing, ears, Endpointing(), events.append, lambda: overlapped[0])

    async def stream() -> AsyncIterator[AudioChunk]:
        while (chunk := await chunks.get()) is not None:
            yield chunk

    async with asyncio.TaskGroup() as group:
        group.create_task(listener.run(stream()))
        await asyncio.sleep(0)
        yield Person(chunks, events, listener, asr, overlapped)
        chunks.put_nowait(None)


async def test_the_text_is_asked_for_at_the_first_sign_of_a_pause_and_only_once(person: Person) -> None:
    await person.speak(0.6)
    await person.pause(0.06)
    await person.settle()
    assert len(person.asr.given) == 1, "before the pause is noticed"
    assert not person.of(SpeechEnded)
    await person.pause(0.3)
    await person.settle()
    assert len(person.asr.given) == 1
    assert [type(event) for event in person.events] == [SpeechStarted, Partial, SpeechEnded, Transcript]
    assert person.events[-1] == Transcript("ann", 1, "w1", "en")


async def test_a_dip_in_speech_makes_a_partial_and_the_end_is_decoded_again(person: Person) -> None:
    await person.speak(0.6)
    await person.pause(0.09)
    await person.settle()
    await person.speak(0.4)
    await person.pause(0.09)
    await person.settle()
    await person.pause(0.3)
    assert [type(event) for event in person.events] == [SpeechStarted, Partial, Partial, SpeechEnded, Transcript]
    assert person.asr.given[1] > person.asr.given[0] + 0.3


async def test_speech_after_a_pause_goes_on_with_the_utterance(person: Person) -> None:
    await person.speak(0.6)
    await person.pause(0.5)
    await person.speak(0.6)
    await person.pause(0.5)
    await person.settle()
    assert {event.utterance for event in person.of(SpeechStarted)} == {1}  # type: ignore[union-attr]
    assert person.asr.given[-1] > 1.7
    assert len(person.of(Transcript)) == 2


async def test_speech_after_a_long_pause_is_another_utterance(person: Person) -> None:
    await person.speak(0.6)
    await person.pause(1.5)
    await person.speak(0.6)
    await person.pause(0.3)
    await person.settle()
    assert [event.utterance for event in person.of(SpeechStarted)] == [1, 2]  # type: ignore[union-attr]
    assert person.asr.given[-1] < 1.3


async def test_an_utterance_that_is_not_understood_yet_is_not_left_behind(person: Person) -> None:
    """The recogniser is slower than a long pause: what follows is heard together with what came before."""
    person.asr.gate.clear()
    await person.speak(0.6)
    await person.pause(1.5)
    await person.speak(0.6)
    await person.pause(0.3)
    person.asr.gate.set()
    await person.settle()
    assert {event.utterance for event in person.of(SpeechStarted)} == {1}  # type: ignore[union-attr]
    assert person.asr.given[-1] > 2.5
    assert len(person.of(Transcript)) == 1


async def test_a_monologue_is_not_decoded_from_its_beginning_at_every_pause(person: Person) -> None:
    for _ in range(6):
        await person.speak(3.0)
        await person.pause(0.4)
        await person.settle()
    assert max(person.asr.given) < PART_S + 4.5
    assert person.asr.prompts[-1], "what came before is told to the recogniser"
    last = person.of(Transcript)[-1]
    assert isinstance(last, Transcript)
    assert len(last.text.split()) >= 2, "and is in the text: settled parts, and the newest"
    assert {event.utterance for event in person.of(SpeechStarted)} == {1}  # type: ignore[union-attr]


async def test_words_are_looked_for_early_while_the_agent_speaks(person: Person) -> None:
    person.overlapped[0] = True
    await person.speak(0.5)
    await person.settle()
    assert person.of(Partial)
    assert person.asr.given[0] < 0.8


async def test_a_turn_that_was_closed_is_not_heard_of_again(person: Person) -> None:
    person.asr.gate.clear()
    await person.speak(0.6)
    await person.pause(0.06)
    person.listener.seal()
    person.asr.gate.set()
    await person.speak(0.6)
    await person.pause(0.3)
    await person.settle()
    texts = person.of(Transcript)
    assert [event.utterance for event in texts] == [2]  # type: ignore[union-attr]
    assert person.asr.given[-1] < 0.9


async def test_a_recogniser_that_fails_is_reported_once(person: Person) -> None:
    person.asr.fails = True
    await person.speak(0.6)
    await person.pause(0.4)
    await person.settle()
    assert len(person.of(HearingFailed)) == 1
    assert not person.of(Transcript)


async def test_letting_go_of_the_button_ends_the_utterance_at_once(person: Person) -> None:
    await person.speak(0.6)
    person.listener.finish()
    assert person.of(SpeechEnded)
    await person.settle()
    assert person.of(Transcript)


async def test_a_quieter_voice_behind_the_person_does_not_interrupt(person: Person) -> None:
    await person.speak(1.5)
    await person.pause(1.5)
    heard = len(person.of(SpeechStarted))
    person.overlapped[0] = True
    t = np.arange(EAR_RATE) / EAR_RATE
    await person._sound((8000 * 0.18 * np.sin(2 * np.pi * 300 * t)).astype(np.int16))  # 15 dB below
    assert len(person.of(SpeechStarted)) == heard
    await person.speak(0.5)
    assert len(person.of(SpeechStarted)) == heard + 1
