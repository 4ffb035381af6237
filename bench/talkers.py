"""Several people at once: `python -m bench.turns --talkers 3`.

First one person asks, then as many as wanted at the same time, each a question of their own at a time of their own,
all against one server with the embedded language model. Voice to voice as in `bench.latency`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from agent.caller import Caller
from bench.latency import turn
from bench.report import quantile, table
from bench.server import Server
from bench.speech import questions

QUESTIONS_EACH = 8
APART_S = 0.9
"""between one person's first question and the next one's"""
MOST_RATIO = 2.0
"""of the p50s, by the project's own bar"""


async def measure(people: int) -> dict[str, object]:
    """One person, then that many; print and return the figures."""
    async with Server() as server:
        alone = await talk(server.url, 0)
        together = [
            result for one in await asyncio.gather(*(talk(server.url, n) for n in range(people))) for result in one
        ]
    rows = [_row("1", alone), _row(str(people), together)]
    print(table(["talkers", "turns", "p50 ms", "p95 ms", "premature", "missed"], rows))
    ratio = float(rows[1][2]) / float(rows[0][2])
    print(f"\np50 of {people} is {ratio:.2f} times that of one (bar: <= {MOST_RATIO:g}).")
    return {"talkers": people, "ratio": round(ratio, 2), "alone": alone, "together": together}


async def talk(url: str, person: int) -> list[dict[str, Any]]:
    """One person's questions, each after the last answer is over."""
    clips = questions()
    async with Caller(url) as caller:
        await asyncio.sleep(1.0 + person * APART_S)
        return [
            {"person": person, **await turn(caller, clips[(3 * person + n) % len(clips)])}
            for n in range(QUESTIONS_EACH)
        ]


def _row(name: str, results: list[dict[str, Any]]) -> list[str]:
    heard = [result["voice_to_voice_ms"] for result in results if "voice_to_voice_ms" in result]
    middle, late = (f"{quantile(heard, q):.0f}" if heard else "nan" for q in (0.5, 0.95))
    premature, missed = (str(sum(bool(result.get(key)) for result in results)) for key in ("premature", "missed"))
    return [name, str(len(results)), middle, late, premature, missed]
