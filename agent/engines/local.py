"""The engines that the settings name, in this process; and what any set of engines offers."""

from __future__ import annotations

from typing import Protocol, cast

from agent.engines.asr.by_language import ByLanguage
from agent.engines.cores import share
from agent.engines.protocols import LanguageModel, NoiseSuppressor, Recognizer, Synthesizer, TurnDetector, Vad
from agent.engines.registry import load
from agent.settings import Settings

AUTO = "auto"
"""the recogniser's model: the engine chooses"""
DECODES = 2
"""Transcripts at a time: one for somebody who waits, and one that has been overtaken by more speech."""
READER = "smollm2"
"""the model that judges for a server's model"""
WARM_S = 5.0
"""How long a remote language model may take to read a first prompt, before it is reported and asked again."""


class Engines(Protocol):
    """Where engines come from. Each method blocks while it loads.

    :raises AntiphonError: if a model is missing, can not be loaded, or a setting is wrong.
    """

    def noise(self) -> NoiseSuppressor:
        """The noise suppressor."""
        ...

    def vad(self) -> Vad:
        """The voice activity detector."""
        ...

    def asr(self) -> Recognizer:
        """The recogniser."""
        ...

    def turn(self) -> TurnDetector:
        """The turn detector."""
        ...

    def tts(self) -> Synthesizer:
        """The synthesiser."""
        ...

    def llm(self) -> LanguageModel:
        """The language model: a server's, or the embedded one."""
        ...

    def reader(self) -> LanguageModel:
        """The small embedded language model, as the judge of a server's conversations."""
        ...


class LocalEngines:
    """Engines of this process (`Engines`)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cores = share()

    def noise(self) -> NoiseSuppressor:
        """The noise suppressor."""
        chosen = self._settings.noise
        return cast("NoiseSuppressor", load("noise", chosen.engine, chosen.options(chosen.engine), threads=1))

    def vad(self) -> Vad:
        """The voice activity detector."""
        chosen = self._settings.vad
        return cast("Vad", load("vad", chosen.engine, chosen.options(chosen.engine), threads=self._cores.vad))

    def asr(self) -> Recognizer:
        """The recogniser."""
        chosen = self._settings.asr
        options = chosen.options(chosen.engine)
        if chosen.engine == "whisper":
            options = {"workers": DECODES, **options}
            if chosen.model == AUTO and not {"path", "model"} & options.keys():
                return ByLanguage(options, language=chosen.language or None, threads=self._cores.asr)
        if chosen.model != AUTO:
            options = {"model": chosen.model, **options}
        return cast("Recognizer", load("asr", chosen.engine, options, threads=self._cores.asr))

    def turn(self) -> TurnDetector:
        """The turn detector."""
        chosen = self._settings.turn
        options = chosen.options(chosen.detector)
        return cast("TurnDetector", load("turn", chosen.detector, options, threads=self._cores.vad))

    def tts(self) -> Synthesizer:
        """The synthesiser."""
        chosen = self._settings.tts
        return cast("Synthesizer", load("tts", chosen.engine, chosen.options(chosen.engine), threads=self._cores.tts))

    def llm(self) -> LanguageModel:
        """The language model: a server's, or the embedded one."""
        chosen = self._settings.llm
        if not chosen.url:
            options = {"model": chosen.model, **chosen.options("embedded")}
            return cast("LanguageModel", load("llm", "embedded", options, threads=self._cores.llm))
        key = chosen.api_key.get_secret_value()
        remote = {"url": chosen.url, "model": chosen.model, "api_key": key, "warm_s": WARM_S}
        return cast("LanguageModel", load("llm", "openai", {**remote, **chosen.options("openai")}))

    def reader(self) -> LanguageModel:
        """The small embedded language model, as the judge of a server's conversations."""
        options = {"model": READER, "parallel": 8}
        return cast("LanguageModel", load("llm", "embedded", options, threads=self._cores.llm))
