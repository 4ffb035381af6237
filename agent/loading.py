"""Loads every model and runs it once on real-shaped input, so that the first turn is like the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from agent.as_set import manners
from agent.audio import EAR_RATE, F32, resample, to_wave
from agent.engines.local import DECODES, Engines
from agent.engines.protocols import LanguageModel, Message
from agent.engines.threads import call, pool
from agent.errors import AntiphonError, EngineError, ModelMissing, not_ready
from agent.listening.listener import Hearing
from agent.listening.pauses import Detection
from agent.listening.slots import Slots
from agent.rest.studio import Studio
from agent.room import Models
from agent.settings import Settings
from agent.speaking.spoken import spoken
from agent.speaking.voice import Voice

log = logging.getLogger(__name__)

RETRY_S = 2.0
"""Between two attempts to reach a language model that is not there yet."""
TTS_THREADS = 4
"""Replies that can be synthesised side by side."""
WARM_UP = "Hello, how are you today?"

T = TypeVar("T")


class Loader:
    """One process's models, from nothing to ready, and their threads."""

    def __init__(self, settings: Settings, engines: Engines) -> None:
        self.waiting: dict[str, str] = dict.fromkeys(("vad", "asr", "turn", "llm", "tts"), "loading")
        """what is not ready yet, and why"""
        self._settings = settings
        self._engines = engines
        self._asr_threads = pool("asr", DECODES)
        self._turn_threads = pool("turn", 1)
        self._tts_threads = pool("tts", TTS_THREADS)
        self._studio: Studio | None = None

    def close(self) -> None:
        """No more work; what runs is not waited for."""
        if self._studio is not None:
            self._studio.close()
        for threads in (self._asr_threads, self._turn_threads, self._tts_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    @property
    def studio(self) -> Studio:
        """What works on sound outside of calls.

        :raises SignalingError: 503 if the models are not loaded yet.
        """
        if self._studio is None:
            raise not_ready(self.waiting)
        return self._studio

    async def load(self, group: asyncio.TaskGroup) -> Models:
        """All of them; what language models need runs in ``group``.

        :raises AntiphonError: if a model is missing or a setting names what does not exist.
        """
        settings, engines = self._settings, self._engines
        llm = await _loaded("llm", engines.llm)
        group.create_task(llm.run(), name="llm")
        reader = await self._load_reader(llm)
        if reader is not None and reader is not llm:
            group.create_task(reader.run(), name="reader")
        async with asyncio.TaskGroup() as loading:
            loading.create_task(self._warm_llm(llm))
            if reader is not None and reader is not llm:
                loading.create_task(self._warm_reader(reader))
            noise = await _loaded("noise", engines.noise) if settings.noise.engine else None
            vad = await _loaded("vad", engines.vad)
            self._done("vad")
            tts = await _loaded("tts", engines.tts)
            voice = Voice(tts, self._tts_threads, settings.tts.voice, settings.tts.language)
            await asyncio.to_thread(spoken, "1", voice.language)  # loads how numbers are read
            question = await voice.tune(WARM_UP)
            for phrase in (*manners(settings).phrases.values(), settings.agent.goodbye):
                await voice.prepare(spoken(phrase, voice.language))
            self._done("tts")
            asr = await _loaded("asr", engines.asr)
            wave = to_wave(resample(question, voice.rate, EAR_RATE))
            await call(
                self._asr_threads,
                lambda: asr.transcribe(wave, language=settings.asr.language or None, prompt=""),
            )
            vad.stream()(np.zeros(vad.window, np.float32))
            self._done("asr")
            detection = await self._load_turn(wave)
            self._done("turn")
        for threads in (self._asr_threads, self._turn_threads, self._tts_threads):
            threads.stuck_s = settings.limits.stuck_s  # not before: an engine may take its time over its first input
        hearing = Hearing(vad, asr, Slots(self._asr_threads, DECODES), detection, noise)
        models = Models(hearing, llm, reader, voice)
        self._studio = Studio(models, settings)
        return models

    async def _load_reader(self, llm: LanguageModel) -> LanguageModel | None:
        """Who judges whether a message is complete: the embedded model, whoever answers. None where it is not here."""
        if not (self._settings.turn.reader and self._settings.turn.detector):
            return None
        if not self._settings.llm.url:
            return llm
        try:
            return await _loaded("reader", self._engines.reader)
        except ModelMissing as error:
            log.warning("pauses are judged by their sound and last words alone: %s", error)
            return None

    async def _warm_reader(self, reader: LanguageModel) -> None:
        """Calls do not wait for a judge that can not start: it is one witness of four."""
        try:
            await reader.warm([Message("system", self._settings.agent.instructions)])
        except EngineError as error:
            log.warning("pauses are judged by their sound and last words alone: %s", error)

    async def _load_turn(self, wave: F32) -> Detection | None:
        """The turn detector, if there is to be one, run once."""
        if not self._settings.turn.detector:
            return None
        detector = await _loaded("turn", self._engines.turn)
        await call(self._turn_threads, lambda: detector.finished(wave))
        return Detection(detector, self._turn_threads)

    async def _warm_llm(self, llm: LanguageModel) -> None:
        """Wait for the language model; one that can not be reached yet is waited for, and /readyz says so."""
        instructions = self._settings.agent.instructions
        prompt: Sequence[Message] = [Message("system", instructions), Message("user", WARM_UP)]
        while True:
            try:
                await llm.warm(prompt)
            except EngineError as error:
                if self.waiting.get("llm") != str(error):
                    log.error("%s", error)
                self.waiting["llm"] = str(error)
                await asyncio.sleep(RETRY_S)
            else:
                self._done("llm")
                return

    def _done(self, part: str) -> None:
        self.waiting.pop(part, None)


async def _loaded(part: str, make: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(make)
    except AntiphonError:
        raise
    except Exception as error:
        raise EngineError(part, "loading", repr(error)) from error
