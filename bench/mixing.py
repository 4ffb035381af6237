"""What a room of several costs apart from the wire: voices read, mixed, and encoded once for all who hear the same.

    python -m bench.mixing [--people 2 5 10] [--talkers 0 1 3]

One tick is 20 ms, so 0.2 ms a tick is one per cent of a core. Talkers speak in turns and over each other; everybody
else's line is silent (DTX), or carries a room's noise in fifty packets a second (``noisy``).
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from agent.audio import I16, TICK_SAMPLES, WIRE_RATE, AudioChunk
from agent.speaking.mixer import Mixer
from agent.speaking.talker import EarCopy, Talker
from agent.transports.fan_out import FanOut
from agent.transports.opus import PacketClock
from bench.report import machine, table

TICKS = 1000
WORD_S, PAUSE_S = 1.4, 0.4
NOISE_DBFS = -55.0


class Wire:
    """A line without a network."""

    def __init__(self) -> None:
        self._clock = PacketClock()
        self.sent = 0

    def put(self, payload: bytes | None, ticks: int = 1) -> None:
        """Count it."""
        self.sent += self._clock.packet(payload, ticks) is not None


def microphone(person: int, *, talks: bool, noisy: bool) -> I16 | None:
    """What one line brings, int16 (TICKS * TICK_SAMPLES,); None for nothing."""
    if not talks and not noisy:
        return None
    chance = np.random.default_rng(person)
    pcm = chance.standard_normal(TICKS * TICK_SAMPLES) * 32768 * 10 ** (NOISE_DBFS / 20)
    if talks:
        t = np.arange(len(pcm)) / WIRE_RATE
        pitch = 2 * np.pi * np.cumsum(120 + 30 * person + 20 * np.sin(6 * np.pi * t)) / WIRE_RATE
        speaks = (t + 0.5 * person) % (WORD_S + PAUSE_S) < WORD_S
        pcm += 3000 * speaks * sum(np.sin(n * pitch) / n for n in range(1, 12))
    return np.asarray(pcm, np.int16)


def measure(people: int, talkers: int, *, noisy: bool) -> list[object]:
    """One row: ms a tick of each part, and encodes a tick."""
    names = [f"person {n}" for n in range(people)]
    lines = {name: Wire() for name in names}
    sounds = {name: microphone(n, talks=n < talkers, noisy=noisy) for n, name in enumerate(names)}
    voices, copies = {name: Talker() for name in names}, {name: EarCopy() for name in names}
    mixer, fan = Mixer(), FanOut()
    for name, line in lines.items():
        fan.join(name, line)
    spent = dict.fromkeys(("write", "ear", "read", "mix", "encode"), 0.0)
    for n in range(TICKS):
        for name, sound in sounds.items():
            if sound is not None:
                chunk = AudioChunk(sound[n * TICK_SAMPLES : (n + 1) * TICK_SAMPLES], n * TICK_SAMPLES)
                began = time.process_time()
                voices[name].write(chunk)
                written = time.process_time()
                copies[name](chunk)
                spent["write"] += written - began
                spent["ear"] += time.process_time() - written
        began = time.process_time()
        read = {name: talker.read() for name, talker in voices.items()}
        was_read = time.process_time()
        heard = mixer.mix(read, names)
        mixed = time.process_time()
        fan.play(heard)
        spent["read"] += was_read - began
        spent["mix"] += mixed - was_read
        spent["encode"] += time.process_time() - mixed
    costs = [f"{1000 * each / TICKS:.3f}" for each in spent.values()]
    whole = f"{1000 * sum(spent.values()) / TICKS:.3f}"
    return [people, talkers, "noisy" if noisy else "silent", *costs, whole, f"{fan.encoded / TICKS:.2f}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[2, 5, 10])
    parser.add_argument("--talkers", type=int, nargs="+", default=[0, 1, 3])
    given = parser.parse_args()
    rows = [
        measure(people, talkers, noisy=noisy)
        for noisy in (False, True)
        for people in given.people
        for talkers in given.talkers
        if talkers <= people
    ]
    header = ["people", "talkers", "the others", "write", "ear", "read", "mix", "encode", "ms a tick", "encodes a tick"]
    print(table(header, rows))
    print(machine())


if __name__ == "__main__":
    main()
