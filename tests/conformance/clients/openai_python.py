# mypy: disable-error-code="import-not-found"
"""openai-python's `client.realtime.connect`."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from tests.conformance.clients.stage import (
    ASKED,
    MOMENT_S,
    PATIENCE_S,
    RATE,
    STORY,
    TYPED,
    WEATHER,
    Microphone,
    Orders,
    listen_for_complaints,
    orders,
    tell,
    until,
)

STRICT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {"type": "function", "name": "get_weather", "description": "The weather in a city.", "parameters": CITY}


class Ears:
    """What came, as a program with this client sees it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.voice = b""
        self.began = 0.0
        self.heard = self.created = self.done = 0

    async def read(self) -> None:
        """Take events until the connection ends."""
        first = True
        async for event in self._connection:
            if first:
                tell("first", type=event.type)
                first = False
            STRICT.validate_json(event.to_json(exclude_none=False, exclude_unset=True), strict=True)
            await self.take(event)

    async def take(self, event: Any) -> None:
        """One event."""
        match event.type:
            case "conversation.item.input_audio_transcription.completed":
                tell("heard", text=event.transcript)
                self.heard += 1
            case "response.created":
                self.created += 1
            case "response.output_audio.delta":
                self.began = self.began or time.monotonic()
                self.voice += base64.b64decode(event.delta)
                self.item = event.item_id
            case "response.output_audio_transcript.done":
                tell("answer", text=event.transcript)
            case "response.done":
                tell("done", status=event.response.status)
                self.done += 1
            case "input_audio_buffer.speech_started" if self.began:
                played_ms = round((time.monotonic() - self.began) * 1000)
                if played_ms < len(self.voice) / 2 / RATE * 1000:
                    tell("interrupted")
                    await self._connection.conversation.item.truncate(
                        item_id=self.item, content_index=0, audio_end_ms=played_ms
                    )
            case "conversation.item.truncated":
                tell("truncated", ms=event.audio_end_ms)
            case "error":
                tell("wrong", text=json.dumps(event.error.to_dict()))


async def converse(do: Orders) -> None:
    """A spoken, an interrupted and a typed turn."""
    client = AsyncOpenAI(base_url=do.url, api_key=do.key)
    async with client.realtime.connect(model="gpt-realtime") as connection, asyncio.TaskGroup() as group:
        ears, microphone = Ears(connection), Microphone()
        tasks = [
            group.create_task(ears.read()),
            group.create_task(microphone.run(lambda pcm: connection.input_audio_buffer.append(audio=_text(pcm)))),
        ]
        await connection.session.update(session={"type": "realtime", "instructions": "Answer in one sentence."})

        async def ask(text: str) -> None:
            await connection.conversation.item.create(
                item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
            )
            await connection.response.create()

        tell("turn", kind="spoken")
        microphone.say(do.question)
        await until(lambda: ears.heard and ears.done, "an answer")
        do.voice.write_bytes(ears.voice)

        tell("turn", kind="interrupted")
        await connection.session.update(session={"type": "realtime", "instructions": "You tell long stories."})
        ears.voice, ears.began = b"", 0.0
        await ask(STORY)
        await until(lambda: ears.began, "the story")
        await asyncio.sleep(MOMENT_S)
        created = ears.created
        microphone.say(do.interruption)
        await until(lambda: ears.created > created and ears.done == ears.created, "another answer")

        tell("turn", kind="typed")
        ears.voice, ears.began = b"", 0.0
        await ask(TYPED)
        await until(lambda: ears.done == created + 2, "an answer")
        tell("sound", s=len(ears.voice) / 2 / RATE)
        for task in tasks:
            task.cancel()


async def call_a_tool(do: Orders) -> None:
    """A typed question that needs one."""
    client = AsyncOpenAI(base_url=do.tools_url, api_key=do.key)
    tell("turn", kind="tool")
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(session={"type": "realtime", "tools": [TOOL]})
        content = [{"type": "input_text", "text": ASKED}]
        message: Any = {"type": "message", "role": "user", "content": content}
        await connection.conversation.item.create(item=message)
        await connection.response.create()
        event: Any
        async for event in connection:
            STRICT.validate_json(event.to_json(exclude_none=False, exclude_unset=True), strict=True)
            match event.type:
                case "response.function_call_arguments.done":
                    tell("called", **json.loads(event.arguments))
                case "response.done" if event.response.output[0].type == "function_call":
                    call = event.response.output[0].call_id
                    output: Any = {"type": "function_call_output", "call_id": call, "output": WEATHER}
                    await connection.conversation.item.create(item=output)
                    await connection.response.create()
                case "response.output_audio_transcript.done":
                    tell("answer", text=event.transcript)
                case "error":
                    tell("wrong", text=json.dumps(event.error.to_dict()))
                case "response.done":
                    return


async def main(do: Orders) -> None:
    """Both."""
    await converse(do)
    async with asyncio.timeout(PATIENCE_S):
        await call_a_tool(do)


def _text(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode()


if __name__ == "__main__":
    listen_for_complaints()
    asyncio.run(main(orders()))
