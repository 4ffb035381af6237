"""What every language model must do, by the OpenAI client against a scripted server and by the embedded child."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import psutil
import pytest

from agent.engines.llm.embedded import Embedded
from agent.engines.llm.openai import OpenAIChat
from agent.engines.protocols import Message, Piece
from agent.errors import EngineError, ModelMissing
from tests.scripted_llm import Answer, Fault, Mind, ScriptedLLM, scripted_llm

PROMPT = [Message("system", "You are a friendly voice assistant."), Message("user", "What is the capital of France?")]
LONG = [Message("system", "You are a friendly voice assistant."), Message("user", "Tell me a fun fact about the moon.")]


@asynccontextmanager
async def chat(
    mind: Mind, *, timeout_s: float = 5.0, warm_s: float = 5.0
) -> AsyncIterator[tuple[OpenAIChat, ScriptedLLM]]:
    async with scripted_llm(mind) as server:
        llm = OpenAIChat(url=server.url, model="m", api_key="secret", timeout_s=timeout_s, warm_s=warm_s)
        try:
            yield llm, server
        finally:
            await llm.close()


async def test_tokens_arrive_in_order_and_the_request_is_what_openai_expects() -> None:
    async with chat(lambda messages: Answer(["The ", "capital", " is", " Paris", "."])) as (llm, server):
        pieces = [piece async for piece in llm.reply(PROMPT)]
        assert pieces[:-1] == ["The ", "capital", " is", " Paris", "."]
    body = server.requests[0]
    assert body["messages"] == [{"role": message.role, "content": message.text} for message in PROMPT]
    assert body["stream"] is True
    assert body["model"] == "m"
    assert server.keys == ["Bearer secret"]
    assert not server.aborted.is_set()


async def test_an_empty_reply_is_empty() -> None:
    async with chat(lambda messages: Answer()) as (llm, _):
        assert [piece async for piece in llm.reply(PROMPT) if isinstance(piece, str)] == []


@pytest.mark.parametrize("fault", ["stall", "cut", "half json", "no end", "keep-alive only"])
async def test_a_reply_that_breaks_off_is_an_error_after_its_tokens(fault: Fault) -> None:
    async with chat(lambda messages: Answer(["One", " two"], fault=fault), timeout_s=0.2) as (llm, server):
        heard: list[Piece] = []
        with pytest.raises(EngineError) as caught:
            async for delta in llm.reply(PROMPT):
                heard.append(delta)  # noqa: PERF401  # what came before the error counts
        assert heard == ["One", " two"]
        assert server.url in str(caught.value)


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(500, "log"), (503, "loading"), (401, "API key"), (404, "/v1"), (429, "limits"), (400, "options")],
)
async def test_a_refusal_says_where_and_what_to_do(status: int, remedy: str) -> None:
    async with chat(lambda messages: Answer(status=status)) as (llm, server):
        with pytest.raises(EngineError) as caught:
            await anext(llm.reply(PROMPT))
    assert server.url in str(caught.value)
    assert f"HTTP {status}" in str(caught.value)
    assert remedy in str(caught.value)


async def test_an_address_where_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        llm = OpenAIChat(url=url, model="m", warm_s=0.6)
        with pytest.raises(EngineError, match="--llm-url") as caught:
            await anext(llm.reply(PROMPT))
        assert url in str(caught.value)
        with pytest.raises(EngineError, match="--llm-url"):
            await llm.warm(PROMPT)
        await llm.close()


@pytest.mark.parametrize("how", ["aclose", "cancel"])
async def test_closing_aborts_the_request_at_once(how: str) -> None:
    async with chat(lambda messages: Answer(["la "], forever=True, token_s=0.001)) as (llm, server):

        async def listen() -> None:
            async with aclosing(llm.reply(PROMPT)) as deltas:
                async for _ in deltas:
                    if server.sent >= 5 and how == "aclose":
                        return

        async with asyncio.TaskGroup() as group:
            task = group.create_task(listen())
            while server.sent < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            if how == "cancel":
                task.cancel()
        await server.aborted.wait()


async def test_cancelling_before_the_first_token_aborts_the_request() -> None:
    async with chat(lambda messages: Answer(fault="stall")) as (llm, server):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(anext(llm.reply(PROMPT)))
            while not server.requests:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            task.cancel()
        await server.aborted.wait()


async def test_warming_waits_for_a_server_that_loads_and_asks_for_one_token() -> None:
    answers = iter([Answer(status=503), Answer(["Hi", " there"])])
    async with chat(lambda messages: next(answers)) as (llm, server):
        await llm.warm(PROMPT[:1])
    assert [body["max_tokens"] for body in server.requests] == [1, 1]
    assert [message["role"] for message in server.requests[1]["messages"]] == ["system", "user"]


@pytest.mark.parametrize(("status", "requests"), [(401, 1), (404, 1)])
async def test_warming_does_not_wait_for_what_will_not_change(status: int, requests: int) -> None:
    async with chat(lambda messages: Answer(status=status)) as (llm, server):
        with pytest.raises(EngineError, match=str(status)):
            await llm.warm(PROMPT)
    assert len(server.requests) == requests


async def test_warming_gives_up() -> None:
    async with chat(lambda messages: Answer(status=503), warm_s=0.4) as (llm, _):
        with pytest.raises(EngineError, match="loading"):
            await llm.warm(PROMPT)


# The embedded child.


@asynccontextmanager
async def running(llm: Embedded) -> AsyncIterator[Embedded]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(llm.run())
        try:
            yield llm
        finally:
            task.cancel()


@pytest.fixture
def embedded() -> Embedded:
    try:
        return Embedded(model="smollm2", context_tokens=1024, parallel=2, spill_mib=0, timeout_s=4.0)
    except ModelMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def no_model(tmp_path: Path) -> Embedded:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(1000))
    return Embedded(model=str(broken))


def is_gone(pid: int) -> bool:
    """Dead and reaped: a zombie could still be signalled."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.models
async def test_the_embedded_model_answers(embedded: Embedded) -> None:
    async with running(embedded) as llm:
        await llm.warm(PROMPT[:1])
        assert "Paris" in "".join([piece async for piece in llm.reply(PROMPT) if isinstance(piece, str)])
        assert llm.restarts == 0


@pytest.mark.models
async def test_a_killed_child_is_an_error_at_once_and_then_replaced(
    embedded: Embedded, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(embedded) as llm:
        await llm.warm(PROMPT[:1])
        first = llm.pid
        with pytest.raises(EngineError, match=r"stopped; it is being restarted$"):
            async for _ in llm.reply(LONG):
                if llm.pid == first:
                    assert first is not None
                    os.kill(first, signal.SIGKILL)
        assert "Paris" in "".join([piece async for piece in llm.reply(PROMPT) if isinstance(piece, str)])
        assert llm.restarts == 1
        assert llm.pid != first
        assert "SIGKILL" in caplog.text, "why it died is in the log"


@pytest.mark.models
async def test_a_hanging_child_is_replaced(embedded: Embedded) -> None:
    async with running(embedded) as llm:
        await llm.warm(PROMPT[:1])
        assert llm.pid is not None
        os.kill(llm.pid, signal.SIGSTOP)
        with pytest.raises(EngineError, match="restarted"):
            await anext(llm.reply(PROMPT))
        assert "Paris" in "".join([piece async for piece in llm.reply(PROMPT) if isinstance(piece, str)])


@pytest.mark.models
async def test_no_child_is_left(embedded: Embedded) -> None:
    async with running(embedded) as llm:
        await llm.warm(PROMPT[:1])
        pid = llm.pid
        assert pid is not None
        async with aclosing(llm.reply(LONG)) as deltas:
            await anext(deltas)
    assert is_gone(pid)
    assert llm.pid is None


@pytest.mark.models
async def test_no_child_is_left_when_it_is_cancelled_while_it_starts(embedded: Embedded) -> None:
    async with running(embedded) as llm:
        while (pid := llm.pid) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert is_gone(pid)


@pytest.mark.models
async def test_a_file_that_is_no_model_says_so(no_model: Embedded) -> None:
    async with running(no_model) as llm:
        with pytest.raises(EngineError, match=r"broken\.gguf exited with status 1.*can not be loaded"):
            await llm.warm(PROMPT)


PARENT = """
import asyncio, os, signal
from agent.engines.llm.embedded import Embedded
from agent.engines.protocols import Message, Piece

async def main():
    llm = Embedded(model="smollm2", context_tokens=512, parallel=1, spill_mib=0)
    task = asyncio.create_task(llm.run())
    await llm.warm([Message("system", "Be brief.")])
    print(llm.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.models
def test_the_child_ends_when_its_parent_is_killed(embedded: Embedded) -> None:
    parent = subprocess.run([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, check=False)
    assert parent.returncode == -signal.SIGKILL
    orphan = int(parent.stdout)
    while psutil.pid_exists(orphan) and psutil.Process(orphan).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)


def test_a_file_that_is_not_there_says_so() -> None:
    with pytest.raises(ModelMissing, match="no such file"):
        Embedded(model="/nowhere/model.gguf")
