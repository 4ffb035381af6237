"""Calls on two processes behind one port, with the models in a third."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil
import pytest
from aiohttp import web

from agent.audio import EAR_RATE, resample, to_wave
from agent.caller import Caller, trimmed
from agent.engine_host import host
from agent.engines.local import LocalEngines
from agent.engines.protocols import Message, Recognizer
from agent.engines.shared import SharedEngines
from agent.errors import EngineError, SignalingError
from agent.loading import Loader
from agent.settings import load
from bench.speech import spoken
from signaling.processes import Processes
from tests.people import models_missing, running, second_ears, transcribed

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

QUESTION = trimmed(spoken("What is the capital of France?").pcm)
FLAGS: dict[str, dict[str, Any]] = {
    "server": {"processes": 2},
    "llm": {"model": "smollm2"},
    "limits": {"calls": 3, "peer_gone_s": 2.0, "reconnect_s": 0.0},
}
SETTINGS = load(None, **FLAGS)


@pytest.fixture(scope="module")
def ears() -> Recognizer:
    return second_ears()


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, Processes]]:
    processes = Processes(SETTINGS, config=None, flags=FLAGS, verbose=False)
    async with running(processes) as url:
        yield url, processes


async def test_calls_are_shared_out_answered_and_hung_up(server: tuple[str, Processes], ears: Recognizer) -> None:
    url, processes = server
    async with Caller(url) as first, Caller(url) as second, Caller(url) as third:
        assert sorted(len(each.calls) for each in processes._all) == [1, 2]
        with pytest.raises(SignalingError, match="busy"):
            async with Caller(url):
                pass
        for caller in (first, second):
            end = await caller.say(QUESTION)
            await caller.hears(end, within_s=10.0)
            await caller.hears_silence(0.7, within_s=20.0)
            said = await asyncio.to_thread(transcribed, ears, caller.ear.sound(since=end))
            assert "paris" in said.lower()
        assert await asked(url, "antiphon_turns_total") == {"1": 1.0, "2": 1.0}
        async with aiohttp.ClientSession() as http:
            async with http.delete(f"{url}/v1/realtime/calls/rtc_none") as response:
                assert (response.status, (await response.json())["error"]["code"]) == (404, "call_not_found")
            fragment = "".join(
                f"{line}\r\n"
                for line in third._pc.localDescription.sdp.splitlines()
                if line.startswith(("a=ice-ufrag:", "a=candidate:"))
            )
            headers = {"Content-Type": "application/trickle-ice-sdpfrag"}
            for text, status in ((fragment, 204), (fragment.replace("ufrag:", "ufrag:x"), 422)):
                async with http.patch(third.location, data=text, headers=headers) as response:
                    assert response.status == status
        await third.hang_up()
        await fewer_than(3, processes)
    await fewer_than(1, processes)


async def test_people_of_one_room_are_in_one_process(server: tuple[str, Processes]) -> None:
    """However many calls it has; others go where there are fewer, and the last one to leave leaves nothing."""
    url, processes = server
    async with Caller(url, room="kitchen", name="Anna") as anna, Caller(url, room="kitchen", name="Ben"):
        assert sorted(len(each.calls) for each in processes._all) == [0, 2]
        async with Caller(url):
            assert sorted(len(each.calls) for each in processes._all) == [1, 2]
        await anna.hang_up()
        await fewer_than(2, processes)
        async with Caller(url, room="kitchen", name="Anna"):
            assert sorted(len(each.calls) for each in processes._all) == [0, 2]
    await fewer_than(1, processes)
    assert not processes._seats.people("kitchen")


async def test_a_process_that_dies_takes_only_its_own_calls(server: tuple[str, Processes]) -> None:
    url, processes = server
    async with Caller(url) as first, Caller(url) as second:
        await asyncio.to_thread(kill_one)
        ends = [await caller.say(QUESTION) for caller in (first, second)]
        heard = await asyncio.gather(
            *(caller.hears(end, within_s=6.0) for caller, end in zip((first, second), ends, strict=True)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, TimeoutError) for one in heard) == 1, heard
        async with asyncio.timeout(20.0):
            while not all(each.ready for each in processes._all):  # noqa: ASYNC110 - no event for both
                await asyncio.sleep(0.05)
        async with Caller(url) as next_one:
            end = await next_one.say(QUESTION)
            await next_one.hears(end, within_s=10.0)


def kill_one() -> None:
    """The end of one of the processes that hold calls, without a word."""
    next(child for child in psutil.Process().children() if "signaling.call_process" in child.cmdline()).kill()


async def lend(path: Path, ready: asyncio.Event) -> None:
    """Our own engines behind a socket, until cancelled."""
    loader = Loader(SETTINGS, LocalEngines(SETTINGS))
    try:
        async with asyncio.TaskGroup() as group:
            runner = web.AppRunner(host(await loader.load(group)), access_log=None, shutdown_timeout=0.5)
            await runner.setup()
            try:
                await web.UnixSite(runner, str(path)).start()
                ready.set()
                await asyncio.Event().wait()
            finally:
                await runner.cleanup()
    finally:
        loader.close()


async def test_engines_behind_a_socket_are_as_good_as_ones_own(tmp_path: Path) -> None:
    """The same words, the same voice; and what an engine refuses comes back as its own error."""
    socket, ready = tmp_path / "engines", asyncio.Event()
    lending = asyncio.ensure_future(lend(socket, ready))
    await ready.wait()
    lent = SharedEngines(SETTINGS, socket)
    asr, tts = await asyncio.to_thread(lent.asr), await asyncio.to_thread(lent.tts)
    turn, chat = await asyncio.to_thread(lent.turn), lent.llm()
    chatting = asyncio.ensure_future(chat.run())
    try:
        pcm = np.concatenate(await asyncio.to_thread(lambda: list(tts.speak("Hello there.", voice="", language="en"))))
        assert 0.4 < len(pcm) / tts.rate < 2.0
        wave = to_wave(resample(pcm, tts.rate, EAR_RATE))
        assert "hello" in (await asyncio.to_thread(asr.transcribe, wave, language="en", prompt="")).text.lower()
        assert 0.0 <= await asyncio.to_thread(turn.finished, wave) <= 1.0
        assert asr.knows("en-US")
        assert not asr.knows("xx")
        with pytest.raises(EngineError, match="xx"):
            await asyncio.to_thread(asr.transcribe, wave, language="xx", prompt="")
        with pytest.raises(EngineError, match="gone"):
            await asyncio.to_thread(SharedEngines(SETTINGS, tmp_path / "none").asr)
        question = [Message("system", "Answer briefly."), Message("user", "What color is the sky?")]
        assert await chat.ends(question) is not None
        assert "blue" in "".join([piece async for piece in chat.reply(question) if isinstance(piece, str)])
    finally:
        for task in (chatting, lending):
            task.cancel()
        await asyncio.wait({chatting, lending})


async def fewer_than(count: int, processes: Processes) -> None:
    """Wait until there are."""
    async with asyncio.timeout(6.0):
        while sum(len(each.calls) for each in processes._all) >= count:  # noqa: ASYNC110 - the count comes by itself
            await asyncio.sleep(0.02)


async def asked(url: str, counter: str) -> dict[str, float]:
    """A counter by process."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as response:
        found = re.findall(rf'^{counter}{{process="(\d)"}} (\S+)', await response.text(), re.MULTILINE)
    return {process: float(value) for process, value in found}
