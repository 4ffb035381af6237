"""What a conversation tells whoever watches it: one call per thing that a client could want to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agent.engines.protocols import Call, CallDelta, Ending
from agent.machine import Phase
from agent.metrics import Timeline
from agent.speaking.playout import Heard

UNKNOWN = Ending()


@dataclass(frozen=True, slots=True)
class Made:
    """What an answer came to."""

    ending: Ending = UNKNOWN
    """as the language model told it; of one that broke off or was cut, nothing is known"""
    samples: int = 0
    """at WIRE_RATE, of its voice"""


NOTHING = Made()


class Observer(Protocol):
    """Watches one conversation. Calls come in order, on the loop, and must not wait."""

    def phase(self, phase: Phase) -> None:
        """The floor changed hands."""

    def turn_opened(self, item_id: str, at: float, speaker: str) -> None:
        """This person speaks; the turn, if it becomes one, will be ``item_id``. ``at`` in media s."""

    def hears(self, item_id: str, text: str) -> None:
        """What the person has said of the open turn so far; it may still change."""

    def turn_closed(self, item_id: str, text: str, at: float) -> None:
        """The person's turn is over. "" if nothing was said. ``at`` in media s."""

    def timed_out(self, item_id: str) -> None:
        """Nobody has said anything for so long that the silence is a turn: ``item_id``."""

    def hearing_failed(self, item_id: str, message: str) -> None:
        """The open turn could not be recognised."""

    def reply_started(self, item_id: str, *, spoken: bool) -> None:
        """The agent begins to answer, aloud or in writing."""

    def told(self, item_id: str, text: str) -> None:
        """This clause of the answer went to the TTS."""

    def calling(self, call_item: str, delta: CallDelta) -> None:
        """More of a call that the answer makes, after all of its text; ``call_item`` is the call's own id."""

    def called(self, call_item: str, call: Call) -> None:
        """A call is complete."""

    def working(self, call_item: str, call: Call) -> None:
        """The answer has a tool of the server's at work; ``call_item`` is the call's own id."""

    def worked(self, output_item: str, call: Call, output: str) -> None:
        """The tool has answered; ``output_item`` is the answer's own id."""

    def written(self, item_id: str, made: Made = NOTHING) -> None:
        """All of the answer is made; it may still be playing."""

    def audible(self, item_id: str) -> None:
        """The answer's first sample left."""

    def spoken(self, item_id: str, heard: Heard) -> None:
        """This much of the answer has reached the ear."""

    def reply_ended(
        self,
        item_id: str,
        heard: Heard,
        *,
        cut_by_speech: bool | None,
        failure: str | None,
        timeline: Timeline,
        made: Made = NOTHING,
    ) -> None:
        """The answer is over.

        :param cut_by_speech: None if it was not cut.
        :param failure: why it could not be finished, or None.
        """
