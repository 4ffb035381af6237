"""A bad network between a caller and the server: what it loses, delays, reorders and doubles. From a fixed seed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

OVERTAKEN_S = 0.03
"""how late a packet comes that others overtake: by one or two"""


@dataclass(slots=True)
class Network:
    """Hand every packet to it, with the function that sends it on."""

    loss: float = 0.0
    """share of the packets that never arrive"""
    jitter_s: float = 0.0
    """packets are late by up to so much, in order, as behind a queue that grows and drains"""
    reorder: float = 0.0
    """share of the packets that are overtaken by others"""
    duplicate: float = 0.0
    """share of the packets that arrive twice"""
    burst_s: float = 0.0
    """for so long nothing arrives …"""
    every_s: float = 3.0
    """… this often"""
    stall: bool = False
    """what is sent in a burst arrives after it, all at once, and is not lost"""
    seed: int = 7
    bursts: list[float] = field(default_factory=list)
    """`loop.time()` at which each ended"""
    _queued_until: float = 0.0
    _delay_s: float = 0.0
    _next_burst: float = 0.0
    _chance: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._chance = np.random.default_rng(self.seed)

    def __call__(self, packet: bytes, send: Callable[[bytes], None]) -> None:
        """Let a packet through, or not."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        lost, overtaken, doubled = self._chance.random(3) < (self.loss, self.reorder, self.duplicate)
        arrives = now + self._waiting_s()
        if self.burst_s:
            until = self._burst(now)
            if until > now:
                lost = lost or not self.stall
                arrives = max(arrives, until)
        if lost:
            return
        if overtaken:
            arrives += OVERTAKEN_S
        else:
            arrives = self._queued_until = max(arrives, self._queued_until)
        for _ in range(1 + doubled):
            if arrives <= now:
                send(packet)
            else:
                loop.call_at(arrives, send, packet)

    def _waiting_s(self) -> float:
        """The queue's length: it wanders between nothing and the most."""
        if self.jitter_s:
            step = self._chance.uniform(-0.5, 0.5) * self.jitter_s
            self._delay_s = float(np.clip(self._delay_s + step, 0.0, self.jitter_s))
        return self._delay_s

    def _burst(self, now: float) -> float:
        """When the present burst ends; in the past if there is none."""
        if not self._next_burst:
            self._next_burst = now + self.every_s
        if now >= self._next_burst + self.burst_s:
            self.bursts.append(self._next_burst + self.burst_s)
            self._next_burst += self.every_s
        return self._next_burst + self.burst_s if now >= self._next_burst else 0.0
