"""Whom the agent of a room answers, and who may interrupt it: each policy is two pure methods.

============  ==================================================  ===============================================
policy        the agent answers                                   it is interrupted by
============  ==================================================  ===============================================
one_to_one    everybody                                           everybody
addressed     who names it or holds the button, and whom it has   the person it speaks to; anybody by its name
              just spoken to, until somebody else speaks
moderated     who holds the button                                the person it speaks to; the button
scribe        nobody: it writes along                             there is nothing to interrupt
============  ==================================================  ===============================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Protocol

from agent.errors import ConfigError
from agent.overlap import words

ALIKE = 0.75
"""How alike a word, or two in a row, must be to a name to be that name misheard: "Anti phone" for "Antiphon" is 0.94,
"Auntie phone" 0.84, "anything" 0.62."""
JUST_S = 15.0
"""after which the agent has not just spoken to anybody"""


@dataclass(frozen=True, slots=True)
class Said:
    """A turn of one person's, or as much of it as is known."""

    speaker: str
    text: str
    asked: bool = False
    """the person said it to the agent by holding the button"""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a policy knows of its room."""

    names: Sequence[str]
    """that the agent answers to"""
    people: int
    """that are there"""
    answered: str = ""
    """whom the agent answers now, or has answered last, if nobody else has spoken since; "" for nobody"""
    since_s: float = 0.0
    """s since it has ended; 0 while it speaks"""


class Policy(Protocol):
    """How an agent behaves among several people."""

    def answers(self, said: Said, scene: Scene) -> bool:
        """Whether this is said to the agent."""
        ...

    def may_interrupt(self, speaker: str, scene: Scene) -> bool:
        """Whether this person's voice, whatever it says, ducks the agent's and may cut it."""
        ...


class OneToOne:
    """Everything is said to the agent: a call, or people who talk to it in turn."""

    def answers(self, said: Said, scene: Scene) -> bool:
        """Always."""
        return True

    def may_interrupt(self, speaker: str, scene: Scene) -> bool:
        """Everybody."""
        return True


class Addressed:
    """People who talk to each other, and sometimes to the agent. Who is alone with it need not name it."""

    def answers(self, said: Said, scene: Scene) -> bool:
        """If it is named, asked by the button, or was just talking to this person."""
        if scene.people < 2 or said.asked or named(said.text, scene.names):
            return True
        return said.speaker == scene.answered and scene.since_s < JUST_S

    def may_interrupt(self, speaker: str, scene: Scene) -> bool:
        """Whom it speaks to."""
        return scene.people < 2 or scene.answered in ("", speaker)


class Moderated:
    """People who talk to each other; the agent is spoken to by a button."""

    def answers(self, said: Said, scene: Scene) -> bool:
        """If the button was held."""
        return said.asked

    def may_interrupt(self, speaker: str, scene: Scene) -> bool:
        """Whom it speaks to."""
        return scene.answered == speaker


class Scribe:
    """Listens, and writes down who said what."""

    def answers(self, said: Said, scene: Scene) -> bool:
        """Never."""
        return False

    def may_interrupt(self, speaker: str, scene: Scene) -> bool:
        """There is nothing to interrupt."""
        return False


POLICIES: dict[str, type[Policy]] = {
    "one_to_one": OneToOne,
    "addressed": Addressed,
    "moderated": Moderated,
    "scribe": Scribe,
}


def policy(name: str) -> Policy:
    """The policy of this name.

    :raises ConfigError: if there is none.
    """
    if name not in POLICIES:
        raise ConfigError(f"room.policy: there is no {name!r}; choose one of {', '.join(POLICIES)}")
    return POLICIES[name]()


def named(text: str, names: Sequence[str]) -> bool:
    """Whether one of the names is in the text, as a recogniser may have written it."""
    said = words(text)
    pieces = said + [first + second for first, second in pairwise(said)]
    wanted = ["".join(words(name)) for name in names]
    return any(_alike(piece, name) for piece in pieces for name in wanted if name)


def unnamed(text: str, names: Sequence[str]) -> str:
    """The words of a text that are no name."""
    return " ".join(word for word in words(text) if not named(word, names))


def _alike(piece: str, name: str) -> bool:
    """Short names must be spelled right: "Ann" is in too many words."""
    if piece == name:
        return True
    if len(name) < 6 or abs(len(piece) - len(name)) > 3 or piece[0] != name[0]:
        return False
    return SequenceMatcher(None, piece, name).ratio() >= ALIKE
