"""The session object: what a client may set, how it is merged, and what it means for turn-taking."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from openai.types.realtime import RealtimeSessionCreateRequest
from pydantic import ValidationError

from agent.engines.protocols import Scope
from agent.history import new_id
from agent.realtime.formats import RATES
from agent.realtime.requests import RequestError
from agent.realtime.tools import scope
from agent.settings import Settings

SESSION_S = 24 * 3600
"""The longest session where nothing else limits it; `expires_at` says when it ends."""
MODEL = "antiphon"
CLEARABLE = frozenset({"turn_detection", "transcription", "noise_reduction", "tracing"})
"""Tables of the session that null switches off."""
CLEARED: Mapping[str, Any] = {"tools": [], "tool_choice": "auto", "max_output_tokens": "inf"}
"""What null means for fields that are never null."""
REPLACED = frozenset({"tool_choice", "truncation", "prompt"})
"""Fields that are a word or a table, and are taken as they come."""
ECHOED = frozenset({"reasoning", "parallel_tool_calls"})
"""Fields that a session need not have, and that come back as they were sent."""
TEXT_LIMIT = 20_000
"""Characters of one typed message or of the instructions."""
FIXED = ("type", "object", "id", "model", "expires_at")
"""What a client can not change; SDKs send a model with every update."""
FASTEST, SLOWEST = 1.5, 0.25
"""`audio.output.speed`"""
LONGEST_TIMEOUT_MS = 3_600_000
"""`turn_detection.idle_timeout_ms`"""
ANSWERING = ("create_response", "interrupt_response", "idle_timeout_ms")
"""of a turn detection: what means nothing where nobody answers"""
EAGERNESS = {"low": (1.7, 2.4), "medium": (1.0, 1.0), "auto": (1.0, 1.0), "high": (0.7, 0.6)}
"""of ``semantic_vad``: what it makes of the silence that ends a sure turn, and of that which ends any"""


@dataclass(frozen=True, slots=True)
class Silences:
    """How much of it ends a turn, ms (`agent.listening.endpointing.Endpointing`)."""

    sure_ms: int
    endpointing_ms: int
    limit_ms: int


class Config:
    """One session's settings, always whole and valid.

    :param knows: whether the recogniser can be told to expect a language.
    :param transcription: of a session that only listens.
    :param longest_s: how long the session may take, s.
    """

    def __init__(
        self,
        settings: Settings,
        knows: Callable[[str], bool],
        *,
        transcription: bool = False,
        longest_s: float = SESSION_S,
    ) -> None:
        self._settings = settings
        self._knows = knows
        self.transcription = transcription
        self.all = _defaults(settings, longest_s)
        """everything that is set"""
        self._own_voice = self.voice
        self.scope = Scope()
        """the tools that answers may call, and how long they may be"""

    @property
    def told(self) -> dict[str, Any]:
        """The session object as clients see it."""
        if not self.transcription:
            return self.all
        heard = dict(self.all["audio"]["input"])
        if heard["turn_detection"] is not None:
            heard["turn_detection"] = {
                key: value for key, value in heard["turn_detection"].items() if key not in ANSWERING
            }
        return {
            "type": "transcription",
            "object": "realtime.transcription_session",
            "id": self.all["id"],
            "expires_at": self.all["expires_at"],
            "audio": {"input": heard},
            "include": self.all["include"],
        }

    def merge(self, changes: Mapping[str, Any]) -> None:
        """Take a client's changes: absent is unchanged, null clears, what we do not know is ignored.

        :raises RequestError: if they do not fit; nothing is changed then.
        """
        kind = "transcription" if self.transcription else "realtime"
        if changes.get("type", kind) != kind:
            message = f"session.type: this is a session of type {kind!r}, and stays one."
            raise RequestError("invalid_value", message, "session.type")
        if self.transcription:
            changes = _heard(changes)
        instructions = changes.get("instructions", self.all["instructions"])
        if not isinstance(instructions, str) or len(instructions) > TEXT_LIMIT:
            message = f"instructions must be text of at most {TEXT_LIMIT} characters"
            raise RequestError("invalid_type", message, "session.instructions")
        merged = _merged(self.all, changes) | {key: self.all[key] for key in FIXED}
        try:
            RealtimeSessionCreateRequest.model_validate(merged, strict=True)
        except ValidationError as error:
            where = ".".join(("session", *(str(part) for part in error.errors()[0]["loc"])))
            raise RequestError("invalid_type", f"{where}: {error.errors()[0]['msg']}", where) from error
        output = merged["audio"]["output"]
        if isinstance(output["voice"], dict):
            output["voice"] = output["voice"].get("id", "")  # clients that give an object read a name
        for key, usual in (("voice", self._own_voice), ("speed", 1.0)):
            output[key] = usual if output[key] is None else output[key]
        self._check(merged)
        for key, usual in CLEARED.items():
            merged[key] = usual if merged[key] is None else merged[key]
        self.scope = scope(merged["tools"], merged["tool_choice"], merged["max_output_tokens"], "session")
        self.all = merged

    def _check(self, merged: Mapping[str, Any]) -> None:
        for way in ("input", "output"):
            where = f"session.audio.{way}.format"
            form = merged["audio"][way]["format"]
            if form.get("type") not in RATES:
                kinds = ", ".join(f"'{kind}'" for kind in RATES)
                raise RequestError("invalid_value", f"{where}.type must be one of {kinds}.", f"{where}.type")
            if form["type"] == "audio/pcm":
                form.setdefault("rate", 24000)
        speed = merged["audio"]["output"]["speed"]
        if not SLOWEST <= speed <= FASTEST:
            where = "session.audio.output.speed"
            raise RequestError("invalid_value", f"{where} must be {SLOWEST:g} to {FASTEST:g}.", where)
        timeout_ms = (merged["audio"]["input"]["turn_detection"] or {}).get("idle_timeout_ms")
        if timeout_ms is not None and not 1 <= timeout_ms <= LONGEST_TIMEOUT_MS:
            where = "session.audio.input.turn_detection.idle_timeout_ms"
            code = "integer_below_min_value" if timeout_ms < 1 else "integer_above_max_value"
            raise RequestError(code, f"{where} must be 1 to {LONGEST_TIMEOUT_MS}, or null.", where)
        if merged["output_modalities"] not in (["audio"], ["text"]):
            where = "session.output_modalities"
            raise RequestError("invalid_value", f"{where} must be ['audio'] or ['text'].", where)
        language = self._spoken(merged)
        if language and not self._knows(language):
            where = "session.audio.input.transcription.language"
            message = f"{where}: the recogniser does not know {language[:20]!r}; give a code like 'en'."
            raise RequestError("invalid_value", message, where)

    # -- what it means ---------------------------------------------------------------------------------------

    def scope_of(self, tools: Any, choice: Any, most: Any) -> Scope:
        """What one answer may do, as a `response.create` wants it; None for as the session has it.

        :raises RequestError: if that is not what they are.
        """
        if tools is None:
            tools, choice = self.all["tools"], self.all["tool_choice"] if choice is None else choice
        return scope(tools, choice, self.all["max_output_tokens"] if most is None else most, "response")

    @property
    def spoken(self) -> bool:
        """Answers are spoken, not written."""
        return bool(self.all["output_modalities"] == ["audio"])

    @property
    def voice(self) -> str:
        """The name of the voice."""
        return str(self.all["audio"]["output"]["voice"])

    @property
    def engine_voice(self) -> str:
        """What the engine is asked for; "" for its own."""
        return "" if self.voice == self._own_voice else self.voice

    @property
    def speed(self) -> float:
        """Of the voice, 1.0 its own."""
        return float(self.all["audio"]["output"]["speed"])

    @property
    def transcribed(self) -> bool:
        """The client wants to read what was said."""
        return self.all["audio"]["input"]["transcription"] is not None

    @property
    def answers(self) -> bool:
        """A turn that is over is answered unasked, or, where a client says when it is over, when it is asked."""
        detection = self.detection
        return not self.transcription and (detection is None or bool(detection["create_response"]))

    @property
    def timeout_s(self) -> float:
        """Of silence after an answer, after which the agent speaks again; 0 for never."""
        return float((self.detection or {}).get("idle_timeout_ms") or 0) / 1000 if self.answers else 0.0

    @property
    def detection(self) -> Mapping[str, Any] | None:
        """How turns end; None if the client says when."""
        found: Mapping[str, Any] | None = self.all["audio"]["input"]["turn_detection"]
        return found

    @property
    def language(self) -> str | None:
        """The language that is spoken to us, ISO 639-1; None to find out."""
        return self._spoken(self.all) or None

    @property
    def silences(self) -> Silences:
        """How much of it ends a turn: the server's own, as far as the client did not ask for others."""
        turn, asked = self._settings.turn, self.detection or {}
        sure, likely, limit = turn.sure_ms, turn.endpointing_ms, turn.limit_ms
        if asked.get("type") == "semantic_vad":
            short, long = EAGERNESS.get(str(asked.get("eagerness")), (1.0, 1.0))
            sure, likely, limit = round(sure * short), round(likely * short), round(limit * long)
        elif (silence := asked.get("silence_duration_ms")) is not None and silence != _silence_ms(self._settings):
            sure = max(32, min(int(silence), 10_000))
        likely = max(sure, likely)
        return Silences(sure, likely, max(likely, limit))

    def _spoken(self, config: Mapping[str, Any]) -> str:
        """ "" to find out; the server's own where a client wants no transcripts."""
        transcription = config["audio"]["input"]["transcription"]
        if transcription is None:
            return self._settings.asr.language
        language = transcription.get("language")
        return self._settings.asr.language if language is None else str(language)


def _heard(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What of a client's changes a session can take that only listens."""
    kept = {key: value for key, value in changes.items() if key in ("audio", "include")}
    if isinstance(kept.get("audio"), Mapping):
        kept["audio"] = {key: value for key, value in kept["audio"].items() if key == "input"}
    return kept


def _merged(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "session") -> dict[str, Any]:
    """Deep merge.

    :raises RequestError: if a table that is needed would be replaced by something else.
    """
    merged = dict(old)
    for key, value in new.items():
        if key not in old:
            if path == "session" and key in ECHOED:
                merged[key] = value
            continue
        inner, where = old[key], f"{path}.{key}"
        if key in REPLACED:
            merged[key] = value
        elif key == "turn_detection" and isinstance(value, dict):
            merged[key] = _turn_detection(inner, value)
        elif isinstance(inner, dict) and isinstance(value, dict):
            merged[key] = _merged(inner, value, where) if key != "format" else dict(value)
        elif isinstance(inner, dict) and not (value is None and key in CLEARABLE):
            raise RequestError("invalid_type", f"{where} must be an object.", where)
        else:
            merged[key] = value
    return merged


SERVER_VAD: Mapping[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD: Mapping[str, Any] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}


def _turn_detection(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
    """Of the same type it is merged; of another it begins with that type's own values."""
    kind = new.get("type", (old or SERVER_VAD).get("type"))
    usual = SEMANTIC_VAD if kind == "semantic_vad" else SERVER_VAD
    base = old if old is not None and old.get("type") == kind else usual
    return {**base, **{key: value for key, value in new.items() if key in usual}, "type": kind}


def _silence_ms(settings: Settings) -> int:
    return settings.turn.sure_ms if settings.turn.detector else settings.turn.endpointing_ms


def _defaults(settings: Settings, longest_s: float) -> dict[str, Any]:
    """The whole session object, as `session.created` shows it."""
    detection = {
        **SERVER_VAD,
        "silence_duration_ms": _silence_ms(settings),
        "interrupt_response": settings.turn.interruption == "cut",
    }
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": new_id("sess"),
        "model": MODEL,
        "output_modalities": ["audio"],
        "instructions": settings.agent.instructions,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": round(time.time() + min(longest_s, SESSION_S)),
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": settings.asr.model, "language": settings.asr.language},
                "noise_reduction": None,
                "turn_detection": None if settings.turn.mode == "manual" else detection,
            },
            "output": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "voice": settings.tts.voice or settings.tts.engine,
                "speed": 1.0,
            },
        },
        "include": None,
    }
