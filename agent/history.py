"""What was said, as it was heard: the language model's memory and nothing more."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from agent.engines.protocols import Message

EMBEDDED_CHARS = 1_600
"""About 400 tokens of English. With 600 a token costs SmolLM2 on one thread 18 ms instead of 12, with 1500 27; and what
lies further back it makes nothing of."""
SERVER_CHARS = 24_000
"""About 6000 tokens: any server's model has room for them, and a prefix cache."""
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
    role: Literal["user", "assistant", "system"]
    text: str
    """what was said; of an answer, what reached the ear"""
    complete: bool = True
    """false for an answer that was cut off"""


class History:
    """The conversation's entries in order, and the prompt made of them.

    Append-only but for the newest entries, so that a server with a prefix cache reads only what is new.
    """

    def __init__(self, instructions: str, budget_chars: int = EMBEDDED_CHARS) -> None:
        self.instructions = instructions
        self._budget_chars = budget_chars
        self._entries: list[Entry] = []

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, oldest first."""
        return tuple(self._entries)

    def add(self, entry: Entry, after: str | None = None) -> None:
        """Append an entry. Past the budget the oldest half goes at once, so that the prompt's beginning then stays
        the same for many turns.

        :param after: the id of the one before it, "" for the beginning; None for the end.
        """
        place = len(self._entries)
        if after is not None:
            place = next((n + 1 for n, each in enumerate(self._entries) if each.id == after), 0)
        self._entries.insert(place, entry)
        total = sum(len(entry.text) for entry in self._entries)
        if total > self._budget_chars:
            self._forget(total)

    def replace(self, entry_id: str, text: str, *, complete: bool) -> None:
        """What was heard of an answer turns out to be this; the prompt is read again from there on."""
        self._entries = [
            replace(entry, text=text, complete=complete) if entry.id == entry_id else entry for entry in self._entries
        ]

    def delete(self, entry_id: str) -> None:
        """It was never said."""
        self._entries = [entry for entry in self._entries if entry.id != entry_id]

    def find(self, entry_id: str) -> Entry | None:
        """The entry with this id, or None."""
        return next((entry for entry in self._entries if entry.id == entry_id), None)

    def prompt(self, draft: str = "", instructions: str | None = None) -> list[Message]:
        """The messages for the language model: the instructions, then what was said.

        :param draft: what the user has said of a turn that is not over yet, and not in the history.
        :param instructions: instead of the conversation's.

        Contributions of one side in a row become one message: a turn that was merged after a false end reads
        as it was meant.
        """
        system = self.instructions if instructions is None else instructions
        messages = [Message("system", system)] if system else []
        entries = [*self._entries, Entry("", "user", draft)] if draft else self._entries
        for role, group in groupby(entries, key=lambda entry: entry.role):
            said = " ".join(entry.text + ("" if entry.complete else CUT_MARK) for entry in group if entry.text)
            if said:
                messages.append(Message(role, said))
        return messages

    def _forget(self, total: int) -> None:
        while len(self._entries) > 1 and (total > self._budget_chars // 2 or self._entries[0].role != "user"):
            total -= len(self._entries.pop(0).text)
