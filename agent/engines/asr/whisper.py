"""Whisper (MIT) in CTranslate2, int8: an utterance in, its text out, in a third of the usual time.

Whisper pads whatever it hears to 30 s, and its encoder then works for 30 s of sound. Here it is given the speech
and 1 to 3 s of silence (`context_s`). That hears as well, but makes the decoder miss the end more often and repeat
itself; so tokens are limited by the duration, and a doubtful text (`agent.engines.asr.doubts`) is decoded once more
with more silence behind it. Greedy search. Giving the decoder the words that are certain already, so that it only adds
the last ones, does not work: it tends to begin again ("How many days are How many days are there").

Measured with whisper-base on a machine of two cores that was busy otherwise (`python -m bench.asr_wer`; 30 s as
Whisper is usually run / this): word errors over 42 clean recordings in five languages 18.7 / 18.9 %, English alone
9.1 / 10.1 %; 11 noisy ones 28.9 / 26.9 %. 1 to 2 s of speech take 140 ms, half of all clips 400, against more than
1000; two threads save nothing worth a core. Detecting the language adds 18 ms. Loading takes 0.35 s (int8 is
made of fp16 then); 123 MB, 235 after work.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numpy as np
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer

from agent.audio import EAR_RATE, F32
from agent.engines.asr.doubts import compression, one_round, repeats, unspoken, without_tail
from agent.engines.asr.timing import placed, sentences, settled
from agent.engines.catalogue import Catalogue
from agent.engines.pieces import pieces
from agent.engines.protocols import Hypothesis, Segment, Task, TimedHypothesis
from agent.errors import EngineError

FRAMES_PER_S = 100
"""mel frames in one second; the encoder halves them"""
PADDING_S = 1.0
"""least silence behind the speech in the first pass"""
ROOMY_S, ROOMY_UNTIL_S = 3.0, 10.0
"""silence behind the speech while both fit into so much; of 84 one- to six-word utterances 41 went round in circles
with 1 s behind them"""
SHORTEST_S = 6.0
"""least context of the first pass. Of 62 clips cut off anywhere 4 needed a second pass with 6 s and `ROOMY_S`, 4 with
8 s, 5 with 10 s of context; half of them were done in 163, 195 and 224 ms; the words were as right. 4.5 s saves 24 ms
more, and a lone "Stop." then comes three times"""
SHORTEST_OF_ALL_S = 7.0
"""the same of a model for all languages: with 6 s whisper-base hears a lone "Stop." twice on some processors, with 6.5
to 30 s once"""
SECOND_S = 20.0
"""context of the second pass; cured all that `LONGEST_S` cured, in 0.32 s of encoder instead of 0.85"""
LONGEST_S = 30.0
"""context that the model was trained on; it takes no more"""
WINDOW_S = 28.0
"""longest speech that is recognised in one piece"""
FAINTEST = 10 ** (-85 / 20)
"""rms below which nothing is to be heard, -85 dBFS: ordinary 16-bit microphones' own noise is above it"""
UNSPOKEN_LOOP = 0.4
"""P(no speech) above which a text that reached the token limit twice is taken for noise: hum and hiss gave 0.5 to
0.9 there; speech that looped twice, 0 dB under babble, 0.36"""
SURE_LOOP = -0.3
"""mean log-probability above which an utterance that the decoder wrote again and again is taken as heard, once; a
second pass, which costs 500 ms, found the same words"""
SURE_TAIL = -0.8
"""the same for one of which only the end was written again and again, three rounds of it, if it is no noise: a keyboard
gave -0.5 and P(no speech) 0.91"""
MOST_PROMPT_TOKENS = 96
"""of the prompt's end; the model takes 223, but each costs time in every pass"""
UNSPACED = frozenset({"zh", "ja", "yue"})
"""languages that need more tokens a second and no space between pieces"""
FULL_STOPS = ".?!。？！"
"""how likely one is at the end tells whether the person has finished; see `agent.listening.endpointing`"""
_TEXT_CONTEXT = 448
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
# CTranslate2's arithmetic, oneDNN, compiles code for each length of sound and of text, and keeps 1024 pieces of it: a
# server grew by 200 MB in 500 calls. Compiling them again costs nothing that could be measured.


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one pass made of one piece."""

    text: str
    logprob: float
    no_speech: float
    cut: bool
    """the token limit was reached"""
    tokens: tuple[int, ...]
    stop: float
    """probability of a full stop at the end"""

    @property
    def circular(self) -> bool:
        return self.cut or compression(self.text) > 2.0 or repeats(self.text)

    @property
    def unspoken(self) -> bool:
        return not self.cut and unspoken(self.text, self.logprob, self.no_speech)


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is believed of one piece."""

    text: str
    language: str | None
    """None where nothing was said and nobody had told it"""
    heard: _Heard | None = None
    """the pass that the text is of"""
    encoded: ctranslate2.StorageView | None = None
    """what it was read from"""


class Whisper:
    """A recogniser (`Recognizer`, `TimedRecognizer`). May be called from several threads at once.

    CTranslate2 queues the calls and runs ``workers`` of them at a time, outside the GIL; nothing else is shared
    but the tokenizers, which are immutable once made.

    :param model: the catalogue's id.
    :param threads: cores for one call.
    :param workers: calls that run at the same time; the weights are shared, a worker adds about 15 MB.
    :param language: ISO 639-1 to assume when a call does not say; None to detect it.
    :param languages: what detection may choose from; () for all that the model knows.
    :param context_s: least sound, with the silence behind it, that the encoder gets; 30 is Whisper as it was made.
        None: as little as the model bears.
    :param path: a CTranslate2 model folder to use in place of the catalogue's.
    :param compute_type: CTranslate2's name of the arithmetic.
    :raises ModelMissing: if the model is not on this machine.
    :raises EngineError: if its files can not be loaded, or it does not know a language.
    """

    def __init__(
        self,
        *,
        model: str = "whisper-base",
        threads: int = 1,
        workers: int = 1,
        language: str | None = None,
        languages: tuple[str, ...] = (),
        context_s: float | None = None,
        path: Path | None = None,
        compute_type: str = "int8",
    ) -> None:
        if path is None:
            catalogue = Catalogue.load()
            path = catalogue.folder(catalogue.resolve(model))
        try:
            self._model = ctranslate2.models.Whisper(
                str(path), compute_type=compute_type, inter_threads=workers, intra_threads=threads
            )
            self._tokens = tokenizers.Tokenizer.from_str((path / "tokenizer.json").read_text())
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineError("whisper", "load", f"{path}: {error}; run `antiphon models verify`") from error
        self._mel = FeatureExtractor(feature_size=self._model.n_mels)
        self._tokenizers: dict[tuple[str, Task], Tokenizer] = {}
        self._lock = threading.Lock()
        self._context_s = context_s or (SHORTEST_OF_ALL_S if self._model.is_multilingual else SHORTEST_S)
        self._language = language
        self._languages = frozenset(languages)
        for code in {*languages, *([language] if language else [])}:
            self._tokenizer(code)

    def knows(self, language: str) -> bool:
        """Whether it can be told to expect this language, ISO 639-1 or a tag like ``pt-BR``."""
        code = primary(language)
        return self._tokens.token_to_id(f"<|{code}|>") is not None if self._model.is_multilingual else code == "en"

    def transcribe(self, wave: F32, *, language: str | None, prompt: str) -> Hypothesis:
        """Float32 (n,) at EAR_RATE, one utterance, to text; "" for silence and noise. Blocks.

        More than `WINDOW_S` is cut where it is quietest and recognised piece by piece.

        :param language: ISO 639-1, or None to detect it in the first piece.
        :param prompt: what was said before, as context for names and style; its end is used.
        :raises EngineError: if the model failed, or does not know the language.
        """
        language = primary(language or self._language)
        texts: list[str] = []
        stop: float | None = None
        for piece in pieces(wave, WINDOW_S):
            found = self._piece(piece, language, prompt, "transcribe")
            language = found.language
            texts.append(found.text)
            stop = None if found.heard is None else found.heard.stop
        joint = "" if language in UNSPACED else " "
        return Hypothesis(joint.join(text for text in texts if text), language or "", stop)

    def timed(self, wave: F32, *, language: str | None, prompt: str, task: Task) -> TimedHypothesis:
        """Float32 (n,) at EAR_RATE to sentences and words with their times. Blocks.

        :param task: "translate" writes in English what is said in another language.
        :raises EngineError: if the model failed, does not know the language, or can not translate.
        """
        if task == "translate" and not self._model.is_multilingual:
            raise EngineError("whisper", "translate", "this model knows only English; choose another, as whisper-base")
        language = primary(language or self._language)
        segments: list[Segment] = []
        begin = 0
        for piece in pieces(wave, WINDOW_S):
            found = self._piece(piece, language, prompt, task)
            language = found.language
            segments += self._sentences(found, piece, task, begin / EAR_RATE)
            begin += len(piece)
        return TimedHypothesis(tuple(segments), language or "")

    def _piece(self, wave: F32, language: str | None, prompt: str, task: Task) -> _Piece:
        """At most WINDOW_S of sound as text, and the language it is in if anything was said."""
        if len(wave) < EAR_RATE // 10 or float(np.sqrt(np.mean(np.square(wave)))) < FAINTEST:
            return _Piece("", language)
        seconds = len(wave) / EAR_RATE
        mel: F32 = self._mel(wave).astype(np.float32)
        try:
            roomy_s = min(seconds + ROOMY_S, ROOMY_UNTIL_S)
            encoded = self._encode(mel, max(seconds + PADDING_S, roomy_s, self._context_s))
            spoken = language or self._detect(encoded)
            tokenizer = self._tokenizer(spoken, task)
            first = self._decode(encoded, tokenizer, prompt, seconds)
            if first.unspoken:
                return _Piece("", language)
            if not first.circular and first.logprob > -1.0:
                return _Piece(first.text, spoken, first, encoded)
            if first.cut and first.logprob > SURE_LOOP and (once := one_round(first.text)):
                return _Piece(once, spoken, first, encoded)
            tail = first.cut and first.logprob > SURE_TAIL and first.no_speech < UNSPOKEN_LOOP
            if tail and (once := without_tail(first.text)) != first.text:
                return _Piece(once, spoken, first, encoded)
            roomy = SECOND_S if seconds + 2 * PADDING_S < SECOND_S else LONGEST_S
            again = self._encode(mel, roomy)
            second = self._decode(again, tokenizer, prompt, seconds)
        except (RuntimeError, ValueError) as error:
            raise EngineError("whisper", "transcribe", str(error)) from error
        if second.unspoken or (second.cut and second.no_speech > UNSPOKEN_LOOP):
            return _Piece("", language)
        if not second.circular:
            return _Piece(second.text, spoken, second, again)
        if not first.circular:
            return _Piece(first.text, spoken, first, encoded)
        return _Piece(without_tail(second.text), spoken, second, again)

    def _sentences(self, found: _Piece, wave: F32, task: Task, begin_s: float) -> list[Segment]:
        """The text of a piece with its times; nothing if nothing was said."""
        if not found.text or found.heard is None or found.encoded is None or found.language is None:
            return []
        tokenizer = self._tokenizer(found.language, task)
        ids = [one for one in found.heard.tokens if one < tokenizer.eot]
        if found.text != found.heard.text:
            ids = tokenizer.encode(" " + found.text)
        frames = min(len(wave) * FRAMES_PER_S // EAR_RATE, 2 * found.encoded.shape[1])
        try:
            aligned = self._model.align(found.encoded, tokenizer.sot_sequence, [ids], frames)[0]
        except (RuntimeError, ValueError) as error:
            raise EngineError("whisper", "align", str(error)) from error
        words, tokens = tokenizer.split_to_word_tokens([*ids, tokenizer.eot])
        known = placed(words[:-1], tokens[:-1], aligned.alignments, aligned.text_token_probs)
        return sentences(settled(known, wave), begin_s=begin_s, no_speech=found.heard.no_speech)

    def _encode(self, mel: F32, context_s: float) -> ctranslate2.StorageView:
        """The encoder's output for (n_mels, frames), with silence behind it up to ``context_s``."""
        frames = min(int(context_s * FRAMES_PER_S), int(LONGEST_S * FRAMES_PER_S)) // 2 * 2
        # What the features of digital silence would be: the floor that the extractor clips to, 8 below the
        # loudest and at least 1e-10 in power (both log10), scaled as it scales.
        floor = max(float(mel.max()) - 2.0, -1.5)
        padded = np.full((1, mel.shape[0], frames), floor, np.float32)
        kept = min(frames, mel.shape[1])
        padded[0, :, :kept] = mel[:, :kept]
        return self._model.encode(ctranslate2.StorageView.from_array(padded))

    def _detect(self, encoded: ctranslate2.StorageView) -> str:
        """The most probable of the languages that may be chosen."""
        if not self._model.is_multilingual:
            return "en"
        for token, _ in self._model.detect_language(encoded)[0]:
            code = str(token)[2:-2]
            if not self._languages or code in self._languages:
                return code
        raise EngineError("whisper", "language", f"the model knows none of {sorted(self._languages)}")

    def _decode(self, encoded: ctranslate2.StorageView, tokenizer: Tokenizer, prompt: str, seconds: float) -> _Heard:
        start = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        if prompt.strip():
            before = tokenizer.encode(" " + prompt.strip())[-MOST_PROMPT_TOKENS:]
            start = [tokenizer.sot_prev, *before, *start]
        # No one speaks faster than this; the densest of the development recordings has 5.7 tokens a second.
        limit = int(10 + seconds * (12 if tokenizer.language_code in UNSPACED else 6.5))
        result = self._model.generate(
            encoded,
            [start],
            beam_size=1,
            # CTranslate2 gives the new tokens half of max_length, or what the prompt leaves of it.
            max_length=min(max(2 * limit, len(start) + limit), _TEXT_CONTEXT),
            return_scores=True,
            return_no_speech_prob=True,
            return_logits_vocab=True,
        )[0]
        ids: list[int] = result.sequences_ids[0]
        # The score is the mean over the tokens without the end mark, which was scored too.
        logprob = result.scores[0] * len(ids) / (len(ids) + 1)
        most = min(limit, _TEXT_CONTEXT // 2 - 1)
        text, cut = tokenizer.decode(ids).strip(), len(ids) >= most
        said = ids
        if cut and (once := _once(text)) != text:
            said = next((ids[:n] for n in range(len(ids)) if tokenizer.decode(ids[:n]).strip() == once), ids)
        stop = self._stop(said, result.logits[0], tokenizer)
        return _Heard(text, logprob, result.no_speech_prob, cut, tuple(ids), stop)

    @staticmethod
    def _stop(ids: list[int], logits: list[ctranslate2.StorageView], tokenizer: Tokenizer) -> float:
        """The probability of a full stop as the last of these tokens, whether or not it was written."""
        stops = [token[0] for mark in FULL_STOPS if len(token := tokenizer.encode(mark)) == 1]
        at = len(ids) - 1 if ids and ids[-1] in stops else len(ids)
        if at >= len(logits):
            return 0.0  # cut off in the middle
        weights = np.asarray(logits[at], dtype=np.float32)
        weights = np.exp(weights - weights.max())
        return float(weights[stops].sum() / weights.sum())

    def _tokenizer(self, language: str, task: Task = "transcribe") -> Tokenizer:
        with self._lock:
            if (language, task) not in self._tokenizers:
                try:
                    made = Tokenizer(self._tokens, self._model.is_multilingual, task, language)
                except ValueError as error:
                    raise EngineError("whisper", "language", str(error)) from error
                if self._model.is_multilingual and made.language is None:
                    raise EngineError("whisper", "language", f"this model does not know {language!r}; choose another")
                self._tokenizers[language, task] = made
            return self._tokenizers[language, task]


def _once(text: str) -> str:
    """What was heard once and written again and again, to its end or from its first word on; else the text."""
    return one_round(text) or without_tail(text)


def primary(language: str | None) -> str | None:
    """The language of a tag like ``pt-BR``: ``pt``."""
    return language.replace("_", "-").split("-")[0].lower() if language else None
