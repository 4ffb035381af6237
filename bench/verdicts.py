"""What `bench.turns` makes of what a caller heard: was the answer early, was the agent cut off, did it go on.

Pure functions of the caller's events and of the packets at its ear, all with the time at which they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.caller import AUDIBLE_DBFS, HeardFrame

CUT_WITHIN_S = 1.5
"""from the first sample of an interruption until the server has cut its reply off"""
SETTLE_S = 0.2
"""after the cut, while packets are still on their way"""
BACK_WITHIN_S = 2.5
"""after a harmless sound, until the voice is as loud as before"""
BACK_DB = 6.0
"""how much quieter than before still counts; a ducked voice is 12 dB down"""
LEVEL_WINDOW_S = 0.4
"""over which the voice's level is taken: longer than a pause between words"""
EARLY_PACKETS_S = 0.1
"""by which a reply's first packets may come before the event that announces them, on another channel"""

COMPLETED = "conversation.item.input_audio_transcription.completed"

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TurnVerdict:
    """How one turn was answered."""

    premature: bool
    """an answer began before the last loud sample was sent"""
    split: bool
    """the turn was closed before its end, whether an answer was heard or not"""
    never: bool
    """nothing was heard after the end"""
    closed: tuple[str, ...]
    """where and with which words it was closed before its end"""
    voice_to_voice_ms: float | None
    """from the last loud sample to the first audible packet; None if premature or never"""


@dataclass(frozen=True, slots=True)
class OverVerdict:
    """What a harmless sound did to the agent's speech."""

    cut: bool
    """the server ended the reply"""
    back: bool
    """the voice was heard again at its level in time"""
    silent_ms: float
    """the longest silence from the sound's beginning on: of a hold, or of the text's own pauses"""

    @property
    def false_cut(self) -> bool:
        """The agent did not simply go on."""
        return self.cut or not self.back


@dataclass(frozen=True, slots=True)
class InterruptionVerdict:
    """What an interruption did."""

    cut_ms: float | None
    """from its first sample to the server's news that the reply is cut; None if there was none in time"""
    leaked: bool
    """the old reply was heard after that"""

    @property
    def missed(self) -> bool:
        """The agent talked on, or not all of it stopped."""
        return self.cut_ms is None or self.leaked


def judge_turn(events: Iterable[Event], frames: Sequence[HeardFrame], began: float, ended: float) -> TurnVerdict:
    """A turn, from everything that came since ``began``.

    :param began: when its first sample was sent, `loop.time()`.
    :param ended: when its last loud one was.
    """
    before = [event for event in events if began < event["at"] < ended]
    early = [event["type"] for event in before]
    loud = [frame.at for frame in frames if frame.at > began and frame.dbfs > AUDIBLE_DBFS]
    premature = "output_audio_buffer.started" in early or (bool(loud) and loud[0] < ended)
    after = [at for at in loud if at >= ended]
    return TurnVerdict(
        premature=premature,
        split=COMPLETED in early,
        never=not after,
        closed=tuple(f"{e['at'] - began:.1f} s: {e.get('transcript', '')}" for e in before if e["type"] == COMPLETED),
        voice_to_voice_ms=None if premature or not after else (after[0] - ended) * 1000,
    )


def judge_over(events: Iterable[Event], frames: Sequence[HeardFrame], began: float, out: float) -> OverVerdict:
    """A harmless sound, from everything since a little before ``began`` to `BACK_WITHIN_S` after ``out``.

    :param began: when its first sample was sent, `loop.time()`.
    :param out: when its last one was.
    """
    loud = [began, *(f.at for f in frames if began < f.at and f.dbfs > AUDIBLE_DBFS)]
    until = max(frame.at for frame in frames) if frames else began
    silent = float(np.diff([*loud, max(until, loud[-1])]).max()) if len(loud) > 1 or until > began else 0.0
    before = level_dbfs([frame for frame in frames if frame.at <= began])
    return OverVerdict(
        cut=any(is_cut(event) for event in events if event["at"] > began),
        back=is_back(frames, before, out),
        silent_ms=silent * 1000,
    )


def judge_interruption(events: Sequence[Event], frames: Sequence[HeardFrame], began: float) -> InterruptionVerdict:
    """An interruption, from everything that came since ``began``, its first sample."""
    cleared = next((e["at"] for e in events if e["type"] == "output_audio_buffer.cleared" and e["at"] > began), None)
    if cleared is None or cleared - began > CUT_WITHIN_S:
        return InterruptionVerdict(None, leaked=False)
    answers = [e["at"] for e in events if e["type"] == "output_audio_buffer.started" and e["at"] > cleared]
    until = answers[0] - EARLY_PACKETS_S if answers else float("inf")
    leaked = any(cleared + SETTLE_S < f.at < until and f.dbfs > AUDIBLE_DBFS for f in frames)
    return InterruptionVerdict((cleared - began) * 1000, leaked)


def is_cut(event: Event) -> bool:
    """Whether this event says that a reply was ended before its end."""
    if event["type"] == "response.done":
        return bool(event["response"]["status"] == "cancelled")
    return event["type"] in ("output_audio_buffer.cleared", "conversation.item.truncated")


def level_dbfs(frames: Sequence[HeardFrame]) -> float:
    """How loud a voice is in these packets, its pauses not counted: the level that a fifth of them pass."""
    return float(np.percentile([frame.dbfs for frame in frames], 80)) if frames else -120.0


def is_back(frames: Sequence[HeardFrame], before_dbfs: float, out: float) -> bool:
    """Whether the voice was at its level again in some `LEVEL_WINDOW_S` that ended within `BACK_WITHIN_S`."""
    for end in frames:
        if not out + LEVEL_WINDOW_S < end.at <= out + BACK_WITHIN_S:
            continue
        window = [frame for frame in frames if end.at - LEVEL_WINDOW_S < frame.at <= end.at]
        if level_dbfs(window) >= before_dbfs - BACK_DB:
            return True
    return False
