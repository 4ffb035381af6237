"""The words of a turn as pieces that never change: what a client can show while somebody still speaks."""

from __future__ import annotations


class Transcript:
    """One turn's words, told bit by bit. What two recognitions in a row agree on is taken as settled. Pure."""

    def __init__(self) -> None:
        self._told: list[str] = []
        self._before: list[str] = []

    def grow(self, text: str) -> str:
        """What was said so far, which may still change; what is settled and was not told yet, "" for nothing."""
        words = text.split()
        agreed = 0
        for word, before in zip(words[:-1], self._before, strict=False):  # the last word may still grow
            if word != before:
                break
            agreed += 1
        self._before = words
        return self._tell(words[:agreed])

    def end(self, text: str) -> str:
        """All that was said; what was not told yet of it. Where it was settled otherwise, it stays so."""
        return self._tell(text.split())

    def _tell(self, words: list[str]) -> str:
        more = words[len(self._told) :]
        if not more:
            return ""
        piece = (" " if self._told else "") + " ".join(more)
        self._told += more
        return piece
