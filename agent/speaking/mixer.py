"""Mix-minus: everybody hears all the others and the agent, and nobody hears himself.

Voices come a tick at a time; what is quiet does not come at all. Who hears the same gets the same array, so that it is
mixed once, and can be encoded once (`agent.transports.fan_out`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from agent.audio import F32, I16, TICK_SAMPLES

LOUDEST = 2.0
"""the most that one voice can be turned up, +6 dB"""
KNEE = 29_000.0
"""Above this, -1 dBFS, a mix is bent towards full scale; below, it is the plain sum."""
_ROOM = 32_767.0 - KNEE
SILENCE: I16 = np.zeros(TICK_SAMPLES, np.int16)
"""what everybody gets who has nothing to hear: always this array"""
SILENCE.flags.writeable = False


@dataclass(slots=True)
class _Volume:
    """How loud one listener hears one voice."""

    now: float = 1.0
    wanted: float = 1.0


_Part = tuple[str, float, float]
"""A voice, and its gain at the beginning and at the end of a tick."""


class Mixer:
    """The ears of one room. Names are of people, or of whatever else has a voice."""

    def __init__(self) -> None:
        self._volumes: dict[str, dict[str, _Volume]] = {}  # by listener and voice; only those that are not 1

    def set_volume(self, listener: str, voice: str, volume: float) -> None:
        """From the next tick on, this listener hears this voice so loud: 0 (not at all) to `LOUDEST`; 1 as it came."""
        one = self._volumes.setdefault(listener, {}).setdefault(voice, _Volume())
        one.wanted = min(LOUDEST, max(0.0, volume))

    def forget(self, name: str) -> None:
        """This person has left, and nobody needs to know how loud they were."""
        self._volumes.pop(name, None)
        for volumes in self._volumes.values():
            volumes.pop(name, None)

    def mix(self, voices: Mapping[str, I16 | None], listeners: Iterable[str]) -> dict[str, I16]:
        """One tick: what each listener hears, int16 (TICK_SAMPLES,); the same array for all who hear the same.

        :param voices: int16 (TICK_SAMPLES,) by name; None or zeros for who is silent.
        :param listeners: names; a voice of the same name is left out. Another name, such as a recorder's, hears all.
        """
        sounding = {name: pcm for name, pcm in voices.items() if pcm is not None and pcm.any()}
        mixed: dict[tuple[_Part, ...], I16] = {(): SILENCE}
        heard: dict[str, I16] = {}
        for listener in listeners:
            parts = self._parts(listener, sounding)
            if parts not in mixed:
                mixed[parts] = _sum(parts, sounding)
            heard[listener] = mixed[parts]
        return heard

    def _parts(self, listener: str, sounding: Mapping[str, I16]) -> tuple[_Part, ...]:
        """What this listener's mix is made of; volumes move on by a tick."""
        volumes = self._volumes.get(listener)
        if not volumes:
            return tuple([(name, 1.0, 1.0) for name in sounding if name != listener])
        gains = {name: (volume.now, volume.wanted) for name, volume in volumes.items()}
        for name, volume in tuple(volumes.items()):
            volume.now = volume.wanted
            if volume.wanted == 1.0:
                del volumes[name]
        parts = [(name, *gains.get(name, (1.0, 1.0))) for name in sounding if name != listener]
        return tuple([part for part in parts if part[1:] != (0.0, 0.0)])


def _sum(parts: tuple[_Part, ...], voices: Mapping[str, I16]) -> I16:
    """The voices of the parts together."""
    total: F32 = np.zeros(TICK_SAMPLES, np.float32)
    for name, begins, ends in parts:
        if begins == ends == 1.0:
            total += voices[name]
        elif begins == ends:
            total += voices[name] * np.float32(begins)
        else:
            total += voices[name] * np.linspace(begins, ends, TICK_SAMPLES, dtype=np.float32)
    # The same bend for every mix and every tick, for one that comes and goes with the voices would click.
    if max(float(total.max()), -float(total.min())) > KNEE:
        level = np.abs(total)
        bent = KNEE + _ROOM * np.tanh((level - KNEE) / _ROOM)
        total = np.where(level > KNEE, np.copysign(bent, total), total)
    return np.rint(total).astype(np.int16)
