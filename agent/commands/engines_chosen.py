"""`antiphon doctor` on engines: those that the settings choose are installed, and their models are here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.engines.catalogue import Catalogue
from agent.engines.registry import checked
from agent.errors import ConfigError
from agent.settings import Settings


def chosen(settings: Settings) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Group, name and settings of each engine that a server would load."""
    for group, section, name in (
        ("vad", settings.vad, settings.vad.engine),
        ("asr", settings.asr, settings.asr.engine),
        ("llm", settings.llm, "openai" if settings.llm.url else "embedded"),
        ("turn", settings.turn, settings.turn.detector),
        ("tts", settings.tts, settings.tts.engine),
        ("noise", settings.noise, settings.noise.engine),
    ):
        given: dict[str, object] = {}
        if group == "llm":
            given["model"] = settings.llm.model
        if name == "openai" and group == "llm":
            given["url"] = settings.llm.url
        if group == "asr" and settings.asr.model != "auto":
            given["model"] = settings.asr.model
        if name:
            yield group, name, {**given, **section.options(name)}


def models(group: str, name: str, options: dict[str, object]) -> list[str]:
    """What one engine works with: ids of the catalogue and paths, all of which are here.

    :raises ConfigError: if the engine is not installed, or does not take such settings.
    :raises ModelMissing: if a model is not on this machine.
    """
    _, arguments = checked(group, name, options)
    catalogue = Catalogue.load()
    model, path = arguments.get("model"), arguments.get("path")
    match group, name:
        case "vad", "silero":
            return [_there("vad.silero.model", model)] if model else _here(catalogue, "silero-vad")
        case "turn", "smart-turn":
            return [_there("turn.smart-turn.path", path)] if path else _here(catalogue, str(model or "smart-turn-v3.2"))
        case "asr", "whisper":
            from agent.engines.asr.by_language import ENGLISH, MULTILINGUAL

            if path:
                return [_there("asr.whisper.path", path)]
            return _here(catalogue, *([str(model)] if model else [ENGLISH, MULTILINGUAL]))
        case "llm", "embedded":
            from agent.engines.llm.embedded import find

            return [find(str(model))[0]]
    return []


def _here(catalogue: Catalogue, *wanted: str) -> list[str]:
    found = [catalogue.resolve(model) for model in wanted]
    for model in found:
        catalogue.folder(model)
    return found


def _there(key: str, path: object) -> str:
    if not Path(str(path)).exists():
        raise ConfigError(f"{key}: there is no {path}; correct the path, or leave it out for the catalogue's model")
    return str(path)
