# mypy: disable-error-code="import-not-found,misc"
"""pipecat's `OpenAIRealtimeLLMService` in a pipeline with a microphone and a speaker."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime.events import (
    AudioConfiguration,
    AudioInput,
    InputAudioTranscription,
    SessionProperties,
)
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from tests.conformance.clients.stage import (
    ASKED,
    MOMENT_S,
    RATE,
    STORY,
    TYPED,
    WEATHER,
    Microphone,
    Orders,
    orders,
    socket,
    tell,
    until,
)


async def get_weather(params: FunctionCallParams, city: str) -> None:
    """The weather in a city.

    Args:
        city: Its name.
    """
    tell("called", city=city)
    await params.result_callback(WEATHER)


class Ears(FrameProcessor):
    """Notes what passes, on both sides of the service."""

    def __init__(self) -> None:
        super().__init__()
        self.voice = b""
        self.text = ""
        self.heard = self.ended = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Note it, and pass it on."""
        await super().process_frame(frame, direction)
        match frame:
            case TranscriptionFrame() if direction is FrameDirection.UPSTREAM:
                tell("heard", text=frame.text)
                self.heard += 1
            case TTSAudioRawFrame():
                self.voice += frame.audio
            case TTSTextFrame():
                self.text += frame.text
            case LLMFullResponseEndFrame():
                self.ended += 1
            case InterruptionFrame() if direction is FrameDirection.DOWNSTREAM and self.voice:
                tell("interrupted")
        await self.push_frame(frame, direction)


class Speaker(BaseOutputTransport):
    """Plays in real time, to nobody."""

    async def start(self, frame: Any) -> None:
        """It is ready at once."""
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: Any) -> bool:
        """Takes as long as it sounds."""
        await asyncio.sleep(len(frame.audio) / 2 / frame.sample_rate)
        return True


def complain(message: Any) -> None:
    """What pipecat logs: warnings and worse; and how far an answer was played that it has cut."""
    record = message.record
    if record["level"].no >= 30:
        tell("wrong", text=record["message"][:500])
    elif found := re.search(r"Truncating audio: .*truncate=(\d+)ms", record["message"]):
        tell("truncated", ms=int(found[1]))


class Bot:
    """A pipeline that begins with this context, between a microphone and a speaker."""

    def __init__(self, url: str, key: str, context: LLMContext) -> None:
        service = _service(url, key)
        aggregators = LLMContextAggregatorPair(context)
        self.before, self.after, self.microphone = Ears(), Ears(), Microphone()
        speaker = Speaker(TransportParams(audio_out_enabled=True))
        parts = [aggregators.user(), self.before, service, self.after, speaker, aggregators.assistant()]
        parameters = PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
        self.worker = PipelineWorker(Pipeline(parts), params=parameters, enable_rtvi=False)

    async def run(self, talk: Callable[[], Awaitable[None]]) -> None:
        """Until all of it is said."""
        runner = WorkerRunner(handle_sigint=False)

        async def all_of_it() -> None:
            await self.worker.queue_frame(LLMRunFrame())
            await talk()
            await self.worker.cancel()

        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self.microphone.run(self._listen))
            talking = group.create_task(all_of_it())
            await runner.add_workers(self.worker)
            await runner.run()
            listening.cancel()
            await talking

    async def _listen(self, pcm: bytes) -> None:
        await self.worker.queue_frame(InputAudioRawFrame(pcm, sample_rate=RATE, num_channels=1))


def _service(url: str, key: str) -> OpenAIRealtimeLLMService:
    return OpenAIRealtimeLLMService(
        api_key=key,
        base_url=socket(url),
        settings=OpenAIRealtimeLLMService.Settings(
            model="gpt-realtime",
            system_instruction="You are helpful.",
            session_properties=SessionProperties(
                audio=AudioConfiguration(input=AudioInput(transcription=InputAudioTranscription()))
            ),
        ),
    )


async def converse(do: Orders) -> None:
    """A typed, a spoken and an interrupted turn: a conversation begins with its context here."""
    bot = Bot(do.url, do.key, LLMContext([{"role": "user", "content": TYPED}]))
    before, after = bot.before, bot.after

    async def talk() -> None:
        tell("turn", kind="typed")
        await until(lambda: after.ended, "an answer")
        tell("answer", text=after.text)
        tell("sound", s=len(after.voice) / 2 / RATE)
        await asyncio.sleep(len(after.voice) / 2 / RATE)

        tell("turn", kind="spoken")
        after.voice, after.text, ended = b"", "", after.ended
        bot.microphone.say(do.question)
        await until(lambda: before.heard and after.ended > ended, "an answer")
        tell("answer", text=after.text)
        do.voice.write_bytes(after.voice)

        tell("turn", kind="interrupted")
        await asyncio.sleep(len(after.voice) / 2 / RATE + 0.5)
        after.voice, heard = b"", before.heard
        # Behind the user's aggregator: of what comes before it a realtime service does not hear.
        await before.push_frame(LLMMessagesAppendFrame([{"role": "user", "content": STORY}], run_llm=True))
        await until(lambda: after.voice, "the story")
        await asyncio.sleep(MOMENT_S)
        bot.microphone.say(do.interruption)
        await until(lambda: before.heard > heard, "words")
        after.voice = b""
        await until(lambda: after.voice, "another answer")

    await bot.run(talk)


async def call_a_tool(do: Orders) -> None:
    """A typed question that needs one."""
    bot = Bot(do.tools_url, do.key, LLMContext([{"role": "user", "content": ASKED}], tools=[get_weather]))

    async def talk() -> None:
        tell("turn", kind="tool")
        await until(lambda: bot.after.ended == 2, "an answer")
        tell("answer", text=bot.after.text)

    await bot.run(talk)


async def main(do: Orders) -> None:
    """Both."""
    await converse(do)
    await call_a_tool(do)


if __name__ == "__main__":
    logger.remove()
    logger.add(complain, level="TRACE")
    asyncio.run(main(orders()))
