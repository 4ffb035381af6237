"""What is said on a call, and what opens the door to it, is in no log and no metric, whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import aiohttp
import psutil
import pytest

from agent.caller import Caller, trimmed
from bench.server import Server
from bench.speech import spoken
from tests.chaos.breakable import breakable
from tests.people import models_missing
from tests.scripted_llm import Answer, ScriptedLLM

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

SPOKEN = trimmed(spoken("My grandmother lives in Venezuela with eleven crocodiles.").pcm)
ANSWER = "Pineapples and xylophones belong to the archbishop of Mozambique."
TYPED = "The nickname of the submarine is butterscotch."
INSTRUCTIONS = "You are the receptionist of a lighthouse called Quasimodo."
KEY, API_KEY = "a key like a marmalade jar", "an api key like a walrus"
WORD = re.compile(r"[A-Za-z]{5,}")
HEARD = "conversation.item.input_audio_transcription.completed"


def secrets(caller: Caller, token: str) -> set[str]:
    """What must not be found, in lower case: words that somebody said or wrote, keys and tokens."""
    transcripts = [event["transcript"] for event in caller.of(HEARD)]
    assert any("crocodiles" in said for said in transcripts), transcripts
    said = " ".join([*transcripts, ANSWER, TYPED, INSTRUCTIONS.removeprefix("You are the")])
    words = {word.lower() for word in WORD.findall(said)} - {"called"}
    return words | {KEY, API_KEY, token.lower(), token.rpartition(".")[2].lower()}


async def token(url: str) -> str:
    """A client's, with instructions in it."""
    body = {"session": {"type": "realtime", "instructions": INSTRUCTIONS}}
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http,
        http.post(f"{url}/v1/realtime/client_secrets", json=body) as response,
    ):
        return str((await response.json())["value"])


async def metrics(url: str) -> str:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http,
        http.get(f"{url}/metrics") as response,
    ):
        assert response.status == 200
        return await response.text()


async def ask(caller: Caller, status: str) -> None:
    """Say something, and wait for what becomes of the answer, and for silence."""
    after = len(caller.events)
    await caller.say(SPOKEN)
    done = await caller.event("response.done", after=after, within_s=20.0)
    assert done["response"]["status"] == status, done
    await caller.quiet(0.7, within_s=30.0)


async def write(caller: Caller, status: str) -> None:
    """The same by hand, with instructions of the client's own."""
    after = len(caller.events)
    content = [{"type": "input_text", "text": TYPED}]
    caller.send({"type": "session.update", "session": {"type": "realtime", "instructions": INSTRUCTIONS}})
    caller.send({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}})
    caller.send({"type": "response.create"})
    done = await caller.event("response.done", after=after, within_s=20.0)
    assert done["response"]["status"] == status, done
    await caller.quiet(0.7, within_s=30.0)


def leaks(secrets: set[str], *texts: str) -> list[str]:
    """Lines that have one of them."""
    lines = [line for text in texts for line in text.splitlines()]
    return [line for line in lines if any(secret in line.lower() for secret in secrets)]


@pytest.fixture
def guarded(environment: dict[str, str]) -> dict[str, str]:
    """Settings of a server behind a key."""
    return {
        **environment,
        "ANTIPHON__SERVER__KEYS": json.dumps([KEY]),
        "ANTIPHON__LLM__API_KEY": API_KEY,
        "ANTIPHON__AGENT__INSTRUCTIONS": INSTRUCTIONS,
        "ANTIPHON__AGENT__APOLOGY": "Sorry.",
    }


@pytest.mark.parametrize("processes", [1, 2])
async def test_nothing_that_is_said_is_logged(guarded: dict[str, str], llm: ScriptedLLM, processes: int) -> None:
    """With `--verbose`, the libraries' debug lines included; a model that refuses by quoting, and one that rambles."""
    llm.mind = lambda _: ANSWER
    arguments = ["--verbose", "--processes", str(processes)]
    async with Server(guarded, arguments) as server:
        key = await token(server.url)
        async with Caller(server.url, token=key) as caller:
            await ask(caller, "completed")
            await write(caller, "completed")
            quoting = Answer(status=400, message=f"can not be answered: {TYPED} and {ANSWER}, says {INSTRUCTIONS}")
            for broken in (quoting, Answer(ANSWER.split(), fault="no chunk"), Answer(ANSWER.split(), fault="cut")):
                llm.mind = lambda _, broken=broken: broken  # type: ignore[misc]
                await write(caller, "failed")
            found = secrets(caller, key)
            texts = await asyncio.to_thread(server.log), await metrics(server.url)
            shown = await asyncio.to_thread(command_lines, server)
        assert "DEBUG" in texts[0]
        assert texts[0].count("reply failed") >= 3
        assert "antiphon_turns_total" in texts[1]
        assert leaks(found, *texts) == []
        assert leaks(found, shown) == []


async def test_an_engine_that_quotes_what_it_can_not_say_is_not_quoted(
    tmp_path: Path, guarded: dict[str, str], llm: ScriptedLLM
) -> None:
    llm.mind = lambda _: ANSWER
    async with breakable(tmp_path, guarded) as broken:
        key = await token(broken.url)
        async with Caller(broken.url, token=key) as caller:
            await broken.order("tts quote")
            await ask(caller, "failed")
            await broken.order("asr quote")
            await caller.say(SPOKEN)
            await caller.event("conversation.item.input_audio_transcription.failed", within_s=10.0)
            found = secrets(caller, key)
            texts = await asyncio.to_thread(broken.server.log), await metrics(broken.url)
        assert "ValueError" in texts[0]
        assert "breakable.py" in texts[0], "where it failed is what the log is for"
        assert leaks(found, *texts) == []


async def test_the_embedded_language_model_keeps_its_prompts_to_itself(guarded: dict[str, str]) -> None:
    """Its own log is quoted when it dies."""
    async with Server(
        {**guarded, "ANTIPHON__LLM__URL": "", "ANTIPHON__LLM__MODEL": "smollm2"}, ["--verbose"]
    ) as server:
        key = await token(server.url)
        async with Caller(server.url, token=key) as caller:
            await ask(caller, "completed")
            after = len(caller.events)
            await caller.say(SPOKEN)
            await caller.event("response.output_audio_transcript.delta", after=after, within_s=10.0)
            await asyncio.to_thread(kill_language_model, server)
            await caller.event("response.done", after=after, within_s=10.0)
            await caller.quiet(0.7, within_s=30.0)
            answers = [event["transcript"] for event in caller.of("response.output_audio_transcript.done")]
            found = secrets(caller, key).union(*map(runs, answers))
            texts = await asyncio.to_thread(server.log), await metrics(server.url)
        assert "llm child ended" in texts[0]
        assert leaks(found, *texts) == []


def runs(said: str) -> set[str]:
    """Each three words in a row, in lower case: a single one may be in anybody's log."""
    words = said.lower().split()
    return {" ".join(words[n : n + 3]) for n in range(len(words) - 2)}


def kill_language_model(server: Server) -> None:
    next(one for one in server.processes() if "agent.engines.llm.llama_child" in one.cmdline()).kill()


def command_lines(server: Server) -> str:
    """What anybody on the machine can see of the server's processes."""
    return "\n".join(" ".join(psutil.Process(one.pid).cmdline()) for one in server.processes())
