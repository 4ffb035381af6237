# mypy: disable-error-code="import-not-found,untyped-decorator"
"""openai-agents' `RealtimeSession`."""

from __future__ import annotations

import asyncio
from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner

from tests.conformance.clients.stage import (
    ASKED,
    MOMENT_S,
    RATE,
    STORY,
    TYPED,
    WEATHER,
    Microphone,
    Orders,
    listen_for_complaints,
    orders,
    socket,
    tell,
    until,
)


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    tell("called", city=city)
    return WEATHER


class Ears:
    """What came, as a program with this client sees it."""

    def __init__(self) -> None:
        self.voice = b""
        self.heard = self.started = self.ended = 0
        self.answers: dict[str, str] = {}
        """transcript of each answer, by its item"""

    async def read(self, session: Any) -> None:
        """All that comes."""
        async for event in session:
            self.take(event)

    def take(self, event: Any) -> None:
        """One event of the session."""
        match event.type:
            case "audio":
                self.voice += event.audio.data
            case "audio_interrupted":
                tell("interrupted")
            case "error":
                tell("wrong", text=repr(event.error)[:500])
            case "history_added" | "history_updated":
                items = [event.item] if event.type == "history_added" else event.history
                for item in items:
                    if item.type == "message" and item.role == "assistant":
                        self.answers[item.item_id] = "".join(getattr(p, "transcript", None) or "" for p in item.content)
            case "raw_model_event":
                self.raw(event.data)

    def raw(self, event: Any) -> None:
        """One event of the model below."""
        match event.type:
            case "input_audio_transcription_completed":
                tell("heard", text=event.transcript)
                self.heard += 1
            case "turn_started":
                self.started += 1
            case "turn_ended":
                self.ended += 1
            case "exception":
                tell("wrong", text=repr(event)[:500])
            case "raw_server_event" if event.data["type"] in ("session.created", "conversation.item.truncated"):
                kind = event.data["type"]
                tell("first", type=kind) if kind == "session.created" else tell(
                    "truncated", ms=event.data["audio_end_ms"]
                )


async def connected(url: str, key: str, agent: Any) -> Any:
    """A session with this server."""
    runner = RealtimeRunner(agent, config={"model_settings": {"model_name": "gpt-realtime"}})
    return await runner.run(model_config={"url": f"{socket(url)}?model=gpt-realtime", "api_key": key})


async def converse(do: Orders) -> None:
    """A spoken, an interrupted and a typed turn."""
    agent = RealtimeAgent(name="Assistant", instructions="You are helpful.")
    async with await connected(do.url, do.key, agent) as session, asyncio.TaskGroup() as group:
        ears, microphone = Ears(), Microphone()
        tasks = [group.create_task(ears.read(session)), group.create_task(microphone.run(session.send_audio))]
        tell("turn", kind="spoken")
        microphone.say(do.question)
        await until(lambda: ears.heard and ears.ended, "an answer")
        do.voice.write_bytes(ears.voice)
        await until(lambda: any(ears.answers.values()), "its text")
        told = dict(ears.answers)
        tell("answer", text="".join(told.values()))

        tell("turn", kind="interrupted")
        ears.voice = b""
        await session.send_message(STORY)
        await until(lambda: ears.voice, "the story")
        await asyncio.sleep(MOMENT_S)
        started = ears.started
        microphone.say(do.interruption)
        await until(lambda: ears.started > started and ears.ended == ears.started, "another answer")

        tell("turn", kind="typed")
        ears.voice, before = b"", dict(ears.answers)
        await session.send_message(TYPED)
        await until(lambda: ears.ended == started + 2, "an answer")
        await asyncio.sleep(0.5)
        tell("answer", text="".join(text for item, text in ears.answers.items() if item not in before))
        tell("sound", s=len(ears.voice) / 2 / RATE)
        for task in tasks:
            task.cancel()


async def call_a_tool(do: Orders) -> None:
    """A typed question that needs one."""
    agent = RealtimeAgent(name="Assistant", instructions="You are helpful.", tools=[get_weather])
    tell("turn", kind="tool")
    async with await connected(do.tools_url, do.key, agent) as session, asyncio.TaskGroup() as group:
        ears = Ears()
        reading = group.create_task(ears.read(session))
        await session.send_message(ASKED)
        await until(lambda: any(ears.answers.values()), "an answer")
        tell("answer", text="".join(ears.answers.values()))
        reading.cancel()


async def main(do: Orders) -> None:
    """Both."""
    await converse(do)
    await call_a_tool(do)


if __name__ == "__main__":
    listen_for_complaints()
    asyncio.run(main(orders()))
