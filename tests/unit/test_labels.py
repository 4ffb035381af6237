"""Names that a model puts before its answer are not said, however they come."""

from __future__ import annotations

import pytest

from agent.speaking.labels import Labels

NAMES = ["Ann", "Anna Maria", "Antiphon"]


def through(pieces: list[str], names: list[str] = NAMES) -> str:
    labels = Labels(names)
    return "".join([*(labels.feed(piece) for piece in pieces), labels.flush()])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Antiphon: It is noon.", " It is noon."),
        ("antiphon: Ann: It is noon.", " It is noon."),
        ("Anna Maria: yes.", " yes."),
        ("Ann, it is noon.", "Ann, it is noon."),
        ("Note: it is noon.", "Note: it is noon."),
        ("It is noon. Ann: yes.", "It is noon. Ann: yes."),
        ("Ann", "Ann"),
        ("", ""),
    ],
)
def test_only_a_name_and_a_colon_at_the_beginning_go(answer: str, said: str) -> None:
    for size in (1, 3, 100):
        pieces = [answer[n : n + size] for n in range(0, len(answer), size)]
        assert through(pieces).strip() == said.strip(), size
    assert through([answer], []) == answer


def test_what_can_be_no_name_is_not_held_back() -> None:
    labels = Labels(NAMES)
    assert labels.feed("An") == ""
    assert labels.feed("d so") == "And so"
    assert labels.feed(" Ann:") == " Ann:"
