"""Lends one process's models to the other processes of the server: HTTP over a Unix socket.

The other end is `agent.engines.shared`. Whoever can open the socket may use it; its folder belongs to this user alone.

==========================  ==================================  ====================================================
request                     body                                answer
==========================  ==================================  ====================================================
GET /about                                                      what the engines are: `About`
POST /asr?language&prompt   float32 at EAR_RATE                 ``{"text", "language", "stop"}``
POST /turn                  float32 at EAR_RATE                 ``{"finished"}``
POST /tts                   ``{"text", "voice", "language",     int16 as it is made
                            "speed"}``
POST /{llm,reader}/warm     ``[{"role", "text", …}, …]``        ``{}``
POST /{llm,reader}/prefill  the same                            ``{}``
POST /{llm,reader}/ends     the same                            ``{"ends"}``
POST /llm/reply             ``{"messages", "most_tokens"}``     lines ``{"delta"}``, then ``{"ending"}``; or
                                                                ``{"error"}`` where it breaks off
==========================  ==================================  ====================================================

An engine that fails is answered with status 500 and ``{"error": {"engine", "stage", "message"}}``.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict
from itertools import product
from string import ascii_lowercase
from typing import Any

import numpy as np
from aiohttp import web

from agent.audio import F32
from agent.engines.protocols import Call, Ending, LanguageModel, Message, Recognizer, Scope
from agent.engines.shared import About
from agent.engines.threads import call, iterate
from agent.errors import EngineError
from agent.room import Models

MOST_BYTES = 64 << 20
"""of a request: a quarter of an hour of speech"""


def host(models: Models) -> web.Application:
    """The application; it is served on a Unix socket, for processes of this server only."""
    return _Host(models).app()


class _Host:
    def __init__(self, models: Models) -> None:
        self._models = models
        detection = models.hearing.detection
        self._about = About(
            asr_languages=_languages(models.hearing.asr),
            tts_rate=models.voice.rate,
            tts_languages=sorted(models.voice.tts.languages),
            tts_voices=list(models.voice.tts.voices),
            turn_seconds=detection.detector.seconds if detection else 0.0,
            reader=models.reader is not None and models.reader is not models.llm,
        )

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MOST_BYTES, middlewares=[_failures])
        app.router.add_get("/about", self._tell)
        app.router.add_post("/asr", self._transcribe)
        app.router.add_post("/turn", self._finished)
        app.router.add_post("/tts", self._speak)
        app.router.add_post("/{who:llm|reader}/{what:warm|prefill|ends}", self._read)
        app.router.add_post("/llm/reply", self._reply)
        return app

    async def _tell(self, _: web.Request) -> web.Response:
        return web.json_response(asdict(self._about))

    async def _transcribe(self, request: web.Request) -> web.Response:
        wave, hearing = await _wave(request), self._models.hearing
        language, prompt = request.query.get("language"), request.query.get("prompt", "")
        found = await hearing.slots.run(
            lambda: hearing.asr.transcribe(wave, language=language, prompt=prompt), lambda: True
        )
        return web.json_response({"text": found.text, "language": found.language, "stop": found.stop})

    async def _finished(self, request: web.Request) -> web.Response:
        detection = self._models.hearing.detection
        if detection is None:
            raise web.HTTPNotFound
        wave, finished = await _wave(request), detection.detector.finished
        return web.json_response({"finished": await call(detection.threads, lambda: finished(wave))})

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        asked, voice = await request.json(), self._models.voice
        response = web.StreamResponse()
        chunks = iterate(
            voice.threads,
            lambda: voice.tts.speak(
                asked["text"], voice=asked["voice"], language=asked["language"], speed=asked["speed"]
            ),
        )
        async with aclosing(chunks):
            first = await anext(chunks, None)  # an engine that fails at once still can say so
            await response.prepare(request)
            if first is not None:
                await response.write(first.tobytes())
            async for pcm in chunks:
                await response.write(pcm.tobytes())
        await response.write_eof()
        return response

    async def _read(self, request: web.Request) -> web.Response:
        messages, model = _messages(await request.json()), self._model(request.match_info["who"])
        what = request.match_info["what"]
        if what == "ends":
            return web.json_response({"ends": await model.ends(messages)})
        await (model.warm(messages) if what == "warm" else model.prefill(messages))
        return web.json_response({})

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        scope = Scope(most_tokens=asked["most_tokens"])
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            async with aclosing(self._models.llm.reply(_messages(asked["messages"]), scope)) as pieces:
                async for piece in pieces:
                    told = {"ending": asdict(piece)} if isinstance(piece, Ending) else {"delta": piece}
                    await response.write(json.dumps(told).encode() + b"\n")
        except EngineError as error:
            await response.write(json.dumps(_told(error)).encode() + b"\n")
        await response.write_eof()
        return response

    def _model(self, who: str) -> LanguageModel:
        model = self._models.llm if who == "llm" else self._models.reader
        if model is None:
            raise web.HTTPNotFound
        return model


@web.middleware
async def _failures(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except EngineError as error:
        return web.json_response(_told(error), status=500)


def _told(error: EngineError) -> dict[str, dict[str, str]]:
    message = str(error).removeprefix(f"{error.engine} failed at {error.stage}: ")
    return {"error": {"engine": error.engine, "stage": error.stage, "message": message}}


def _messages(body: list[dict[str, Any]]) -> list[Message]:
    return [Message(**{**one, "calls": tuple(Call(**call) for call in one["calls"])}) for one in body]


async def _wave(request: web.Request) -> F32:
    return np.frombuffer(await request.read(), np.float32)


def _languages(asr: Recognizer) -> list[str]:
    """All two- and three-letter codes that it knows."""
    codes = ("".join(letters) for size in (2, 3) for letters in product(ascii_lowercase, repeat=size))
    return [code for code in codes if asr.knows(code)]
