"""Rarer things over a WebSocket: silence, answers on the side, voices, limits, and clients that behave badly."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio

from agent.audio import resample
from agent.settings import load
from agent.worker import Worker
from bench.speech import SENTENCES, spoken
from tests.people import models_missing, serving
from tests.scripted_llm import Answer, ScriptedLLM, scripted_llm
from tests.socket_client import RATE, Event, SocketClient, connected

pytestmark = [
    pytest.mark.models,
    pytest.mark.asyncio,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(120),
]

QUESTION = "What is the capital of France?"
STORY = " ".join(SENTENCES[:3])
FOREVER = "Say it again and again."
Server = tuple[str, Worker, ScriptedLLM]


@pytest.fixture(scope="module", autouse=True)
def sentences() -> None:
    """Speak them before the loop runs."""
    spoken(QUESTION)


def mind(messages: list[dict[str, str]]) -> Answer | str:
    """Stories, short answers, and one that never ends."""
    asked = messages[-1]["content"]
    if FOREVER in asked:
        return Answer(["again "], token_s=0.05, forever=True)
    return STORY if "story" in asked else "Yes."


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    """A server whose model answers as `mind` has it."""
    async with scripted_llm(mind) as llm:
        settings = await asyncio.to_thread(load, None, llm={"url": llm.url, "model": "scripted"})
        async with serving(settings) as (url, worker):
            yield url, worker, llm


async def detection(client: SocketClient, **wanted: object) -> Event:
    """Set how turns end; the session as it then is."""
    turn = {"turn_detection": {"type": "server_vad", **wanted}}
    await client.send("session.update", session={"type": "realtime", "audio": {"input": turn}})
    session: Event = (await client.until("session.updated"))["session"]
    return session


async def test_silence_after_an_answer_is_an_item_and_is_asked_about(server: Server) -> None:
    async with connected(server[0]) as client:
        session = await detection(client, idle_timeout_ms=1500)
        assert session["audio"]["input"]["turn_detection"]["idle_timeout_ms"] == 1500
        await client.ask("Hello?")
        await client.until("response.done")
        mark = len(client.events)
        triggered = await client.until("input_audio_buffer.timeout_triggered", after=mark)
        assert 1200 <= triggered["audio_end_ms"] - triggered["audio_start_ms"] <= 2200
        done = await client.until("response.done", after=mark)
        assert [kind for kind in client.types(mark) if kind.startswith(("input", "conversation", "response.cre"))][
            :5
        ] == [
            "input_audio_buffer.timeout_triggered",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]
        assert (await client.until("input_audio_buffer.committed", after=mark))["item_id"] == triggered["item_id"]
        assert "still there" in done["response"]["output"][0]["content"][0]["transcript"]


async def test_who_wants_no_answers_gets_them_only_when_asked_for(server: Server) -> None:
    async with connected(server[0]) as client:
        await detection(client, create_response=False)
        client.say(spoken(QUESTION).pcm)
        await client.until("conversation.item.input_audio_transcription.completed")
        await asyncio.sleep(1.0)
        assert "response.created" not in client.types()
        await client.send("response.create")
        await client.until("response.done")


async def test_who_wants_no_interruptions_hears_the_answer_to_its_end(server: Server) -> None:
    async with connected(server[0]) as client:
        await detection(client, interrupt_response=False)
        await client.ask("Tell me a story.")
        await client.until("response.output_audio.delta")
        await asyncio.sleep(1.0)
        client.say(spoken(QUESTION).pcm)
        done = await client.until("response.done")
        assert done["response"]["status"] == "completed"
        heard = await client.until("conversation.item.input_audio_transcription.completed")
        assert "France" in heard["transcript"]
        told = next(iter(server[1]._rooms.calls.values())).room._conversation.history.find(
            done["response"]["output"][0]["id"]
        )
        assert told is not None
        assert told.complete


@pytest.mark.parametrize("modality", ["text", "audio"])
async def test_an_answer_on_the_side_leaves_no_trace(server: Server, modality: str) -> None:
    url, worker, llm = server
    async with connected(url, microphone=False) as client:
        await client.ask("Tell me a story.", id="told")
        await client.until("response.created")
        mark = len(client.events)
        aside = {
            "conversation": "none",
            "output_modalities": [modality],
            "instructions": "Classify.",
            "metadata": {"topic": "class"},
            "input": [
                {"type": "item_reference", "id": "told"},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Is it one?"}]},
            ],
        }
        await client.send("response.create", response=aside)
        await client.until("response.done", 2)
        done = [e["response"] for e in client.events if e["type"] == "response.done"]
        side = next(each for each in done if each["metadata"] == {"topic": "class"})
        assert side["conversation_id"] is None
        content = side["output"][0]["content"][0]
        assert content.get("text", content.get("transcript")).strip() == "Yes."
        prompt = next(r["messages"] for r in llm.requests if r["messages"][0]["content"] == "Classify.")
        assert "Tell me a story." in prompt[1]["content"]
        assert "Is it one?" in prompt[-1]["content"]
        item = side["output"][0]["id"]
        assert not [
            e
            for e in client.events[mark:]
            if e["type"].startswith("conversation.item") and e.get("item", {}).get("id") == item
        ]
        deltas = [e for e in client.events if e["type"] == "response.output_audio.delta" and e["item_id"] == item]
        assert bool(deltas) == (modality == "audio")
        history = next(iter(worker._rooms.calls.values())).room._conversation.history
        assert history.find(item) is None


async def test_an_answer_on_the_side_is_cancelled_by_its_id_and_wrong_ones_are_refused(server: Server) -> None:
    async with connected(server[0], microphone=False) as client:
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": FOREVER}]}
        aside = {"conversation": "none", "output_modalities": ["text"], "input": [message]}
        await client.send("response.create", response=aside)
        begun = (await client.until("response.created"))["response"]["id"]
        await client.until("response.output_text.delta")
        await client.send("response.cancel", response_id="resp_none")
        assert (await client.until("error"))["error"]["code"] == "response_cancel_not_active"
        await client.ask("Hello?")
        await client.until("response.done")
        await client.send("response.cancel", response_id=begun)
        cancelled = (await client.until("response.done", 2))["response"]
        assert (cancelled["id"], cancelled["status"]) == (begun, "cancelled")
        assert cancelled["status_details"]["reason"] == "client_cancelled"
        await client.send("response.create", response={"conversation": "none", "input": [{"type": "mcp_call"}]})
        assert (await client.until("error", 2))["error"]["param"] == "response.input.0"
        await client.send("response.create", response={"conversation": "none", "metadata": {"a": 1}})
        assert (await client.until("error", 3))["error"]["code"] == "invalid_type"
        for _ in range(5):
            await client.send("response.create", response=aside)
        assert "already" in (await client.until("error", 4))["error"]["message"]


async def test_a_turn_and_the_wish_for_its_answer_may_come_at_once(server: Server) -> None:
    async with connected(server[0], microphone=False) as client:
        await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        audio = base64.b64encode(resample(spoken(QUESTION).pcm, 48_000, RATE).tobytes()).decode()
        await client.send("input_audio_buffer.append", audio=audio)
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        await client.until("response.done")
        kinds = client.types()
        assert kinds.index("input_audio_buffer.committed") < kinds.index("response.created")
        assert "France" in server[2].requests[-1]["messages"][-1]["content"]


async def test_a_session_that_has_taken_as_long_as_it_may_is_told_so_and_closed() -> None:
    settings = await asyncio.to_thread(load, None, limits={"longest_s": 2.0})
    async with serving(settings) as (url, _), connected(url, microphone=False) as client:
        assert abs(client.events[0]["session"]["expires_at"] - time.time() - 2.0) < 1.5
        assert (await client.until("error"))["error"]["code"] == "session_expired"
        await client.ended()
        assert client.close_code == 1000


async def test_a_voice_and_its_pace_are_the_clients_to_choose(server: Server) -> None:
    async with connected(server[0], microphone=False) as client:
        lengths = []
        for speed in (0.75, 1.5):
            output, mark = {"voice": "alloy", "speed": speed}, len(client.events)
            await client.send("session.update", session={"type": "realtime", "audio": {"output": output}})
            session = (await client.until("session.updated", after=mark))["session"]
            assert session["audio"]["output"]["voice"] == "alloy"
            assert session["audio"]["output"]["speed"] == speed
            await client.ask("Tell me a story.")
            done = await client.until("response.done", after=mark)
            assert done["response"]["audio"]["output"]["voice"] == "alloy"
            lengths.append(len(client.voice(mark)))
            await client.send("response.cancel")
        assert 1.5 < lengths[0] / lengths[1] < 2.5
        await client.send("session.update", session={"type": "realtime", "audio": {"output": {"speed": 9.0}}})
        errors = [e["error"] for e in client.events if e["type"] == "error"]
        error = (await client.until("error", len(errors) + 1))["error"]
        assert error["param"] == "session.audio.output.speed"


async def test_a_flood_of_nonsense_is_answered_up_to_its_limit_and_delays_nobody(server: Server) -> None:
    async with connected(server[0], microphone=False) as client, connected(server[0], microphone=False) as other:
        for n in range(2000):
            await client._socket.send_str('{"type":"nope"}' if n % 2 else "[")
        began = asyncio.get_running_loop().time()
        await other.ask("Hello?")
        await other.until("response.created")
        assert asyncio.get_running_loop().time() - began < 1.0
        answered = 0
        while (await client.until("error", answered + 1))["error"]["code"] != "rate_limit_exceeded":
            answered += 1
        assert answered >= 400, "two seconds' worth may come at once"
        while "session.updated" not in client.types():  # as soon as there is room again
            await client.send("session.update", session={"type": "realtime"})
            await asyncio.sleep(0.05)
        await client.ask("Hello?")
        await client.until("response.done")


async def test_what_comes_in_the_wrong_order_is_an_error_and_the_session_lives(server: Server) -> None:
    async with connected(server[0], microphone=False) as client:
        wrong: list[tuple[str, dict[str, object], str]] = [
            ("input_audio_buffer.commit", {}, "input_audio_buffer_commit_empty"),
            ("input_audio_buffer.append", {"audio": "*"}, "invalid_value"),
            ("input_audio_buffer.append", {}, "missing_required_parameter"),
            ("conversation.item.truncate", {"item_id": "none", "audio_end_ms": 1}, "item_truncate_invalid_item_id"),
            ("conversation.item.truncate", {"item_id": "none", "audio_end_ms": -1}, "integer_below_min_value"),
            ("conversation.item.delete", {"item_id": "none"}, "item_delete_invalid_item_id"),
            ("session.update", {}, "missing_required_parameter"),
            ("session.update", {"session": {"type": "transcription"}}, "invalid_value"),
            ("response.create", {"response": {"output_modalities": ["smoke"]}}, "invalid_value"),
        ]
        for count, (kind, fields, code) in enumerate(wrong, 1):
            await client.send(kind, **fields)
            assert (await client.until("error", count))["error"]["code"] == code, kind
        telephone = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
        await client.send("session.update", session=telephone)  # long, and yet few bytes
        silence = base64.b64encode(b"\xff" * 8000 * 250).decode()
        for _ in range(4):
            await client.send("input_audio_buffer.append", audio=silence)
        assert "wait to be heard" in (await client.until("error", len(wrong) + 1))["error"]["message"]
        await client.ask("Hello?")
        await client.until("response.done")


async def test_a_message_that_is_too_large_closes_the_session(server: Server) -> None:
    async with connected(server[0], microphone=False) as client:
        with suppress(ConnectionError):  # the server may hang up before it was sent all of it
            await client.send("input_audio_buffer.append", audio="A" * (33 << 20))
        await client.ended()
        assert client.close_code in (1006, 1009), "1006: the connection broke before its reason was read"
    async with connected(server[0], microphone=False) as client:
        await client.ask("Hello?")
        await client.until("response.done")
