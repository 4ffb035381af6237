"""How a pull tells what it does. This one is silent; `agent.commands.models.Terminal` draws bars."""

from __future__ import annotations


class Progress:
    """What is called while models are pulled or verified. Override what you want to show."""

    def note(self, text: str) -> None:
        """Something worth a line: a model is complete, a source failed and the next is tried."""

    def bytes(self, label: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` bytes of what ``label`` names; total is None while it is not known."""
