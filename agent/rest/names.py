"""What our models are called, and which names of OpenAI's stand for them, so that clients need no change."""

from __future__ import annotations

from agent.engines.local import AUTO
from agent.errors import SignalingError
from agent.settings import Settings

TRANSCRIBING = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
)
SPEAKING = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15")
TALKING = ("gpt-realtime", "gpt-realtime-2.1", "gpt-realtime-mini")


class Names:
    """The models of one server, as its settings have them."""

    def __init__(self, settings: Settings) -> None:
        asr, llm = settings.asr.model, settings.llm.model
        self._asr = (settings.asr.engine if asr == AUTO else asr, *TRANSCRIBING)
        self._tts = (settings.tts.engine, *SPEAKING)
        self._llm = ("antiphon", *(() if llm == AUTO else (llm,)), *TALKING)

    @property
    def all(self) -> list[str]:
        """Every name that is understood, ours first."""
        return list(dict.fromkeys([self._llm[0], self._asr[0], self._tts[0], *self._llm, *self._asr, *self._tts]))

    def transcribes(self, model: str) -> None:
        """Nothing, if recordings can be transcribed with the model of this name.

        :raises SignalingError: 404 otherwise.
        """
        _among(self._asr, model, "transcribes")

    def speaks(self, model: str) -> None:
        """Nothing, if texts can be spoken with the model of this name.

        :raises SignalingError: 404 otherwise.
        """
        _among(self._tts, model, "speaks")


def _among(known: tuple[str, ...], model: str, does: str) -> None:
    if model not in known:
        raise SignalingError(
            404,
            f"There is no model {model[:60]!r} that {does}; there are: {', '.join(known)}.",
            code="model_not_found",
            param="model",
        )
