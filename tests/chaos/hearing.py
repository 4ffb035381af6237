"""What a caller hears when something breaks: an apology, and then an answer."""

from __future__ import annotations

import asyncio

from agent.audio import I16
from agent.caller import Caller, trimmed
from agent.engines.protocols import Recognizer
from bench.speech import spoken
from tests.people import transcribed

QUESTION = trimmed(spoken("What is the capital of France?").pcm)
COUNT = trimmed(spoken("Please count up to six for me.").pcm)
NUMBERS = ("one", "two", "three", "four", "five", "six")
COUNTED = " ".join(f"Here comes number {number}." for number in NUMBERS)
PARIS = "The capital of France is Paris."
QUIET_S = 0.9
"""more than there is between two sentences, less than a person would wait"""


def mind(messages: list[dict[str, str]]) -> str:
    """A scripted language model that counts, and knows one capital."""
    return COUNTED if "count" in messages[-1]["content"].lower() else PARIS


async def heard(caller: Caller, ears: Recognizer, since: float, within_s: float = 15.0) -> str:
    """What the agent says from then on, to the end, in lower case."""
    await caller.hears(since, within_s=within_s)
    await caller.hears_silence(QUIET_S, within_s=40.0)
    return (await asyncio.to_thread(transcribed, ears, caller.ear.sound(since))).lower()


async def answered(caller: Caller, ears: Recognizer, question: I16 = QUESTION) -> float:
    """Ask for the capital of France, and hear it; s from the last sound to the first."""
    end = await caller.say(question)
    first = await caller.hears(end, within_s=10.0)
    assert "paris" in await heard(caller, ears, end)
    return first.at - end


def apology(said: str) -> bool:
    """Whether this ends in the apology."""
    return "something went wrong" in said and "say that again" in said


def numbers(said: str) -> list[int]:
    """The numbers in a transcript, in words or digits."""
    named = {name: n for n, name in enumerate(NUMBERS, 1)} | {str(n): n for n in range(1, len(NUMBERS) + 1)}
    return [named[word] for word in said.replace(".", " ").replace(",", " ").split() if word in named]
