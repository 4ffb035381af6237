"""What people have said: their turns, under their names; and who of them is still to be answered."""

from __future__ import annotations

from collections.abc import Callable

from agent.company import Company
from agent.events import Action, CloseTurn, ForgetTurn, OpenTurn
from agent.history import Entry, History, new_id
from agent.observer import Observer
from agent.overlap import Overlap, weigh


class Turns:
    """The people's side of a conversation.

    :param sealed: this speaker's turn is over: what is said from now on is a new utterance.
    """

    def __init__(self, history: History, observer: Observer, company: Company, sealed: Callable[[str], None]) -> None:
        self._history = history
        self._observer = observer
        self._company = company
        self._sealed = sealed
        self._items: dict[str, str] = {}  # of each speaker's open turn
        self.last = ""
        """whose turn was over last, and is answered if one is"""
        self.spoken = ""
        """the item of that turn"""
        self.owed = ""
        """who has said something to the agent while it heard or answered somebody else; "" for nobody"""

    def item(self, speaker: str) -> str:
        """The item of this speaker's open turn; "" if there is none."""
        return self._items.get(speaker, "")

    def open(self, speaker: str, at: float) -> None:
        """This person speaks."""
        item_id = self._items[speaker] = new_id("item")
        self._observer.turn_opened(item_id, at, speaker)

    def close(self, speaker: str, text: str, at: float) -> None:
        """This person's turn is over, and is remembered if there is something in it."""
        self._sealed(speaker)
        if text and speaker not in self._items:  # words that were too short to interrupt, before a typed turn
            self.open(speaker, at)
        item_id = self._items.pop(speaker, "")
        if item_id:
            if text:
                self._history.add(Entry(item_id, "user", text, name=self._company.name(speaker)))
                self._company.spoke(speaker)
                self.last, self.spoken = speaker, item_id
            self._observer.turn_closed(item_id, text, at)

    def forget(self, speaker: str) -> None:
        """What was said of this turn was never said."""
        self._sealed(speaker)
        self._items.pop(speaker, None)

    def hear_beside(self, action: Action) -> bool:
        """Somebody else has the agent's ear: what is said beside that is written down, and answered after it.

        True if the agent was told to stop.
        """
        match action:
            case OpenTurn():
                self.open(action.speaker, action.at)
            case ForgetTurn():
                pass
            case CloseTurn():
                meant = bool(action.text) and self._company.addressed(action.speaker, action.text)
                self.close(action.speaker, action.text, action.at)
                if meant and weigh(self._company.without_name(action.text)) is Overlap.STOP:
                    return True
                if meant:
                    self.owed = action.speaker
            case _:
                pass
        return False

    def write(self, speaker: str, entry: Entry) -> None:
        """Somebody has written a line to all."""
        self._history.add(entry)
        if self._company.wrote(speaker, entry.text):
            self.owed = speaker

    def pay(self) -> None:
        """Who is owed an answer gets the next one."""
        self.last, self.owed = self.owed, ""
