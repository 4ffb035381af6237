"""One turn's timeline, and the counters that Prometheus reads.

A `Timeline` is filled with `loop.time()` stamps where things happen. The log line, the histograms, the
`antiphon.timeline` event and the bench's tables are all made from it, so that they can not disagree.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS_S = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)


@dataclass(slots=True)
class Timeline:
    """`loop.time()` stamps of one turn; None where a stage was not reached."""

    speech_end: float | None = None
    """the user's last sound arrived"""
    pause: float | None = None
    """the pause was noticed"""
    transcript: float | None = None
    """the utterance's text was there"""
    judged: float | None = None
    """the turn detector had looked at the pause"""
    endpoint: float | None = None
    """the turn was taken as over; the reply starts"""
    first_delta: float | None = None
    """the language model's first token"""
    first_clause: float | None = None
    """the first clause was complete and went to the TTS"""
    first_audio: float | None = None
    """the first clause's first sound was made"""
    audible: float | None = None
    """the first sample left"""
    done: float | None = None
    """the last sample left"""
    cut: float | None = None
    """the reply was cut"""

    def since_speech_end(self) -> dict[str, int]:
        """Every stage that was reached, in whole ms since the user's last sound."""
        origin = self.speech_end if self.speech_end is not None else self.endpoint
        if origin is None:
            return {}
        stamps = {field.name: getattr(self, field.name) for field in fields(self)[1:]}
        return {name: round((at - origin) * 1000) for name, at in stamps.items() if at is not None}


class Metrics:
    """The process's counters. One registry per server, so that two in one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.stage = Histogram(
            "antiphon_stage_seconds",
            "Time from the user's last sound to each stage of the answer",
            ["stage"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.calls = Gauge("antiphon_calls_active", "Calls in progress", registry=self.registry)
        self.calls_total = Counter(
            "antiphon_calls_total", "Calls ended, by how they ended", ["reason"], registry=self.registry
        )
        self.turns = Counter("antiphon_turns_total", "Turns answered", registry=self.registry)
        self.drafts = Counter(
            "antiphon_drafts_total", "Answers prepared before the turn was over", ["fate"], registry=self.registry
        )
        self.overlaps = Counter(
            "antiphon_overlaps_total", "Speech over the agent's, by what became of it", ["fate"], registry=self.registry
        )
        self.stalls = Counter(
            "antiphon_stalls_total", "Replies that ran dry or got stuck, by which", ["kind"], registry=self.registry
        )
        self.partials = Counter("antiphon_partials_total", "Transcripts of unfinished speech", registry=self.registry)
        self.tools = Counter(
            "antiphon_tool_calls_total",
            "Calls of the server's own tools, by what became of them",
            ["fate"],
            registry=self.registry,
        )
        self.cuts = Counter("antiphon_cuts_total", "Replies cut off", registry=self.registry)
        self.failures = Counter(
            "antiphon_failures_total", "Replies and transcripts that failed", registry=self.registry
        )
        self.underruns = Counter(
            "antiphon_playout_underruns_total", "Ticks that found no speech in mid-reply", registry=self.registry
        )
        self.overruns = Counter(
            "antiphon_tick_overruns_total", "20 ms ticks that came a tick or more too late", registry=self.registry
        )
        self.loop_stalls = Counter(
            "antiphon_loop_stalls_total", "Times the event loop stood still for 100 ms or more", registry=self.registry
        )
        self.tasks = Gauge("antiphon_tasks", "Tasks of the event loop", registry=self.registry)
        self.tasks.set_function(lambda: len(asyncio.all_tasks()))
        self.dropped = Counter(
            "antiphon_audio_dropped_total", "Packets of a microphone that were lost or dropped", registry=self.registry
        )

    def observe(self, timeline: Timeline) -> None:
        """Add one finished turn, if somebody spoke before it."""
        if timeline.speech_end is None:
            return
        for stage, ms in timeline.since_speech_end().items():
            self.stage.labels(stage).observe(ms / 1000)
