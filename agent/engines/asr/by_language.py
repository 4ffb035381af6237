"""English to a small model that knows nothing else, every other language to the multilingual one.

Whisper tiny.en hears clean English as well as base, which has a hundred languages to carry, in half the time:
`python -m bench.asr_wer --model whisper-tiny.en` (6.2 against 10.1 % word errors over 17 recordings; 29 against 22 %
over six noisy ones). The multilingual model is loaded when somebody first speaks another language.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping

from agent.audio import F32
from agent.engines.asr.whisper import Whisper, primary
from agent.engines.catalogue import Catalogue
from agent.engines.protocols import Hypothesis, Task, TimedHypothesis
from agent.engines.registry import load

ENGLISH, MULTILINGUAL = "whisper-tiny.en", "whisper-base"
"""catalogue ids"""
_LANGUAGE = re.compile(r'"<\|([a-z]{2,3})\|>"')
"""a language's mark among the tokens of Whisper's tokenizer.json"""


class ByLanguage:
    """A recogniser (`agent.engines.protocols.TimedRecognizer`, too). May be called from several threads at once.

    :param options: of both models, as for `Whisper`.
    :param language: ISO 639-1 that calls begin with; its model is loaded now. None: it is to be detected.
    :param threads: cores for one call.
    :raises ModelMissing: if that model is not on this machine.
    """

    def __init__(self, options: Mapping[str, object], *, language: str | None, threads: int) -> None:
        self._load: Callable[[str], object] = lambda model: load(
            "asr", "whisper", {**options, "model": model}, threads=threads
        )
        self._lock = threading.Lock()
        self._models: dict[str, Whisper] = {}
        self._known = _languages()
        self._for(language)

    def knows(self, language: str) -> bool:
        """Whether it can be told to expect this language, ISO 639-1 or a tag like ``pt-BR``."""
        code = primary(language)
        return code == "en" or code in self._known

    def transcribe(self, wave: F32, *, language: str | None, prompt: str) -> Hypothesis:
        """Float32 (n,) at EAR_RATE, one utterance, to text; as `Whisper.transcribe`.

        :raises ModelMissing: if the model for this language is not on this machine.
        :raises EngineError: if the model failed, or does not know the language.
        """
        return self._for(language).transcribe(wave, language=language, prompt=prompt)

    def timed(self, wave: F32, *, language: str | None, prompt: str, task: Task) -> TimedHypothesis:
        """The same with times, or in English; as `Whisper.timed`.

        :raises ModelMissing: if the model for this language, or for translating, is not on this machine.
        :raises EngineError: if the model failed, or does not know the language.
        """
        model = self._for(None if task == "translate" else language)
        return model.timed(wave, language=language, prompt=prompt, task=task)

    def _for(self, language: str | None) -> Whisper:
        model = ENGLISH if primary(language) == "en" else MULTILINGUAL
        if (found := self._models.get(model)) is not None:
            return found  # who speaks English does not wait while the other model is loaded
        with self._lock:
            if model not in self._models:
                loaded = self._load(model)
                assert isinstance(loaded, Whisper)
                self._models[model] = loaded
            return self._models[model]


def _languages() -> frozenset[str]:
    """What the multilingual model knows; nothing if it is not on this machine."""
    catalogue = Catalogue.load()
    if catalogue.missing([MULTILINGUAL]):
        return frozenset()
    return frozenset(_LANGUAGE.findall(catalogue.file(MULTILINGUAL, "tokenizer.json").read_text()))
