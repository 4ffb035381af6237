"""The items of a conversation as its clients know them: their order, and what is in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agent.realtime import events as ev
from agent.realtime import wire

MOST_ITEMS = 200
"""Items of a conversation that a client can retrieve."""
ROOT = "root"
"""in the place of the item before: the beginning"""


class Items:
    """In the order of the conversation; the oldest beyond `MOST_ITEMS` are forgotten.

    :param emit: sends one event to the clients.
    """

    def __init__(self, emit: Callable[[ev.ServerEvent], None]) -> None:
        self._emit = emit
        self._items: list[wire.Item] = []

    def __iter__(self) -> Iterator[wire.Item]:
        """From the first on."""
        return iter(tuple(self._items))

    def find(self, item_id: str) -> wire.Item | None:
        """The item of this id, or None."""
        return next((item for item in self._items if item.id == item_id), None)

    def call(self, call_id: str) -> wire.FunctionCall | None:
        """The call of this id, or None."""
        calls = (item for item in self._items if isinstance(item, wire.FunctionCall))
        return next((item for item in calls if item.call_id == call_id), None)

    @property
    def last(self) -> str | None:
        """The id of the newest, or None."""
        return self._items[-1].id if self._items else None

    def before(self, item_id: str) -> str | None:
        """The id of the one before this one, or None."""
        place = self._place(item_id)
        return self._items[place - 1].id if place > 0 else None

    def all_before(self, item_id: str) -> list[str]:
        """The ids of those before this one, the nearest first."""
        return [item.id for item in self._items[: max(0, self._place(item_id))]][::-1]

    def add(self, item: wire.Item, after: str | None = None) -> None:
        """A finished item enters the conversation.

        :param after: the id of the one before it, or `ROOT`; None for the end.
        """
        self.open(item, after)
        self.close(item)

    def open(self, item: wire.Item, after: str | None = None) -> None:
        """An item enters the conversation, and is not finished."""
        place = len(self._items) if after is None else 0 if after == ROOT else self._place(after) + 1
        self._items.insert(place, item)
        del self._items[: len(self._items) - MOST_ITEMS]
        self._emit(ev.ItemAdded(previous_item_id=self.before(item.id), item=item))

    def close(self, item: wire.Item) -> None:
        """An item is finished, and this is what it became."""
        self.set(item)
        self._emit(ev.ItemDone(previous_item_id=self.before(item.id), item=item))

    def set(self, item: wire.Item) -> None:
        """An item is this now, without a word."""
        place = self._place(item.id)
        if place >= 0:
            self._items[place] = item

    def delete(self, item_id: str) -> None:
        """An item is no part of the conversation any more."""
        self._items = [item for item in self._items if item.id != item_id]
        self._emit(ev.ItemDeleted(item_id=item_id))

    def _place(self, item_id: str) -> int:
        return next((place for place, item in enumerate(self._items) if item.id == item_id), -1)
