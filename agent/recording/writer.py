"""The recording's other end: it encodes and writes, in a thread of its own, for all of it blocks."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np

from agent.audio import I16, TICK_S, TICK_SAMPLES
from agent.recording.disk import AppendedFile, new_folder, track_name
from agent.recording.track import Track

AGENT, MIX = "agent", "mix"
SYNC_TICKS = 250
"""5 s: as much sound may be missing when the machine loses its power; lines of the transcript are not"""


@dataclass(frozen=True, slots=True)
class Tick:
    """What was heard in 20 ms, or that nothing was for longer."""

    voices: dict[str, I16] = field(default_factory=dict)
    """int16 (TICK_SAMPLES,) by person's id, or `AGENT`"""
    ticks: int = 1


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody is there from now on."""

    person_id: str
    name: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody is no longer there."""

    person_id: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Said:
    """A turn's words."""

    person_id: str
    name: str
    text: str
    started_s: float
    ended_s: float


Entry: TypeAlias = Tick | Joined | Left | Said


class Writer:
    """Makes the folder, then a page for each track and the transcript's lines from each batch of entries.

    :param folder: of all recordings.
    :param at: when it began.
    :raises OSError: so do all methods, if the disk is full, gone or not ours.
    """

    def __init__(self, folder: Path, room: str, at: datetime) -> None:
        self._began = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._room = room
        self._ticks = self._synced = 0
        self._tracks: dict[str, Track] = {}
        self._names = {AGENT, MIX}
        self._folder = new_folder(folder, room, at)
        self._transcript = AppendedFile(self._folder / "transcript.jsonl")
        try:
            for each in (MIX, AGENT):
                self._tracks[each] = self._track(each, each)
            self._write_lines([{"type": "began", "room": room, "at": self._began}])
        except OSError:
            self.close()
            raise

    def write(self, entries: list[Entry]) -> None:
        """Take down what happened since the last time."""
        lines = [line for entry in entries if (line := self._taken(entry))]
        for track in self._tracks.values():
            track.write()
        self._write_lines(lines)
        if self._ticks - self._synced >= SYNC_TICKS:
            self._synced = self._ticks
            for track in self._tracks.values():
                track.sync()

    def end(self) -> None:
        """Everything was taken down."""
        for track in self._tracks.values():
            track.end()
        self._write_lines([{"type": "ended", "at_s": round(self._ticks * TICK_S, 3)}])

    def close(self) -> None:
        """Let go of the files."""
        files: list[Track | AppendedFile] = [*self._tracks.values(), self._transcript]
        for file in files:
            with suppress(OSError):
                file.close()

    def _taken(self, entry: Entry) -> dict[str, object] | None:
        """Play or do what an entry says; what the transcript says of it."""
        match entry:
            case Tick():
                self._play(entry)
                return None
            case Joined(person_id, name):
                if person_id in self._tracks:
                    return None
                file = track_name(name, person_id, self._names)
                self._tracks[person_id] = self._track(file, name)
                return _line(entry) | {"track": f"{file}.opus"}
            case Left(person_id):
                if track := self._tracks.pop(person_id, None):
                    track.end()
                    track.close()
        return _line(entry)

    def _track(self, file: str, title: str) -> Track:
        tags = {"TITLE": title, "ALBUM": self._room, "DATE": self._began}
        return Track(self._folder / f"{file}.opus", tags, self._ticks)

    def _play(self, tick: Tick) -> None:
        self._ticks += tick.ticks
        mix = mixed([pcm for pcm in tick.voices.values() if pcm.any()])
        for each, track in self._tracks.items():
            pcm = mix if each == MIX else tick.voices.get(each)
            if pcm is None:
                track.rest(tick.ticks)
            else:
                track.play(pcm)

    def _write_lines(self, lines: list[dict[str, object]]) -> None:
        if lines:
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            self._transcript.append(text.encode(errors="replace"))  # half a surrogate pair is no character
            self._transcript.sync()


def mixed(voices: list[I16]) -> I16 | None:
    """All of them together, int16 (TICK_SAMPLES,), what is past full scale clipped; None if there is none."""
    if len(voices) < 2:
        return voices[0] if voices else None
    total = np.zeros(TICK_SAMPLES, np.int32)
    for pcm in voices:
        total += pcm
    return np.clip(total, -32768, 32767).astype(np.int16)


def _line(entry: Joined | Left | Said) -> dict[str, object]:
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(entry).items()}
    return {"type": type(entry).__name__.lower(), **rounded}
