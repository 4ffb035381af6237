"""How an answer is wanted: what a client may set for all of them, or for the next one alone."""

from __future__ import annotations

from dataclasses import dataclass

from agent.engines.protocols import ANY, Scope


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer is made under; the voice and the instructions are the conversation's unless one says otherwise."""

    spoken: bool = True
    """or written: then it is done when all of its text is there"""
    instructions: str | None = None
    """instead of the conversation's; None for those"""
    scope: Scope = ANY
    """the tools it may call, and how long it may be"""


USUAL = Asked()
