"""Which of the server's slots a prompt goes to, so that it finds the conversation's own cache there.

A slot of llama.cpp keeps the prompt that it read last; the next one is read from where it differs. Left to
itself the server takes the idle slot that begins most alike, and all conversations begin alike: a second
caller's first words then go to the first caller's slot and cut that prompt off. It also takes another slot
when the right one is busy for a moment more with a prefill. So each request names its slot, by this table;
the server lets a request wait for the slot it names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from agent.engines.protocols import Message

ALIKE = 0.5
"""share of what was said in a slot's prompt that must stay for a prompt to be the same conversation, gone on: a
recogniser revises the end of what it heard, a barge-in the end of what was answered"""


class PromptSlots:
    """What is in each slot, and which are in use. One table per child.

    :param count: slots of the server.
    """

    def __init__(self, count: int) -> None:
        self._prompts: list[Sequence[Message]] = [()] * count
        self._replying = [False] * count
        self._used = list(range(-count, 0))
        """when each was taken last, by a count of requests"""
        self._requests = 0

    def replying(self, messages: Sequence[Message]) -> bool:
        """Whether this conversation has a reply that is not closed yet."""
        pairs = zip(self._prompts, self._replying, strict=True)
        return any(replying and _kinship(prompt, messages)[0] == 2 for prompt, replying in pairs)

    @contextmanager
    def taken(self, messages: Sequence[Message], *, replying: bool) -> Iterator[int]:
        """The slot for this prompt, marked as in use for the block if it is for a reply; -1 lets the server wait
        for one: all of them have a reply.

        A conversation that has a slot keeps it. A new one gets a slot that holds no conversation, else the one
        that was not used for the longest time.
        """
        free = [slot for slot, busy in enumerate(self._replying) if not busy]
        if not free:
            yield -1
            return
        slot = max(free, key=lambda slot: (_kinship(self._prompts[slot], messages), -self._used[slot]))
        self._requests += 1
        self._prompts[slot], self._used[slot] = tuple(messages), self._requests
        self._replying[slot] = replying
        try:
            yield slot
        finally:
            if replying:
                self._replying[slot] = False


def beginning(messages: Sequence[Message]) -> Sequence[Message]:
    """What all conversations begin with: the system prompt and a greeting, up to what a caller says."""
    return messages[: next((n for n, message in enumerate(messages) if message.role == "user"), len(messages))]


def _kinship(cached: Sequence[Message], messages: Sequence[Message]) -> tuple[int, int]:
    """How well a slot's prompt suits these messages: 2 for the same conversation, 1 for none, 0 for another's;
    then how much is common."""
    pairs = list(zip(cached, messages, strict=False))
    equal = next((n for n, (old, new) in enumerate(pairs) if old != new), len(pairs))
    start = len(beginning(messages))
    kept = sum(len(message.text) for message in cached[start:equal])
    if equal < len(pairs) and cached[equal].role == messages[equal].role:
        kept += _common(cached[equal].text, messages[equal].text)
    if equal >= start and kept > ALIKE * sum(len(message.text) for message in cached[start:]):
        return 2, kept
    return int(equal == len(cached)), equal


def _common(old: str, new: str) -> int:
    """Characters that both begin with."""
    return next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
