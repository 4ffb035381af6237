"""An engine fails, hangs or dies in the middle of a real call: the caller hears an apology, and the next answer."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from agent.caller import Caller, trimmed
from agent.engines.protocols import Recognizer
from bench.server import Server
from bench.speech import spoken
from tests.chaos.breakable import breakable
from tests.chaos.hearing import COUNT, PARIS, QUESTION, answered, apology, heard, numbers
from tests.people import models_missing, transcribed
from tests.scripted_llm import Answer, ScriptedLLM

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(90),
]

STORY = trimmed(spoken("Please tell me a very long story about the sea.").pcm)


async def test_a_recogniser_that_fails_and_one_that_hangs(
    tmp_path: Path, environment: dict[str, str], ears: Recognizer
) -> None:
    """It hangs twice, for as many threads as it has; a server whose engines hang still ends when it is told to."""
    async with breakable(tmp_path, environment) as broken:
        async with Caller(broken.url) as caller:
            for how in ("raise", "hang", "hang"):
                await broken.order(f"asr {how}")
                assert apology(await heard(caller, ears, await caller.say(QUESTION)))
            await broken.order("")
            await answered(caller, ears)
        assert "hearing failed" in await asyncio.to_thread(broken.server.log)
        assert await broken.server.stop() == 0


async def test_a_synthesiser_that_fails_and_one_that_hangs_in_mid_answer(
    tmp_path: Path, environment: dict[str, str], ears: Recognizer
) -> None:
    async with breakable(tmp_path, environment) as broken:
        async with Caller(broken.url) as caller:
            for how in ("raise", "hang"):
                end = await caller.say(COUNT)
                await caller.hears(end, within_s=10.0)
                await broken.order(f"tts {how}")
                said = await heard(caller, ears, end)
                assert numbers(said)[:1] == [1], said
                assert apology(said), said
                await broken.order("")
            await answered(caller, ears)
        assert await broken.server.stop() == 0


async def test_a_language_model_that_hangs_and_one_that_refuses(
    environment: dict[str, str], ears: Recognizer, llm: ScriptedLLM
) -> None:
    async with Server(environment) as server, Caller(server.url) as caller:
        for broken in (Answer(["The ", "capital "], fault="stall"), Answer(status=500)):
            llm.mind = lambda _, broken=broken: broken  # type: ignore[misc]
            assert apology(await heard(caller, ears, await caller.say(QUESTION)))
        llm.mind = lambda _: PARIS
        await answered(caller, ears)


async def test_the_embedded_language_model_is_killed_in_mid_answer(ears: Recognizer) -> None:
    async with Server({"ANTIPHON__LLM__EMBEDDED__MAX_TOKENS": "300"}) as server, Caller(server.url) as caller:
        end = await caller.say(STORY)
        await caller.hears(end, within_s=10.0)
        (child,) = await asyncio.to_thread(language_models, server.pid)
        os.kill(child, signal.SIGKILL)
        assert apology(await heard(caller, ears, end))
        await answered(caller, ears)
        (successor,) = await asyncio.to_thread(language_models, server.pid)
        assert successor != child


async def test_the_process_that_holds_the_models_is_killed(environment: dict[str, str], ears: Recognizer) -> None:
    """Everybody hears a goodbye, also those who share a process with others, and nothing is left."""
    async with Server({**environment, "ANTIPHON__SERVER__PROCESSES": "2"}) as server:
        async with Caller(server.url) as one, Caller(server.url) as two, Caller(server.url) as three:
            callers, left = (one, two, three), await asyncio.to_thread(server.processes)
            since = asyncio.get_running_loop().time()
            os.kill(server.pid, signal.SIGKILL)
            for caller in callers:
                await asyncio.wait_for(caller.ended(), 12.0)
                said = await asyncio.to_thread(transcribed, ears, caller.ear.sound(since))
                assert "goodbye" in said.lower()
        _, alive = await asyncio.to_thread(psutil.wait_procs, left, 5.0)
        assert alive == []
        log = await asyncio.to_thread(server.log)
        assert "the process that holds the models is gone" in log
        assert "Traceback" not in log


def language_models(server: int) -> list[int]:
    """The embedded language model's processes."""
    children = psutil.Process(server).children(recursive=True)
    return [child.pid for child in children if "agent.engines.llm.llama_child" in child.cmdline()]
