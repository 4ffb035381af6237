"""What was said, as it was heard: the language model's memory and nothing more."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Literal

from agent.engines.protocols import Call, Message

EMBEDDED_CHARS = 1_600
"""About 400 tokens of English. With 600 a token costs SmolLM2 on one thread 18 ms instead of 12, with 1500 27; and what
lies further back it makes nothing of."""
SERVER_CHARS = 24_000
"""About 6000 tokens: any server's model has room for them, and a prefix cache."""
MOST_DELETED = 100
"""Deleted entries whose place is remembered: an answer may be still to come there."""
CUT_MARK = " —"
"""Ends an answer that was cut off, so that the model knows that the rest was never heard."""


def new_id(prefix: str) -> str:
    """A fresh identifier such as ``item_3f…``."""
    return f"{prefix}_{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One contribution to the conversation."""

    id: str
    """the item's id on the wire"""
    role: Literal["user", "assistant", "system", "tool"]
    text: str
    """what was said; of an answer, what reached the ear; of a tool, its result"""
    complete: bool = True
    """false for an answer that was cut off"""
    call: Call | None = None
    """what an answer wanted called, instead of a text"""
    call_id: str = ""
    """of a tool: the call whose result it is"""
    name: str = ""
    """of the person who said it, among several"""

    @property
    def size(self) -> int:
        """Characters of the prompt."""
        return max(1, len(self.name) + len(self.text) + (len(self.call.arguments) if self.call is not None else 0))


class History:
    """The conversation's entries in order, and the prompt made of them.

    Append-only but for the newest entries, so that a server with a prefix cache reads only what is new.
    """

    def __init__(self, instructions: str, budget_chars: int = EMBEDDED_CHARS) -> None:
        self.instructions = instructions
        self.company = ""
        """what the model is told beside the instructions, among several people"""
        self._budget_chars = budget_chars
        self._entries: list[Entry] = []
        self._deleted: dict[str, str] = {}  # by the id of what was deleted: what stood before it

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, oldest first."""
        return tuple(self._entries)

    @property
    def newest(self) -> str:
        """The newest entry's id; "" if there is none."""
        return self._entries[-1].id if self._entries else ""

    def add(self, entry: Entry, after: str | None = None) -> None:
        """Append an entry. Past the budget the oldest half goes at once, so that the prompt's beginning then stays
        the same for many turns.

        :param after: the id of the one before it, "" for the beginning; None for the end.
        :raises ValueError: if there is no entry with that id.
        """
        place = len(self._entries)
        if after is not None:
            place = ["", *(each.id for each in self._entries)].index(after)
        self._entries.insert(place, entry)
        self._deleted.pop(entry.id, None)
        total = sum(entry.size for entry in self._entries)
        if total > self._budget_chars:
            self._forget(total)

    def replace(self, entry_id: str, text: str, *, complete: bool) -> None:
        """What was heard of an answer turns out to be this; the prompt is read again from there on."""
        self._entries = [
            replace(entry, text=text, complete=complete) if entry.id == entry_id else entry for entry in self._entries
        ]

    def delete(self, entry_id: str) -> None:
        """It was never said; nor will it be, if it is still being heard."""
        place = next((n for n, entry in enumerate(self._entries) if entry.id == entry_id), len(self._entries))
        self._deleted[entry_id] = self._entries[place - 1].id if place else ""
        del self._entries[place : place + 1]
        while len(self._deleted) > MOST_DELETED:
            del self._deleted[next(iter(self._deleted))]

    def deleted(self, entry_id: str) -> bool:
        """It was there, or was to be, and is not wanted."""
        return entry_id in self._deleted

    def standing(self, entry_id: str) -> str | None:
        """The id of this entry or, if it was deleted, of the nearest that stood before it: "" for the beginning, None
        if it is forgotten.
        """
        while entry_id in self._deleted:
            entry_id = self._deleted[entry_id]
        return entry_id if not entry_id or self.find(entry_id) is not None else None

    def find(self, entry_id: str) -> Entry | None:
        """The entry with this id, or None."""
        return next((entry for entry in self._entries if entry.id == entry_id), None)

    def prompt(self, draft: str = "", instructions: str | None = None, *, name: str = "") -> list[Message]:
        """The messages for the language model: the instructions, then what was said.

        :param draft: what the user has said of a turn that is not over yet, and not in the history.
        :param instructions: instead of the conversation's.
        :param name: of who has said the draft, among several.

        Contributions of one side in a row become one message: a turn that was merged after a false end reads
        as it was meant. Servers refuse a call without its result right behind it: a result is moved there, and what
        has no other half is left out.
        """
        system = self.instructions if instructions is None else instructions
        system = "\n".join(part for part in (system, self.company) if part)
        messages = [Message("system", system)] if system else []
        entries = [*self._entries, Entry("", "user", draft, name=name)] if draft else self._entries
        results = self._results()
        owed: list[Message] = []  # results of the calls of the newest message
        for entry in entries:
            if entry.call is not None and entry.id in results:
                if not (messages and messages[-1].role == "assistant"):
                    messages.append(Message("assistant", ""))
                messages[-1] = replace(messages[-1], calls=(*messages[-1].calls, entry.call))
                owed.append(Message("tool", results[entry.id], call_id=entry.call.id))
            elif entry.role == "tool":
                messages += owed  # what is called after a result was known is another message
                owed = []
            elif entry.text:
                said = _told(entry) + ("" if entry.complete else CUT_MARK)
                if messages and messages[-1].role == entry.role and not owed and (len(messages) > 1 or not system):
                    between = "\n" if entry.name else " "
                    messages[-1] = replace(messages[-1], text=f"{messages[-1].text}{between}{said}")
                else:
                    messages += owed
                    owed = []
                    messages.append(Message(entry.role, said))
        return messages + owed

    def _results(self) -> dict[str, str]:
        """The newest result of each call that has one, by the call's entry."""
        results: dict[str, str] = {}
        calls: dict[str, str] = {}
        for entry in self._entries:
            if entry.call is not None:
                calls[entry.call.id] = entry.id
            elif entry.role == "tool" and entry.call_id in calls:
                results[calls[entry.call_id]] = entry.text
        return results

    def _forget(self, total: int) -> None:
        """The oldest go; but the newest turn stays, with what was called for it, if that is not too much."""
        newest = len(self._entries) - 1
        last = max((n for n, entry in enumerate(self._entries) if entry.role == "user"), default=newest)
        if sum(entry.size for entry in self._entries[last:]) > 2 * self._budget_chars:
            last = newest
        while last > 0 and (total > self._budget_chars // 2 or self._entries[0].role != "user"):
            total -= self._entries.pop(0).size
            last -= 1


def _told(entry: Entry) -> str:
    """What was said, and by whom among several. What one person says can not look like another's line."""
    return f"{entry.name}: {' '.join(entry.text.split())}" if entry.name else entry.text
