"""The agent's side of the server: loads the models once, and runs the rooms."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import TypeVar, cast

import numpy as np

from agent.audio import EAR_RATE, I16, resample, to_wave
from agent.engines.cores import Share, share
from agent.engines.protocols import LanguageModel, Message, Recognizer, Synthesizer, Vad
from agent.engines.registry import load
from agent.engines.threads import pool
from agent.errors import AntiphonError, EngineError, SignalingError, TransportError
from agent.history import new_id
from agent.listening.listener import Hearing
from agent.metrics import Metrics
from agent.realtime.session import RequestError, json_object
from agent.room import Models, Room
from agent.settings import Settings
from agent.speaking.reply import APOLOGY, Voice
from agent.transports.aiortc_private import gather_only
from agent.transports.p2p import PeerConnection

log = logging.getLogger(__name__)

RETRY_S = 2.0
"""Between two attempts to reach a language model that is not there yet."""
WARM_S = 5.0
"""How long a remote language model may take to read a first prompt, before it is reported and asked again."""
TTS_THREADS = 4
"""Replies that can be synthesised side by side."""
WARM_UP = "Hello, how are you today?"

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
        self.waiting: dict[str, str] = dict.fromkeys(("vad", "asr", "llm", "tts"), "loading")
        """what is not ready yet, and why"""
        self.ready = asyncio.Event()
        self._rooms: dict[str, Room] = {}
        self._group: asyncio.TaskGroup | None = None
        self._models: Models | None = None
        self._asr_threads = pool("asr", 1)
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
                gc.collect()
                gc.freeze()  # what is loaded stays: a full collection of it takes 40 ms, two ticks of every call
                self.ready.set()
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._asr_threads.shutdown(wait=False, cancel_futures=True)
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

    # -- models ----------------------------------------------------------------------------------------------

    async def _load(self, group: asyncio.TaskGroup) -> None:
        """Load every model and run it once on real-shaped input, so that the first turn is like the others."""
        cores = share()
        settings = self.settings
        llm = await self._loaded("llm", lambda: load_llm(settings, cores))
        group.create_task(llm.run(), name="llm")
        async with asyncio.TaskGroup() as loading:
            loading.create_task(self._warm_llm(llm))
            vad = await self._loaded("vad", lambda: load_vad(settings, cores))
            self._done("vad")
            tts = await self._loaded("tts", lambda: load_tts(settings, cores))
            voice = Voice(tts, self._tts_threads, settings.tts.voice, settings.tts.language)
            spoken = await asyncio.get_running_loop().run_in_executor(self._tts_threads, _say, voice, WARM_UP)
            self._done("tts")
            asr = await self._loaded("asr", lambda: load_asr(settings, cores))
            wave = to_wave(resample(spoken, tts.rate, EAR_RATE))
            await asyncio.get_running_loop().run_in_executor(
                self._asr_threads, lambda: asr.transcribe(wave, language=settings.asr.language or None, prompt="")
            )
            vad.stream()(np.zeros(vad.window, np.float32))
            self._done("asr")
        self._models = Models(Hearing(vad, asr, self._asr_threads), llm, voice)

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


def _say(voice: Voice, text: str) -> I16:
    """Speak a sentence, and the apology, so that the first call finds both paths warm."""
    for line in (APOLOGY, text):
        chunks = list(voice.tts.speak(line, voice=voice.name, language=voice.language))
    return np.concatenate(chunks)


def load_vad(settings: Settings, cores: Share) -> Vad:
    """The voice activity detector that the settings name."""
    chosen = settings.vad
    return cast("Vad", load("vad", chosen.engine, chosen.options(chosen.engine), threads=cores.vad))


def load_asr(settings: Settings, cores: Share) -> Recognizer:
    """The recogniser that the settings name."""
    chosen = settings.asr
    options = {"model": chosen.model, **chosen.options(chosen.engine)}
    return cast("Recognizer", load("asr", chosen.engine, options, threads=cores.asr))


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
