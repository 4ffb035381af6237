"""Any server that speaks OpenAI's `POST /v1/audio/transcriptions`, as the recogniser."""

from __future__ import annotations

import io
import json
import wave as wavefile

from agent.audio import EAR_RATE, F32, to_pcm
from agent.engines.protocols import Hypothesis
from agent.engines.remote import Remote, form
from agent.errors import EngineError

SHORTEST_S = 0.1
"""less is not sent: servers refuse it"""
LANGUAGES = frozenset(
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy "
    "id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa "
    "sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh".split()
)
"""Whisper's; other models of these servers know them, too, or most"""


class OpenAIRecognizer:
    """A recogniser elsewhere (`agent.engines.protocols.Recognizer`). May be called from several threads at once.

    :param url: up to and including ``/v1``.
    :param api_key: sent as a bearer token; local servers need none.
    :param model: the server's name for the model.
    :param timeout_s: for an answer.
    :raises ConfigError: if the URL is none.
    """

    def __init__(self, *, url: str, api_key: str = "", model: str = "whisper-1", timeout_s: float = 10.0) -> None:
        self._remote = Remote("openai asr", url, api_key, timeout_s)
        self._model = model

    def knows(self, language: str) -> bool:
        """Whether it can be told to expect this language."""
        return _primary(language) in LANGUAGES

    def transcribe(self, wave: F32, *, language: str | None, prompt: str) -> Hypothesis:
        """Float32 (n,) at EAR_RATE, one utterance, to text. Blocks.

        :raises EngineError: if the server refuses, breaks off, or can not be reached.
        """
        if language and not self.knows(language):
            raise EngineError("openai asr", "language", f"no server is known to hear {language!r}; choose another")
        if len(wave) < SHORTEST_S * EAR_RATE:
            return Hypothesis("", _primary(language or ""))
        fields = {"model": self._model, "response_format": "json"}
        if language:
            fields["language"] = _primary(language)
        if prompt:
            fields["prompt"] = prompt
        body, kind = form(fields, _wav(wave), "speech.wav", "audio/wav")
        with self._remote.post("/audio/transcriptions", body, kind) as response:
            answer = response.read()
        try:
            found = json.loads(answer)
            text = str(found["text"]).strip()
            said_in = [str(one["code"]) for one in found.get("languages") or []]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise EngineError(
                "openai asr",
                "/audio/transcriptions",
                f"{self._remote.url} sent no transcript; check that the url ends in its OpenAI path, usually /v1",
            ) from error
        return Hypothesis(text, _primary(language or "") or (said_in[0] if said_in else ""))


def _primary(language: str) -> str:
    """The language of a tag like ``pt-BR``: ``pt``."""
    return language.replace("_", "-").split("-")[0].lower()


def _wav(wave: F32) -> bytes:
    """A 16-bit WAV file."""
    file = io.BytesIO()
    with wavefile.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(EAR_RATE)
        writer.writeframes(to_pcm(wave).astype("<i2").tobytes())
    return file.getvalue()
