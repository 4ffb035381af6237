"""The people around one agent, as its conversation knows them: who is there, and to whom it speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.overlap import words
from agent.policies import OneToOne, Policy, Said, Scene, named, unnamed


class Company:
    """Who is there. In a call of one's own that is one person without a name.

    :param names: that the agent answers to.
    :param clock: `loop.time()`.
    :param several: there may be others, so that it matters what each is called.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        names: Sequence[str] = (),
        clock: Callable[[], float] = float,
        *,
        several: bool = False,
    ) -> None:
        self._policy = policy or OneToOne()
        self._names = names
        self._several = several
        self._clock = clock
        self._people: dict[str, str] = {}
        self._asking: set[str] = set()
        self._holding: set[str] = set()
        self.answered = ""
        """whom the agent answers, or has answered last, if nobody else has spoken since"""
        self._replying = False
        self._ended_at = 0.0

    def join(self, speaker: str, name: str) -> None:
        """Somebody is there."""
        self._people[speaker] = name if self._several else ""

    def leave(self, speaker: str) -> None:
        """Somebody is gone."""
        self._people.pop(speaker, None)
        self.hold(speaker, on=False)
        self._asking.discard(speaker)
        if self.answered == speaker:
            self.answered = ""

    def name(self, speaker: str) -> str:
        """What a person is called; "" if that does not matter."""
        return self._people.get(speaker, "")

    @property
    def everybody(self) -> list[str]:
        """What people and the agent are called; nobody in a call of one's own."""
        return [*self._people.values(), *self._names] if self._several else []

    def hold(self, speaker: str, *, on: bool) -> None:
        """This person holds the button, or lets go of it: what they say is said to the agent, to the turn's end."""
        if on:
            self._holding.add(speaker)
            self._asking.add(speaker)
        else:
            self._holding.discard(speaker)

    def addressed(self, speaker: str, text: str) -> bool:
        """Whether this, as far as it is known, is said to the agent."""
        return self._policy.answers(Said(speaker, text, asked=speaker in self._asking), self._scene)

    def without_name(self, text: str) -> str:
        """What is said to the agent, but for its name: "Antiphon, stop!" asks for silence."""
        return (unnamed(text, self._names) if named(text, self._names) else text) or text

    def called(self, text: str) -> bool:
        """Whether it is the agent's name and nothing else."""
        said = words(text)
        rest = unnamed(text, self._names).split()
        return named(text, self._names) and (not rest or (len(said) == 2 and rest == said))  # "Anti phone"

    def may_interrupt(self, speaker: str) -> bool:
        """Whether this person's voice may interrupt the agent's, whatever it says."""
        return speaker in self._asking or self._policy.may_interrupt(speaker, self._scene)

    def wrote(self, speaker: str, text: str) -> bool:
        """This person has written a line to all; whether it is for the agent."""
        self.spoke(speaker)
        asked = named(text, self._names)
        return self._policy.answers(Said(speaker, text, asked=asked), self._scene)

    def spoke(self, speaker: str) -> None:
        """This person's turn is over."""
        self._asking &= self._holding | (self._asking - {speaker})
        if not self._replying and speaker != self.answered:
            self.answered = ""

    def answers(self, speaker: str) -> None:
        """The agent begins to answer this person."""
        self.answered, self._replying = speaker, True

    def done(self) -> None:
        """It has ended."""
        self._replying, self._ended_at = False, self._clock()

    @property
    def _scene(self) -> Scene:
        since_s = 0.0 if self._replying else self._clock() - self._ended_at
        return Scene(self._names, len(self._people), self.answered, since_s)
