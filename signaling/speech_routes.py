"""`POST /v1/audio/speech`: a text in, speech out while it is made; and what there is to choose from."""

from __future__ import annotations

import asyncio
import logging
import math
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field

from agent.errors import EngineError, SignalingError
from signaling.body import json_of
from signaling.checks import checked
from signaling.event_stream import READ_S, EventStream
from signaling.transcripts import tokens
from signaling.workers import TYPES, AgentWorker, Format, Part

log = logging.getLogger(__name__)

MOST_CHARACTERS = 4096
"""of a text, as with OpenAI"""
AUDIO_TOKENS_PER_S = 20
"""as OpenAI counts what a model says"""
CREATED = 1793491200
"""when our models came to be, for clients that want to know: November 2026"""


class VoiceId(BaseModel):
    """A voice as an object."""

    id: str


class Wanted(BaseModel):
    """The request's body; ``instructions`` are accepted, and not followed."""

    model: str
    input: str = Field(min_length=1, max_length=MOST_CHARACTERS)
    voice: str | VoiceId
    response_format: Format = "mp3"
    speed: float = Field(1.0, ge=0.25, le=4)
    stream_format: Literal["audio", "sse"] = "audio"

    @property
    def voice_name(self) -> str:
        """Of either form."""
        return self.voice if isinstance(self.voice, str) else self.voice.id


def add_speech(app: web.Application, worker: AgentWorker) -> None:
    """Register the routes."""

    async def speak(request: web.Request) -> web.StreamResponse:
        wanted = checked(Wanted, await json_of(request))
        studio = worker.studio
        studio.names.speaks(wanted.model)
        work, voice = studio.speech, wanted.voice_name
        if voice not in work.voices:
            raise SignalingError(
                400,
                f"There is no voice {voice[:60]!r}; there are: {', '.join(work.voices)}.",
                code="invalid_value",
                param="voice",
            )
        with work.admitted():
            parts = work.spoken(wanted.input, voice=voice, form=wanted.response_format, speed=wanted.speed)
            async with aclosing(parts):
                if wanted.stream_format == "sse":
                    return await _told(request, wanted, parts)
                return await _sent(request, wanted, parts)

    async def voices(_: web.Request) -> web.Response:
        return web.json_response({"voices": [{"id": name, "name": name} for name in worker.studio.speech.voices]})

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [_model(name) for name in worker.studio.names.all]})

    async def model(request: web.Request) -> web.Response:
        name = request.match_info["model_id"]
        if name not in worker.studio.names.all:
            raise SignalingError(404, f"There is no model {name[:60]!r}.", code="model_not_found", param="model")
        return web.json_response(_model(name))

    app.router.add_post("/v1/audio/speech", speak)
    app.router.add_get("/v1/audio/voices", voices)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/v1/models/{model_id:.+}", model)


async def _sent(request: web.Request, wanted: Wanted, parts: AsyncGenerator[Part, None]) -> web.StreamResponse:
    """The speech as a file that grows."""
    first = await _first(parts)  # an engine that fails at once can still say so
    response = web.StreamResponse(headers={"Content-Type": TYPES[wanted.response_format]})
    await response.prepare(request)
    try:
        await _write(response, first.data)
        async for part in parts:
            await _write(response, part.data)
        await response.write_eof()
    except (ConnectionResetError, TimeoutError):
        log.debug("whoever wanted a speech is gone")
        _hang_up(request)
    except EngineError as error:
        log.error("a speech broke off: %s", error)
        _hang_up(request)  # a file that ended well would be taken for whole
    return response


async def _told(request: web.Request, wanted: Wanted, parts: AsyncGenerator[Part, None]) -> web.StreamResponse:
    """The speech as events."""
    first = await _first(parts)
    events = EventStream(request)
    seconds = first.seconds
    try:
        await events.send_raw(await asyncio.to_thread(_delta, first.data))
        async for part in parts:
            seconds = part.seconds
            if part.data:
                await events.send_raw(await asyncio.to_thread(_delta, part.data))
        read, made = tokens(wanted.input), math.ceil(seconds * AUDIO_TOKENS_PER_S)
        usage = {"input_tokens": read, "output_tokens": made, "total_tokens": read + made}
        await events.send({"type": "speech.audio.done", "usage": usage})
        await events.end()
    except (ConnectionResetError, TimeoutError):
        log.debug("whoever wanted a speech is gone")
        _hang_up(request)
    except EngineError as error:
        log.error("a speech broke off: %s", error)
        await events.send(dict(_failed(error).body()))
        await events.end()
    return events.response


async def _write(response: web.StreamResponse, data: bytes) -> None:
    if data:
        async with asyncio.timeout(READ_S):
            await response.write(data)


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _first(parts: AsyncGenerator[Part, None]) -> Part:
    try:
        return await anext(parts)
    except EngineError as error:
        log.error("a speech failed: %s", error)
        raise _failed(error) from error


def _failed(error: EngineError) -> SignalingError:
    return SignalingError(500, f"The synthesiser failed: {error}", code="engine_failed")


def _delta(data: bytes) -> bytes:
    return b'{"type":"speech.audio.delta","audio":"' + b64encode(data) + b'"}'


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "antiphon"}
