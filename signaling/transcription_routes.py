"""`POST /v1/audio/transcriptions` and `/v1/audio/translations`: a recording in, its text out."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import aclosing
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field

from agent.errors import EngineError, SignalingError
from signaling.checks import checked
from signaling.event_stream import EventStream
from signaling.forms import Form, read_form
from signaling.transcripts import by_duration, by_tokens, srt, verbose, vtt
from signaling.workers import EAR_RATE, AgentWorker, Ask, Segment, Task, Transcriptions

log = logging.getLogger(__name__)

UNSPACED = frozenset({"zh", "ja", "yue", "th", "lo", "my"})
"""languages without a space between two sentences"""
TIMED = frozenset({"srt", "vtt", "verbose_json"})
"""formats with times in them"""


class Wanted(BaseModel):
    """The form's parts but the file; what a recogniser of ours can not use is accepted and not looked at."""

    model: str
    language: str = ""
    languages: list[str] = []
    prompt: str = ""
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    temperature: float = Field(0.0, ge=0, le=1)
    stream: bool = False
    timestamp_granularities: list[Literal["word", "segment"]] = ["segment"]


_MANY = frozenset({"languages", "timestamp_granularities"})


def add_transcriptions(app: web.Application, worker: AgentWorker) -> None:
    """Register the routes."""

    async def transcribe(request: web.Request) -> web.StreamResponse:
        return await _answer(request, worker, "transcribe")

    async def translate(request: web.Request) -> web.StreamResponse:
        return await _answer(request, worker, "translate")

    app.router.add_post("/v1/audio/transcriptions", transcribe)
    app.router.add_post("/v1/audio/translations", translate)


async def _answer(request: web.Request, worker: AgentWorker, task: Task) -> web.StreamResponse:
    studio = worker.studio
    work = studio.transcriptions
    with work.admitted():
        form = await read_form(request)
        wanted = checked(Wanted, {k: v if k in _MANY else v[-1] for k, v in form.fields.items()})
        studio.names.transcribes(wanted.model)
        ask = Ask(
            language=_language(wanted, work) if task == "transcribe" else None,
            prompt=wanted.prompt,
            task=task,
            times=wanted.response_format in TIMED,
            live=wanted.stream,
        )
        if form.file is None:
            raise SignalingError(400, "The part file is missing.", code="missing_required_parameter", param="file")
        pcm = await work.decoded(_taken(form))
        seconds = len(pcm) / EAR_RATE
        events = EventStream(request) if wanted.stream and task == "transcribe" else None
        text, language = "", ""
        segments: list[Segment] = []
        try:
            async with aclosing(work.heard(pcm, ask)) as pieces:
                async for piece in pieces:
                    if request.transport is None or request.transport.is_closing():
                        raise ConnectionResetError
                    language = language or piece.language
                    joint = "" if task == "transcribe" and language in UNSPACED else " "
                    added = joint.join(one.text for one in piece.segments)
                    delta = joint + added if text and added else added
                    text += delta
                    segments += piece.segments
                    if events is not None and delta:
                        await events.send({"type": "transcript.text.delta", "delta": delta})
            if events is not None:
                await events.send(
                    {"type": "transcript.text.done", "text": text, "usage": by_tokens(seconds, text)}
                    | _said_in(language)
                )
                await events.end()
                return events.response
        except (ConnectionResetError, TimeoutError):
            return events.response if events is not None else web.Response()
        except EngineError as error:
            log.error("a transcription failed: %s", error)
            refused = SignalingError(500, f"The recogniser failed: {error}", code="engine_failed")
            if events is None or not events.response.prepared:
                raise refused from error
            await events.send(dict(refused.body()))
            await events.end()
            return events.response
    return await _written(wanted, task, segments, text, language, seconds)


async def _written(
    wanted: Wanted, task: Task, segments: Sequence[Segment], text: str, language: str, seconds: float
) -> web.Response:
    """The whole transcript in the format that was asked for."""
    if wanted.response_format == "json":
        more = {} if task == "translate" else {"usage": by_duration(seconds)} | _said_in(language)
        return web.json_response({"text": text} | more)

    def body() -> tuple[str, str]:
        match wanted.response_format:
            case "srt":
                return srt(segments), "text/plain"
            case "vtt":
                return vtt(segments), "text/vtt"
            case "verbose_json":
                in_english = task == "translate"
                shown = ["segment"] if in_english else wanted.timestamp_granularities
                named = "en" if in_english else language
                found = verbose(segments, text, task=task, language=named, seconds=seconds, shown=shown)
                return json.dumps(found), "application/json"
            case _:
                return text + "\n", "text/plain"

    written, kind = await asyncio.to_thread(body)  # of an hour it takes a while
    return web.Response(text=written, content_type=kind)


def _language(wanted: Wanted, work: Transcriptions) -> str | None:
    """The language that the recording is said to be in; None if it is to be found out.

    :raises SignalingError: 400 for one that the recogniser does not know.
    """
    language = wanted.language or (wanted.languages[0] if len(wanted.languages) == 1 else "")
    if language and not work.knows(language):
        raise SignalingError(
            400,
            f"The recogniser does not know the language {language[:20]!r}; give an ISO 639-1 code such as en.",
            code="invalid_value",
            param="language",
        )
    return language or None


def _said_in(language: str) -> dict[str, list[dict[str, str]]]:
    return {"languages": [{"code": language}]} if language else {"languages": []}


def _taken(form: Form) -> list[bytes]:
    """The file, which is not kept twice while its sound is recognised."""
    file, form.file = form.file, None
    return file or []
