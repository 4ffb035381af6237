"""Turn-taking on a fixed set: does the agent answer before one has finished, is it cut off by a cough, does it stop?

Every case of `bench.turn_cases` is said to a real server over real WebRTC; every one of `bench.interjections` is
played while the agent speaks. Then what came back is judged (`bench.verdicts`). The language model is a scripted
one, so that the agent always has something long to say, and the cores are the ear's and the voice's.

    python -m bench.turns [--quick 10] [--only cough] [--talkers 3]

All of it takes a quarter of an hour. ``--quick N`` plays every Nth case; ``--only`` a kind, "turns", "harmless" or
"interruptions", or what has this in its name; ``--talkers`` plays none of them, but lets several people talk at once
(`bench.talkers`).
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, TypeVar

from aiortc.exceptions import InvalidStateError

from agent.caller import Caller
from agent.transports.aiortc_private import gather_only
from bench import interjections, talkers, verdicts
from bench.interjections import Interjection
from bench.over_speech import ANSWER_S, Line, over, rest
from bench.report import machine, save
from bench.server import Server
from bench.turn_cases import TurnCase, turns
from bench.turns_report import SECTIONS, print_figures
from tests.scripted_llm import ScriptedLLM, scripted_llm

SETTINGS = {"ANTIPHON__LLM__MODEL": "scripted"}

C = TypeVar("C", TurnCase, Interjection)

BRIEF = "Yes."
STORY = (
    "There was a small harbour at the end of a long road. Every morning the boats went out before the sun was up. "
    "The people there knew the water and the wind better than any book. An old woman lived in the last house near "
    "the beach. She had a garden with beans and roses and a very old dog. In the evening she sat on the bench and "
    "counted the sails that came home. One day in autumn a sail was missing, and nobody had seen it since noon. The "
    "fog had come in from the north, thick and white and quiet. So the woman took her lamp and walked out to the end "
    "of the pier. She put the lamp on the highest stone and began to sing. She sang every song that she had learned "
    "as a girl on the island. After a long time a bell answered her from somewhere in the fog. The boat came in "
    "slowly, and everybody on it was cold but well. "
)
"""50 s of plain sentences, within the 200 words that a reply may have"""
LOST: dict[str, dict[str, Any]] = {
    "turns": {"premature": False, "split": False, "never": True},
    "harmless": {"false_cut": True},
    "interruptions": {"missed": True},
}
"""what a case counts as whose call broke off"""


@dataclass(slots=True)
class Mind:
    """What the scripted model answers."""

    brief: bool = True
    requests: int = 0

    def __call__(self, messages: list[dict[str, str]]) -> str:
        """A word, or a story."""
        self.requests += 1
        return BRIEF if self.brief else STORY


@dataclass(slots=True)
class Bench:
    """A server, and the model behind it."""

    server: Server
    mind: Mind
    results: list[dict[str, Any]]


@asynccontextmanager
async def served(results: list[dict[str, Any]], settings: dict[str, str]) -> AsyncIterator[Bench]:
    """A real server with a scripted model."""
    mind = Mind()
    llm: ScriptedLLM
    async with scripted_llm(mind) as llm:
        async with Server(SETTINGS | settings | {"ANTIPHON__LLM__URL": llm.url}) as server:
            yield Bench(server, mind, results)


async def each(bench: Bench, cases: list[C], one: Callable[[Line, C], Awaitable[dict[str, Any]]]) -> None:
    """Play cases, a call for each kind: people do not change in the middle of one. A call that breaks off loses its
    case, and the next one calls again."""
    for _, of_kind in groupby(cases, key=lambda case: case.kind):
        left = list(of_kind)
        while left:
            async with Caller(bench.server.url) as caller:
                line = Line(caller)
                await asyncio.sleep(1.0)
                while left:
                    case = left.pop(0)
                    try:
                        note(bench, case, await one(line, case))
                    except (InvalidStateError, TimeoutError) as error:
                        note(bench, case, {**LOST[section_of(case)], "lost": repr(error)})
                        break


def section_of(case: TurnCase | Interjection) -> str:
    """Which of the three kinds of judgement a case gets."""
    if isinstance(case, TurnCase):
        return "turns"
    return "interruptions" if case.cut else "harmless"


def note(bench: Bench, case: TurnCase | Interjection, verdict: dict[str, Any]) -> None:
    """Keep a verdict, and say so if it is a bad one."""
    bench.results.append({"section": section_of(case), "kind": case.kind, "name": case.name, **verdict})
    wrong = [word for word in ("premature", "never", "false_cut", "missed", "split", "lost") if verdict.get(word)]
    if wrong:
        print(
            f"{case.kind}: {case.name}: {', '.join(wrong)}",
            *verdict.get("closed", ()),
            *verdict.get("said", ()),
            flush=True,
        )


async def answered(caller: Caller, case: TurnCase, mind: Mind) -> dict[str, Any]:
    """One turn, and its answer."""
    await speak_language(caller, case.language)
    after, heard, asked = len(caller.events), len(caller.ear.frames), mind.requests
    await caller.say(case.pcm)
    ended = caller.began_at + case.ends_s
    try:
        await caller.hears(ended, within_s=ANSWER_S)
    except TimeoutError:
        pass  # the verdict says so
    await rest(caller)
    verdict = verdicts.judge_turn(caller.events[after:], caller.ear.frames[heard:], caller.began_at, ended)
    return {**asdict(verdict), "requests": mind.requests - asked}


async def speak_language(caller: Caller, language: str) -> None:
    """Tell the server what to expect, as a client whose user has chosen a language does."""
    after = len(caller.events)
    caller.send({"type": "session.update", "session": {"audio": {"input": {"transcription": {"language": language}}}}})
    await caller.event("session.updated", after=after)


def chosen(cases: list[C], section: str, only: str, every: int) -> list[C]:
    """Every Nth case of the kinds that were asked for, at least one of each such kind."""
    wanted = [case for case in cases if only in ("", section, case.kind) or (only and only in case.name)]
    return [case for _, kind in groupby(wanted, key=lambda case: case.kind) for case in list(kind)[::every]]


async def measure(only: str, every: int) -> dict[str, object]:
    """Play what was asked for; print and return the figures."""
    cases = chosen(sorted(turns(), key=lambda case: case.kind), SECTIONS[0], only, every)
    sounds = [
        *chosen(interjections.harmless(), SECTIONS[1], only, every),
        *chosen(interjections.interruptions(), SECTIONS[2], only, every),
    ]
    if not cases and not sounds:
        raise SystemExit(
            f"nothing is called {only!r}; give a kind of the table's, {', '.join(SECTIONS)}, or part of a name"
        )
    results: list[dict[str, Any]] = []
    if cases:
        async with served(results, {}) as bench:
            bench.mind.brief = True
            await each(bench, cases, lambda line, case: answered(line.caller, case, bench.mind))
    if sounds:
        async with served(results, {}) as bench:
            bench.mind.brief = False
            await each(bench, sounds, over)
    return print_figures(results)


def main() -> None:
    """Play, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", type=int, default=1, metavar="N", help="every Nth case of each kind")
    parser.add_argument("--only", default="", metavar="KIND")
    parser.add_argument("--talkers", type=int, default=0, metavar="N", help="N people at once, and nothing else")
    args = parser.parse_args()
    gather_only(["127.0.0.1"])
    if args.talkers:
        name, figures = "talkers", asyncio.run(talkers.measure(args.talkers))
    else:
        name, figures = "turns", asyncio.run(measure(args.only, args.quick))
    print(f"\n{machine()}")
    save(name, figures)


if __name__ == "__main__":
    main()
