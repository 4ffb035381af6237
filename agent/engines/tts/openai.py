"""Any server that speaks OpenAI's `POST /v1/audio/speech`, as the synthesiser."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping

import numpy as np

from agent.audio import I16
from agent.engines.remote import Remote
from agent.errors import ConfigError

CHUNK_BYTES = 4800
"""of speech that is read at a time, 100 ms; less if less has come"""
LONGEST = 4096
"""characters that a server takes in one request"""
SLOWEST, FASTEST = 0.25, 4.0
"""of the API"""


class OpenAISynthesizer:
    """A voice elsewhere (`agent.engines.protocols.Synthesizer`). May be called from several threads at once.

    :param url: up to and including ``/v1``.
    :param api_key: sent as a bearer token; local servers need none.
    :param model: the server's name for the model.
    :param voice: the server's name for the voice that is used if a call names none.
    :param voices: the server's names for those that a call may ask for besides.
    :param languages: ISO 639-1 codes that the voice can speak.
    :param instructions: how to speak, for servers that follow it; "" sends none.
    :param speed: 0.25 to 4.
    :param timeout_s: without a sample.
    :raises ConfigError: if the URL is none, or the speed out of bounds.
    """

    rate = 24_000

    def __init__(
        self,
        *,
        url: str,
        api_key: str = "",
        model: str = "gpt-4o-mini-tts",
        voice: str = "alloy",
        voices: tuple[str, ...] = (),
        languages: tuple[str, ...] = ("en", "de", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "zh"),
        instructions: str = "",
        speed: float = 1.0,
        timeout_s: float = 10.0,
    ) -> None:
        if not SLOWEST <= speed <= FASTEST:
            raise ConfigError(f"the openai tts' speed is {speed:g}; give {SLOWEST:.2f} to {FASTEST:.1f}")
        self._remote = Remote("openai tts", url, api_key, timeout_s)
        self.languages = frozenset(languages)
        self._fixed: dict[str, object] = {"model": model, "response_format": "pcm"}
        if instructions:
            self._fixed["instructions"] = instructions
        self._voice = voice
        self._speed = speed
        self.voices = voices

    def speak(self, text: str, *, voice: str, language: str, speed: float = 1.0) -> Iterator[I16]:
        """Int16 (n,) mono chunks at `rate`, as they come. Closing this hangs up, and the server stops.

        :param voice: one of the server's; "" is the usual one.
        :raises EngineError: if the server refuses, breaks off, or can not be reached.
        """
        if not any(character.isalnum() for character in text):
            return
        said = text.encode("utf-8", "replace").decode()
        how = {"voice": voice or self._voice, "speed": min(max(self._speed * speed, SLOWEST), FASTEST)}
        for part in [said] if len(said) <= LONGEST else textwrap.wrap(said, LONGEST):
            yield from self._spoken({**self._fixed, **how, "input": part})

    def _spoken(self, request: Mapping[str, object]) -> Iterator[I16]:
        body = json.dumps(request).encode()
        with self._remote.post("/audio/speech", body, "application/json") as response:
            odd = b""
            while data := response.read1(CHUNK_BYTES):
                data = odd + data
                odd = data[len(data) // 2 * 2 :]
                if len(data) > 1:
                    yield np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int16)
