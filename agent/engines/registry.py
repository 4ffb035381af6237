"""Engines by name, through entry points: ours and other people's alike.

An engine is a class that a distribution lists under ``antiphon.tts`` or one of the other groups; its
settings are its constructor's typed keyword arguments. Only the engine that is asked for is imported.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from agent.errors import ConfigError

PREFIX = "antiphon."
"""of the entry points' groups: antiphon.vad, antiphon.asr, antiphon.llm, antiphon.tts, antiphon.turn, …"""


def names(group: str) -> list[str]:
    """The engines installed for a seam ("vad", "asr", "llm", "tts", "turn", …)."""
    return sorted(entry_points(group=_full(group)).names)


def engine(group: str, name: str) -> Callable[..., Any]:
    """The engine's class, imported.

    :raises ConfigError: if there is none of that name, or what it needs is not installed.
    """
    found = entry_points(group=_full(group), name=name)
    if not found:
        raise ConfigError(
            f"there is no {group} engine {name!r}; {listed(name, names(group))}, and packages can bring others"
        )
    entry = next(iter(found))
    try:
        return entry.load()  # type: ignore[no-any-return]
    except ImportError as error:
        raise ConfigError(
            f"the {group} engine {name!r} can not be imported ({error}); {_remedy(entry, error)}"
        ) from error


def load(group: str, name: str, settings: Mapping[str, object], *, threads: int | None = None) -> object:
    """Construct an engine.

    :param settings: its table of the settings; values may be strings, as from the environment.
    :param threads: its share of the cores, used if it takes ``threads`` and the settings do not say.
    :raises ConfigError: if there is no such engine, or a setting is unknown, missing or of the wrong type.
    """
    make, arguments = checked(group, name, settings)
    if threads is not None and "threads" in inspect.signature(make).parameters:
        arguments.setdefault("threads", threads)
    return make(**arguments)


def checked(group: str, name: str, settings: Mapping[str, object]) -> tuple[Callable[..., object], dict[str, object]]:
    """An engine's class and the arguments that its settings are, not yet brought together.

    :raises ConfigError: as `load`.
    """
    make = engine(group, name)
    where = f"[{group}.{name}]"
    takes = inspect.signature(make).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
        for key in settings:
            if key not in takes:
                raise ConfigError(f"{where} has no setting {key!r}; {listed(key, takes)}")
    for key, parameter in takes.items():
        required = parameter.default is parameter.empty and parameter.kind is parameter.KEYWORD_ONLY
        if required and key not in settings:
            raise ConfigError(f"{where} needs the setting {key!r}; add it, or choose another {group} engine")
    types = _types(make)
    return make, {key: _converted(f"{where} {key}", value, types.get(key)) for key, value in settings.items()}


def _full(group: str) -> str:
    return group if group.startswith(PREFIX) else PREFIX + group


def _types(make: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(make.__init__ if inspect.isclass(make) else make)


def _converted(where: str, value: object, kind: Any) -> object:
    """The value as its annotation says, converted where that is safe ("2" to 2)."""
    if kind is None:
        return value
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise ConfigError(f"{where} = {value!r}: {error.errors()[0]['msg']}; correct it") from error


def listed(wrong: str, known: Iterable[str]) -> str:
    """What a message says of a name that is none of the known: the nearest of them, and all."""
    near = difflib.get_close_matches(wrong, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}there are: {', '.join(sorted(known)) or 'none'}"


def _remedy(entry: EntryPoint, error: ImportError) -> str:
    """What to install: the extra named like the engine, if its distribution has one, else the missing
    module."""
    if entry.dist is not None:
        extras = entry.dist.metadata.get_all("Provides-Extra") or []
        if entry.name in extras:
            return f"install {entry.dist.name}[{entry.name}]"
    return f"install what provides the module {error.name!r}" if error.name else "reinstall its package"
