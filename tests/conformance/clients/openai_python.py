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
    MOMENT_S,
    RATE,
    STORY,
    TYPED,
    Microphone,
    Orders,
    listen_for_complaints,
    orders,
    tell,
    until,
)

STRICT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


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


async def main(do: Orders) -> None:
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


def _text(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode()


if __name__ == "__main__":
    listen_for_complaints()
    asyncio.run(main(orders()))
