"""Draws turn-taking from the transition table into DESIGN.md, so that the picture can not lie.

python docs/draw_turn_taking.py [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from agent.events import Event
from agent.machine import TABLE, Phase, Row

DESIGN = Path(__file__).resolve().parent.parent / "DESIGN.md"
BEGIN, END = "<!-- drawn from agent/machine.py: begin -->", "<!-- drawn from agent/machine.py: end -->"


def words(name: str) -> str:
    """``SpeechStarted`` and ``wait_for_end`` as words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()


def rows() -> list[tuple[Phase, type[Event], Row]]:
    """The rows that do something; the others say that nothing changes."""
    return [
        (phase, event, row)
        for (phase, event), found in TABLE.items()
        for row in found
        if row.to is not phase or row.do or row.when
    ]


def picture() -> str:
    """A Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> idle"]
    for phase, event, row in rows():
        when = f" [{words(row.when.__name__)}]" if row.when else ""
        lines.append(f"    {phase.value} --> {row.to.value}: {words(event.__name__)}{when}")
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def table() -> str:
    """The same as a table, with what is done."""
    lines = ["| phase | when | and | → phase | do |", "| --- | --- | --- | --- | --- |"]
    for phase, event, row in rows():
        when = words(row.when.__name__) if row.when else ""
        do = ", ".join(words(step.__name__) for step in row.do)
        lines.append(f"| {phase.value} | {words(event.__name__)} | {when} | {row.to.value} | {do} |")
    return "\n".join(lines)


def drawn(text: str) -> str:
    """The document with a fresh picture between its markers."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{picture()}\n\n{table()}\n\n{END}{after}"


def main() -> int:
    """Write the picture, or with --check say whether it is fresh."""
    text = DESIGN.read_text()
    fresh = drawn(text)
    if "--check" in sys.argv:
        return 0 if fresh == text else 1
    DESIGN.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
