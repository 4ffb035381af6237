"""The agent's side of the server: loads the models once, and runs the rooms."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import TypeVar, cast

import numpy as np

from agent.audio import EAR_RATE, F32, resample, to_wave
from agent.engines.cores import Share, share
from agent.engines.protocols import LanguageModel, Message, Recognizer, Synthesizer, TurnDetector, Vad
from agent.engines.registry import load
from agent.engines.threads import call, pool
from agent.errors import AntiphonError, EngineError, ModelMissing, SignalingError, TransportError
from agent.history import new_id
from agent.listening.listener import Hearing
from agent.listening.pauses import Detection
from agent.listening.slots import Slots
from agent.metrics import Metrics
from agent.realtime.session import RequestError, json_object
from agent.room import Models, Room, phrases
from agent.settings import Settings
from agent.speaking.spoken import spoken
from agent.speaking.voice import Voice
from agent.stalls import StallDetector
from agent.transports.aiortc_private import gather_only
from agent.transports.p2p import PeerConnection

log = logging.getLogger(__name__)

RETRY_S = 2.0
"""Between two attempts to reach a language model that is not there yet."""
WARM_S = 5.0
"""How long a remote language model may take to read a first prompt, before it is reported and asked again."""
DECODES = 2
"""Transcripts at a time: one for somebody who waits, and one that has been overtaken by more speech."""
TTS_THREADS = 4
"""Replies that can be synthesised side by side."""
WARM_UP = "Hello, how are you today?"

READER = "smollm2"
"""the model that judges for a server's model"""

T = TypeVar("T")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Worker:
    """One process's models and calls."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.waiting: dict[str, str] = dict.fromkeys(("vad", "asr", "turn", "llm", "tts"), "loading")
        """what is not ready yet, and why"""
        self.ready = asyncio.Event()
        self._rooms: dict[str, Room] = {}
        self._group: asyncio.TaskGroup | None = None
        self._models: Models | None = None
        self._asr_threads = pool("asr", DECODES)
        self._turn_threads = pool("turn", 1)
        self._tts_threads = pool("tts", TTS_THREADS)

    async def run(self) -> None:
        """Load the models, then serve calls until cancelled. Ends every call before it returns.

        :raises AntiphonError: if a model is missing or a setting names what does not exist.
        """
        ice = self.settings.ice.addresses
        gather_only(ice or (["127.0.0.1"] if is_loopback(self.settings.server.host) else []))
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._load(group)
                group.create_task(StallDetector(lambda _: self.metrics.loop_stalls.inc()).run(), name="stall detector")
                gc.collect()
                gc.freeze()  # what is loaded stays: a full collection of it takes 40 ms, two ticks of every call
                self.ready.set()
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._asr_threads.shutdown(wait=False, cancel_futures=True)
            self._turn_threads.shutdown(wait=False, cancel_futures=True)
            self._tts_threads.shutdown(wait=False, cancel_futures=True)

    @property
    def calls(self) -> int:
        """Calls in progress."""
        return len(self._rooms)

    # -- calls -----------------------------------------------------------------------------------------------

    async def answer(self, offer: str, *, extensions: bool, session: str) -> tuple[str, str]:
        """Start a call: SDP offer to its id and the SDP answer.

        :param extensions: send `antiphon.*` events.
        :param session: settings that the client gave with the offer, as in `session.update`; a JSON object.
        :raises SignalingError: 400 for an offer that can not be answered, 503 when there is no room for it.
        """
        if self._models is None or self._group is None or not self.ready.is_set():
            reasons = ", ".join(f"{part}: {why}" for part, why in self.waiting.items())
            raise SignalingError(503, f"The server is not ready yet ({reasons}); try again.", code="not_ready")
        if len(self._rooms) >= self.settings.limits.calls:
            raise SignalingError(
                503, f"All {self.settings.limits.calls} lines are busy; try again later.", code="server_full"
            )
        connection = PeerConnection()
        call_id = new_id("rtc")
        try:
            room = Room(
                call_id,
                connection,
                self._models,
                self.settings,
                self.metrics,
                extensions=extensions,
                session=json_object(session),
            )
            self._rooms[call_id] = room
            answer = await connection.answer(offer)
        except BaseException as error:
            self._rooms.pop(call_id, None)
            await connection.close("not answered")
            if isinstance(error, TransportError):
                raise SignalingError(400, str(error), code="invalid_offer", param="sdp") from error
            if isinstance(error, RequestError):
                raise SignalingError(400, str(error), code=error.code, param=error.param) from error
            raise
        self._group.create_task(self._run(room), name=f"call {call_id}")
        return call_id, answer

    def hang_up(self, call_id: str) -> bool:
        """End a call; false if there is none of this id."""
        room = self._rooms.get(call_id)
        if room is not None:
            room.hang_up("hung up by request")
        return room is not None

    async def _run(self, room: Room) -> None:
        try:
            await room.run()
        finally:
            self._rooms.pop(room.call_id, None)
            # A call leaves rings behind, exceptions and the frames they came through, and these hold buffers and the
            # threads of FFmpeg's filters. What is not frozen is small: this takes 1 to 3 ms.
            gc.collect()

    # -- models ----------------------------------------------------------------------------------------------

    async def _load(self, group: asyncio.TaskGroup) -> None:
        """Load every model and run it once on real-shaped input, so that the first turn is like the others."""
        cores = share()
        settings = self.settings
        llm = await self._loaded("llm", lambda: load_llm(settings, cores))
        group.create_task(llm.run(), name="llm")
        reader = await self._load_reader(llm, cores)
        if reader is not None and reader is not llm:
            group.create_task(reader.run(), name="reader")
        async with asyncio.TaskGroup() as loading:
            loading.create_task(self._warm_llm(llm))
            if reader is not None and reader is not llm:
                loading.create_task(self._warm_reader(reader))
            vad = await self._loaded("vad", lambda: load_vad(settings, cores))
            self._done("vad")
            tts = await self._loaded("tts", lambda: load_tts(settings, cores))
            voice = Voice(tts, self._tts_threads, settings.tts.voice, settings.tts.language)
            await asyncio.to_thread(spoken, "1", voice.language)  # loads how numbers are read
            question = await voice.tune(WARM_UP)
            for phrase in phrases(settings).values():
                await voice.prepare(spoken(phrase, voice.language))
            self._done("tts")
            asr = await self._loaded("asr", lambda: load_asr(settings, cores))
            wave = to_wave(resample(question, voice.rate, EAR_RATE))
            await asyncio.get_running_loop().run_in_executor(
                self._asr_threads, lambda: asr.transcribe(wave, language=settings.asr.language or None, prompt="")
            )
            vad.stream()(np.zeros(vad.window, np.float32))
            self._done("asr")
            detection = await self._load_turn(wave, cores)
            self._done("turn")
        self._models = Models(Hearing(vad, asr, Slots(self._asr_threads, DECODES), detection), llm, reader, voice)

    async def _load_reader(self, llm: LanguageModel, cores: Share) -> LanguageModel | None:
        """Who judges whether a message is complete: the embedded model, whoever answers. None where it is not here."""
        if not (self.settings.turn.reader and self.settings.turn.detector):
            return None
        if not self.settings.llm.url:
            return llm
        try:
            return await self._loaded("reader", lambda: load_reader(cores))
        except ModelMissing as error:
            log.warning("pauses are judged by their sound and last words alone: %s", error)
            return None

    async def _warm_reader(self, reader: LanguageModel) -> None:
        """Calls do not wait for a judge that can not start: it is one witness of three."""
        try:
            await reader.warm([Message("system", self.settings.agent.instructions)])
        except EngineError as error:
            log.warning("pauses are judged by their sound and last words alone: %s", error)

    async def _load_turn(self, wave: F32, cores: Share) -> Detection | None:
        """The turn detector, if there is to be one, run once."""
        if not self.settings.turn.detector:
            return None
        detector = await self._loaded("turn", lambda: load_turn(self.settings, cores))
        await call(self._turn_threads, lambda: detector.finished(wave))
        return Detection(detector, self._turn_threads)

    async def _loaded(self, part: str, make: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(make)
        except AntiphonError:
            raise
        except Exception as error:
            raise EngineError(part, "loading", repr(error)) from error

    async def _warm_llm(self, llm: LanguageModel) -> None:
        """Wait for the language model; one that can not be reached yet is waited for, and /readyz says so."""
        prompt: Sequence[Message] = [Message("system", self.settings.agent.instructions), Message("user", WARM_UP)]
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


def load_vad(settings: Settings, cores: Share) -> Vad:
    """The voice activity detector that the settings name."""
    chosen = settings.vad
    return cast("Vad", load("vad", chosen.engine, chosen.options(chosen.engine), threads=cores.vad))


def load_asr(settings: Settings, cores: Share) -> Recognizer:
    """The recogniser that the settings name."""
    chosen = settings.asr
    options = {"model": chosen.model, **chosen.options(chosen.engine)}
    if chosen.engine == "whisper":
        options.setdefault("workers", DECODES)
    return cast("Recognizer", load("asr", chosen.engine, options, threads=cores.asr))


def load_reader(cores: Share) -> LanguageModel:
    """The small embedded language model, as the judge of somebody else's conversations."""
    return cast("LanguageModel", load("llm", "embedded", {"model": READER, "parallel": 8}, threads=cores.llm))


def load_turn(settings: Settings, cores: Share) -> TurnDetector:
    """The turn detector that the settings name."""
    chosen = settings.turn
    return cast("TurnDetector", load("turn", chosen.detector, chosen.options(chosen.detector), threads=cores.vad))


def load_tts(settings: Settings, cores: Share) -> Synthesizer:
    """The synthesiser that the settings name."""
    chosen = settings.tts
    return cast("Synthesizer", load("tts", chosen.engine, chosen.options(chosen.engine), threads=cores.tts))


def load_llm(settings: Settings, cores: Share) -> LanguageModel:
    """The language model that the settings name: a server's, or the embedded one."""
    chosen = settings.llm
    if not chosen.url:
        options = {"model": chosen.model, **chosen.options("embedded")}
        return cast("LanguageModel", load("llm", "embedded", options, threads=cores.llm))
    remote = {"url": chosen.url, "model": chosen.model, "api_key": chosen.api_key.get_secret_value(), "warm_s": WARM_S}
    return cast("LanguageModel", load("llm", "openai", {**remote, **chosen.options("openai")}))
