"""eSpeak NG: a robot's voice in many languages, at several hundred times real time.

The library keeps one state per process, so one lock guards every call into it.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import espeakng_loader
import numpy as np

from agent.audio import I16
from agent.engines.tts.trim import sentences, tail_ms, trim
from agent.errors import ConfigError, EngineError

# Values of espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_OK = 0
_PARAMETER_RATE = 1

SLOWEST, FASTEST = 80, 450
"""words a minute"""
VOICES = {
    "ar": "ar", "bn": "bn", "cs": "cs", "da": "da", "de": "de", "el": "el", "en": "en-us", "es": "es", "fi": "fi",
    "fr": "fr", "he": "he", "hi": "hi", "hu": "hu", "id": "id", "it": "it", "ko": "ko", "nl": "nl", "no": "nb",
    "pl": "pl", "pt": "pt-br", "ro": "ro", "ru": "ru", "sv": "sv", "tr": "tr", "uk": "uk", "vi": "vi", "zh": "cmn",
}  # fmt: skip
"""ISO 639-1 to eSpeak's voice. Not Japanese: it spells kanji as "Chinese letter"."""

_lock = threading.Lock()
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """Speaks one sentence at a time, each in a few milliseconds.

    :param words_per_minute: 80 to 450; 175 is eSpeak's own pace.
    :param variant: a voice variant such as "f2" or "m3"; "" is the language's own.
    :raises EngineError: if the library can not be started.
    """

    languages = frozenset(VOICES)
    voices: tuple[str, ...] = ()

    def __init__(self, *, words_per_minute: int = 165, variant: str = "") -> None:
        if not SLOWEST <= words_per_minute <= FASTEST:
            raise ConfigError(f"espeak's words_per_minute is {words_per_minute}; give {SLOWEST} to {FASTEST}")
        self._words_per_minute = words_per_minute
        self._suffix = f"+{variant}" if variant else ""
        self.rate = _library().rate

    def speak(self, text: str, *, voice: str, language: str, speed: float = 1.0) -> Iterator[I16]:
        """Int16 (n,) mono chunks at `rate`, one per sentence, without outer silence.

        :param voice: a name that eSpeak knows, such as "en-gb"; any other means the language's own.
        :raises EngineError: if the language is not one of `languages`.
        """
        if language not in VOICES:
            raise EngineError("espeak", "speak", f"no voice for {language!r}; there are: {', '.join(VOICES)}")
        names = [name + self._suffix for name in (voice, VOICES[language]) if name]
        pace = min(max(round(self._words_per_minute * speed), SLOWEST), FASTEST)
        for sentence in sentences(text):
            # The lock is not held across the yield: the listener takes its time, others speak meanwhile.
            pcm = trim(_library().synthesise(sentence, names, pace), self.rate, tail_ms(sentence))
            if len(pcm):
                yield pcm


class _Library:
    """The shared library, started."""

    def __init__(self) -> None:
        library = espeakng_loader.get_library_path()
        data = Path(espeakng_loader.get_data_path())
        try:
            self._espeak = ctypes.CDLL(library)
        except OSError as error:
            raise EngineError("espeak", "start", f"{library} can not be loaded ({error}); reinstall it") from error
        self._chunks: list[I16] = []
        self._callback = _Callback(self._receive)  # kept: the library calls it as long as the process lives
        with _lock:
            self.rate = int(self._espeak.espeak_Initialize(_SYNCHRONOUS, 0, str(data.parent).encode(), _DO_NOT_EXIT))
            if self.rate <= 0:
                raise EngineError("espeak", "start", f"{data} can not be used; reinstall espeakng-loader")
            self._espeak.espeak_SetSynthCallback(self._callback)

    def synthesise(self, text: str, voices: list[str], words_per_minute: int) -> I16:
        """Int16 (n,) at ``rate`` in the first of the voices that there is."""
        encoded = text.replace("\0", " ").encode("utf-8", "replace") + b"\0"
        with _lock:
            if all(self._espeak.espeak_SetVoiceByName(name.encode("utf-8", "replace")) != _OK for name in voices):
                raise EngineError("espeak", "speak", f"there is no voice {voices[-1]!r}; correct the variant")
            self._espeak.espeak_SetParameter(_PARAMETER_RATE, words_per_minute, 0)
            self._chunks.clear()
            status = self._espeak.espeak_Synth(encoded, len(encoded), 0, 1, 0, _UTF8, None, None)
            if status != _OK:
                raise EngineError("espeak", "speak", f"status {status} for a text of {len(text)} characters")
            return np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.int16)

    def _receive(self, wave: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        """What the library calls with each buffer; 0 is "go on"."""
        if count > 0:
            self._chunks.append(np.ctypeslib.as_array(wave, (count,)).astype(np.int16))
        return 0


@lru_cache(maxsize=1)
def _library() -> _Library:
    return _Library()
