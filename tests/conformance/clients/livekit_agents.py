# mypy: disable-error-code="import-not-found,misc,untyped-decorator"
"""livekit-agents' `AgentSession` with livekit-plugins-openai's realtime model, without a room."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities
from livekit.plugins.openai.realtime import RealtimeModel

from tests.conformance.clients.stage import (
    ASKED,
    MOMENT_S,
    PACKET_S,
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


@function_tool
async def get_weather(city: str) -> str:
    """The weather in a city."""
    tell("called", city=city)
    return WEATHER


class Ear(AudioInput):
    """The microphone, as the framework reads one."""

    def __init__(self, microphone: Microphone) -> None:
        super().__init__(label="microphone")
        self._microphone = microphone
        self._due = 0.0

    async def __anext__(self) -> Any:
        """The next packet, when it is due."""
        now = asyncio.get_running_loop().time()
        self._due = max(self._due, now - 1.0) + PACKET_S
        await asyncio.sleep(max(0.0, self._due - now))
        packet = await self._microphone.packet()
        return rtc.AudioFrame(packet, RATE, 1, len(packet) // 2)


class Speaker(AudioOutput):
    """Plays what it is given in real time, into a list."""

    def __init__(self) -> None:
        super().__init__(label="speaker", capabilities=AudioOutputCapabilities(pause=False), sample_rate=RATE)
        self.voice = b""
        self._began = 0.0
        self._given_s = 0.0
        self._end: asyncio.TimerHandle | None = None

    async def capture_frame(self, frame: Any) -> None:
        """More to play."""
        await super().capture_frame(frame)
        if not self._began:
            self._began = time.monotonic()
            self.on_playback_started(created_at=time.time())
        self._given_s += frame.duration
        self.voice += bytes(frame.data)

    def flush(self) -> None:
        """That was all of it."""
        super().flush()
        if self._began:
            left_s = max(0.0, self._began + self._given_s - time.monotonic())
            self._end = asyncio.get_running_loop().call_later(left_s, self._finish, False)

    def clear_buffer(self) -> None:
        """Stop."""
        if self._began:
            self._finish(True)

    def _finish(self, interrupted: bool) -> None:
        played_s = min(self._given_s, time.monotonic() - self._began)
        if self._end is not None:
            self._end.cancel()
        self._began, self._given_s, self._end = 0.0, 0.0, None
        self.on_playback_finished(playback_position=played_s, interrupted=interrupted)


class Ears:
    """What came, as a program with this client sees it."""

    def __init__(self) -> None:
        self.heard = self.answers = 0

    def transcribed(self, event: Any) -> None:
        """Words of the person."""
        if event.is_final:
            tell("heard", text=event.transcript)
            self.heard += 1

    def added(self, event: Any) -> None:
        """An item of the conversation is complete."""
        if getattr(event.item, "role", "") == "assistant":
            self.answers += 1
            if event.item.interrupted:
                tell("interrupted")
            else:
                tell("answer", text=event.item.text_content or "")

    def raw(self, event: dict[str, Any]) -> None:
        """An event of the server."""
        if event["type"] == "conversation.item.truncated":
            tell("truncated", ms=event["audio_end_ms"])


@asynccontextmanager
async def connected(url: str, key: str, ears: Ears, microphone: Microphone, **has: Any) -> AsyncIterator[Any]:
    """A session with this server, and its speaker."""
    async with aiohttp.ClientSession() as http:
        model = RealtimeModel(base_url=url, api_key=key, model="gpt-realtime", http_session=http)
        session: Any = AgentSession(llm=model, turn_handling={"interruption": {"resume_false_interruption": False}})
        session.on("user_input_transcribed", ears.transcribed)
        session.on("conversation_item_added", ears.added)
        session.on("error", lambda event: tell("wrong", text=repr(event.error)[:500]))
        session.input.audio = Ear(microphone)
        session.output.audio = speaker = Speaker()
        agent = Agent(instructions="You are helpful.", **has)
        await session.start(agent, record=False)
        agent.realtime_llm_session.on("openai_server_event_received", ears.raw)
        yield session, speaker
        await session.aclose()


async def converse(do: Orders) -> None:
    """A spoken, an interrupted and a typed turn."""
    ears, microphone = Ears(), Microphone()
    async with connected(do.url, do.key, ears, microphone) as (session, speaker):
        tell("turn", kind="spoken")
        microphone.say(do.question)
        await until(lambda: ears.heard and ears.answers, "an answer")
        do.voice.write_bytes(speaker.voice)

        tell("turn", kind="interrupted")
        speaker.voice = b""
        session.generate_reply(user_input=STORY)
        await until(lambda: speaker.voice, "the story")
        await asyncio.sleep(MOMENT_S)
        microphone.say(do.interruption)
        await until(lambda: ears.answers == 3, "another answer")

        tell("turn", kind="typed")
        speaker.voice = b""
        session.generate_reply(user_input=TYPED)
        await until(lambda: ears.answers == 4, "an answer")
        tell("sound", s=len(speaker.voice) / 2 / RATE)


async def call_a_tool(do: Orders) -> None:
    """A typed question that needs one."""
    ears = Ears()
    tell("turn", kind="tool")
    async with connected(do.tools_url, do.key, ears, Microphone(), tools=[get_weather]) as (session, _):
        session.generate_reply(user_input=ASKED)
        await until(lambda: ears.answers, "an answer")


async def main(do: Orders) -> None:
    """Both."""
    await converse(do)
    await call_a_tool(do)


if __name__ == "__main__":
    listen_for_complaints()
    asyncio.run(main(orders()))
