"""Engines that another process of the server holds and lends by `agent.engine_host`.

The recogniser, the turn detector and the synthesiser are plain and blocking, as engines are, each request on a
connection of its own; the language model runs on the loop.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import numpy as np

from agent.audio import F32, I16
from agent.engines.local import LocalEngines
from agent.engines.protocols import (
    ANY,
    Ending,
    Hypothesis,
    LanguageModel,
    Message,
    NoiseSuppressor,
    Piece,
    Recognizer,
    Scope,
    Synthesizer,
    TurnDetector,
    Usage,
    Vad,
)
from agent.errors import EngineError, ModelMissing
from agent.settings import Settings

TIMEOUT_S = 60.0
"""for an answer to a blocking request; the engine behind it has its own, shorter limits"""
CHUNK_BYTES = 9600
"""of speech that is read at a time"""
GONE = "the process that holds the models is gone; the server restarts this one with it"


@dataclass(frozen=True, slots=True)
class About:
    """What the other processes ask once."""

    asr_languages: list[str]
    """ISO 639 codes that the recogniser can be told to expect"""
    tts_rate: int
    """Hz"""
    tts_languages: list[str]
    tts_voices: list[str]
    turn_seconds: float
    """how much sound the turn detector looks at; 0 if there is none"""
    reader: bool
    """there is a judge beside the language model"""


class SharedEngines:
    """The engines behind a Unix socket (`agent.engines.local.Engines`); what works on every packet is our own."""

    def __init__(self, settings: Settings, path: Path) -> None:
        self._settings = settings
        self._path = path
        self._local = LocalEngines(settings)

    def noise(self) -> NoiseSuppressor:
        """The noise suppressor."""
        return self._local.noise()

    def vad(self) -> Vad:
        """The voice activity detector."""
        return self._local.vad()

    def asr(self) -> Recognizer:
        """The recogniser."""
        return SharedRecognizer(self._path)

    def turn(self) -> TurnDetector:
        """The turn detector."""
        return SharedTurnDetector(self._path)

    def tts(self) -> Synthesizer:
        """The synthesiser."""
        return SharedSynthesizer(self._path)

    def llm(self) -> LanguageModel:
        """The language model: a server's is asked directly."""
        return self._local.llm() if self._settings.llm.url else SharedChat(self._path, "llm")

    def reader(self) -> LanguageModel:
        """The judge of a server's conversations."""
        if not about(self._path).reader:
            raise ModelMissing("reader", "the process that holds the models has none")
        return SharedChat(self._path, "reader")


class SharedRecognizer:
    """A recogniser elsewhere."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._languages = frozenset(about(path).asr_languages)

    def knows(self, language: str) -> bool:
        """Whether it can be told to expect this language."""
        return language.lower().partition("-")[0] in self._languages

    def transcribe(self, wave: F32, *, language: str | None, prompt: str) -> Hypothesis:
        """Float32 (n,) at EAR_RATE to text. Blocks.

        :raises EngineError: if the model failed.
        """
        query = urlencode({"prompt": prompt} | ({"language": language} if language else {}))
        found = _asked(self._path, f"/asr?{query}", np.ascontiguousarray(wave, np.float32).tobytes())
        return Hypothesis(found["text"], found["language"], found["stop"])


class SharedTurnDetector:
    """A turn detector elsewhere."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seconds = about(path).turn_seconds

    def finished(self, wave: F32) -> float:
        """Float32 (n,) at EAR_RATE to the probability that the turn is over. Blocks.

        :raises EngineError: if the model failed.
        """
        return float(_asked(self._path, "/turn", np.ascontiguousarray(wave, np.float32).tobytes())["finished"])


class SharedSynthesizer:
    """A synthesiser elsewhere."""

    def __init__(self, path: Path) -> None:
        self._path = path
        told = about(path)
        self.rate = told.tts_rate
        self.languages = frozenset(told.tts_languages)
        self.voices = tuple(told.tts_voices)

    def speak(self, text: str, *, voice: str, language: str, speed: float = 1.0) -> Iterator[I16]:
        """Int16 (n,) chunks at ``rate`` as they are made. Blocks.

        :raises EngineError: if the model failed.
        """
        body = json.dumps({"text": text, "voice": voice, "language": language, "speed": speed}).encode()
        with _response(self._path, "/tts", body) as response:
            odd = b""
            while part := response.read1(CHUNK_BYTES):
                whole = odd + part
                odd = whole[len(whole) // 2 * 2 :]
                yield np.frombuffer(whole[: len(whole) // 2 * 2], np.int16)


class SharedChat:
    """A language model elsewhere.

    :param who: "llm" or "reader".
    """

    def __init__(self, path: Path, who: str) -> None:
        self._path = path
        self._who = who
        self._http: aiohttp.ClientSession | None = None

    async def run(self) -> None:
        """Keep the connections until cancelled, then close them."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            if self._http is not None:
                await self._http.close()

    async def warm(self, messages: Sequence[Message]) -> None:
        """Wait until it answers.

        :raises EngineError: if it can not.
        """
        await self._ask("warm", messages)

    async def prefill(self, messages: Sequence[Message], scope: Scope = ANY) -> None:
        """Read a prompt ahead."""
        try:
            await self._ask("prefill", messages)
        except EngineError:
            return  # the reply will say it aloud

    async def ends(self, messages: Sequence[Message]) -> float | None:
        """The probability that the user's message is complete, None if that can not be told."""
        try:
            found: float | None = (await self._ask("ends", messages))["ends"]
        except EngineError:
            return None
        return found

    async def reply(self, messages: Sequence[Message], scope: Scope = ANY) -> AsyncGenerator[Piece, None]:
        """Text as it is generated; closing this stops the generation. What is lent is the embedded model, which is
        offered no tools.

        :raises EngineError: if the model failed, or its process is gone.
        """
        response = None
        try:
            body = {"messages": _sent(messages), "most_tokens": scope.most_tokens}
            response = await self._session().post(f"http://host/{self._who}/reply", json=body)
            async for line in response.content:
                told = json.loads(line)
                if "error" in told:
                    raise EngineError(**told["error"])
                if "ending" in told:
                    yield Ending(told["ending"]["short"], Usage(**told["ending"]["usage"]))
                else:
                    yield told["delta"]
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise EngineError(self._who, "reply", GONE) from error
        finally:
            if response is not None:
                response.close()

    async def _ask(self, what: str, messages: Sequence[Message]) -> Mapping[str, Any]:
        try:
            url = f"http://host/{self._who}/{what}"
            async with self._session().post(url, json=_sent(messages)) as response:
                return _read(await response.json(), response.status, self._who)
        except (aiohttp.ClientError, OSError) as error:
            raise EngineError(self._who, what, GONE) from error

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_read=TIMEOUT_S)
            self._http = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self._path)), timeout=timeout)
        return self._http


def about(path: Path) -> About:
    """What the engines behind the socket are. Blocks.

    :raises EngineError: if nobody answers there.
    """
    return About(**_asked(path, "/about", None))


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("host", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@contextmanager
def _response(path: Path, target: str, body: bytes | None) -> Iterator[http.client.HTTPResponse]:
    """A successful answer; leaving early hangs up, and the engine stops."""
    connection = _Connection(path)
    seam = target.strip("/").partition("?")[0]
    try:
        connection.request("GET" if body is None else "POST", target, body)
        response = connection.getresponse()
        if response.status != 200:
            _read(json.loads(response.read()), response.status, seam)
        yield response
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EngineError(seam, "request", GONE) from error
    finally:
        connection.close()


def _asked(path: Path, target: str, body: bytes | None) -> dict[str, Any]:
    with _response(path, target, body) as response:
        found: dict[str, Any] = json.loads(response.read())
        return found


def _read(body: Any, status: int, who: str) -> Mapping[str, Any]:
    """The body of a successful answer.

    :raises EngineError: what the engine said otherwise.
    """
    if status == 200 and isinstance(body, dict):
        return body
    error = body.get("error") if isinstance(body, dict) else None
    raise EngineError(**error) if error else EngineError(who, "request", f"status {status}")


def _sent(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [asdict(message) for message in messages]
