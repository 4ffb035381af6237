"""Names that a language model puts before its answer.

Of several people each line of the prompt begins with who says it, and models, small ones most, go on in that form, told
or not: "Antiphon: It is noon." A voice does not say that.
"""

from __future__ import annotations

from collections.abc import Iterable


class Labels:
    """Leaves out names and colons at the beginning of one answer. Pure.

    :param names: of everybody in the prompt; with none, nothing is held back.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._starts = [f"{name.lower()}:" for name in names if name]
        self._held = ""

    def feed(self, piece: str) -> str:
        """What of the answer may be said, now that this has come; what may become a name is held back."""
        if not self._starts:
            return piece
        self._held += piece
        while True:
            begun = self._held.lstrip().lower()
            label = next((start for start in self._starts if begun.startswith(start)), None)
            if label is None:
                break
            self._held = self._held.lstrip()[len(label) :]
        return "" if any(start.startswith(begun) for start in self._starts) else self.flush()

    def flush(self) -> str:
        """The answer is over, or a call comes: what is held back was none."""
        held, self._held = self._held, ""
        self._starts = []
        return held.lstrip() if held.strip() else held
