"""Whose events reach the one voice's machine, and the turns of those whose do not.

One agent has one mouth, so one person at a time has its ear: whoever began to speak while nobody else did, or may
interrupt it. Everybody else is heard beside that: a machine that never answers makes turns of what they say, which
enter the history as any other, under their names; whether such a turn is answered, and when, is `agent.conversation`'s.
Pure, like the machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from agent.events import Commit, Discard, Event, Interruption, SpeechStarted
from agent.machine import Machine, Phase

HEARS = frozenset({Phase.HEARING, Phase.PAUSED, Phase.YIELDING})
"""phases in which the voice's machine is about one person"""
EARLY_S = 0.001
"""by which a timer may go off too soon"""


@dataclass(slots=True)
class Ear:
    """Where one person's events go."""

    utterance: int
    """of the newest speech"""
    machine: Machine


class Floor:
    """The machines of one conversation.

    :param voice: the agent's.
    :param may_interrupt: whether this person's voice may, whatever it says.
    :param answered: whom the agent is answering, or has answered last.
    """

    def __init__(self, voice: Machine, may_interrupt: Callable[[str], bool], answered: Callable[[], str]) -> None:
        self.voice = voice
        self._may_interrupt = may_interrupt
        self._answered = answered
        self._ears: dict[str, Ear] = {}
        self._beside: dict[str, Machine] = {}

    @property
    def machines(self) -> Iterator[Machine]:
        """All of them, the voice's first."""
        yield self.voice
        yield from self._beside.values()

    @property
    def deadline(self) -> float | None:
        """`loop.time()` at which one of them wants to be handed `Deadline`."""
        if not self._beside:
            return self.voice.deadline
        return min((each.deadline for each in self.machines if each.deadline is not None), default=None)

    def due(self, now: float) -> list[Machine]:
        """Those that want it now; the first, if none of them does."""
        if not self._beside:
            return [self.voice]
        return [each for each in self.machines if each.deadline is not None and each.deadline <= now + EARLY_S]

    def takes(self, event: Event) -> Machine:
        """The machine that this concerns."""
        speaker: str = getattr(event, "speaker", "")
        if not speaker:
            return self.voice
        ear = self._ears.get(speaker)
        if isinstance(event, SpeechStarted):
            if ear is None or ear.utterance != event.utterance:
                ear = self._ears[speaker] = Ear(event.utterance, self._choose(speaker))
        elif isinstance(event, Commit | Discard) and ear is None:
            return self.voice
        return ear.machine if ear is not None else self.voice

    def hears(self, speaker: str) -> Machine | None:
        """The machine that hears this person, or will."""
        ear = self._ears.get(speaker)
        return ear.machine if ear is not None and ear.machine.speaker == speaker else None

    def leave(self, speaker: str) -> None:
        """This person is gone, and so is what was not over."""
        self._ears.pop(speaker, None)
        self._beside.pop(speaker, None)

    def _choose(self, speaker: str) -> Machine:
        beside = self._beside.get(speaker)
        if beside is not None and (beside.floor or beside.phase is not Phase.IDLE):
            return beside
        return self.voice if self._has_floor(speaker) else self._heard_beside(speaker)

    def _has_floor(self, speaker: str) -> bool:
        """Whether the voice's machine is free for this person."""
        voice = self.voice
        holder = voice.speaker if voice.phase in HEARS else voice.floor
        if holder:
            return holder == speaker
        match voice.phase:
            case Phase.THINKING:
                return self._answered() in ("", speaker)
            case Phase.SPEAKING:
                return self._may_interrupt(speaker)
            case _:
                return True

    def _heard_beside(self, speaker: str) -> Machine:
        machine = self._beside.get(speaker)
        patience = replace(
            self.voice.patience,
            answers=False,
            manual=False,
            drafts=False,
            most_turn_s=0.0,
            reprompt_s=0.0,
            timeout_s=0.0,
        )
        if machine is None:
            machine = self._beside[speaker] = Machine(patience, interruption=Interruption.KEEP)
        machine.patience = patience
        return machine
