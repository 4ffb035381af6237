"""What tells the end of a turn from a pause, and what each witness is worth: `python -m bench.endpointing`.

Offline: no call is made and nothing is waited for. Every pause and every end in `bench.turn_cases` as the voice
activity detector finds it; what the turn detector says there, what Whisper has read by then and how sure it is of a
full stop, and how likely the embedded language model takes a message to end with these words; then what
`agent.listening.endpointing` makes of it, with and without each. A turn counts as answered too early if the silence
waited for, or the `TEXT_S` without which there is no answer, and `AUDIBLE_S` more were over before the person went on.
`--half 0` and `--half 1` take half of the turns: thresholds tuned on one are checked on the other.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from agent.audio import EAR_RATE, F32, WIRE_RATE, resample, to_wave
from agent.engines.asr.by_language import ByLanguage
from agent.engines.turn.smart_turn import SmartTurn
from agent.engines.vad.silero import Silero
from agent.listening.endpointing import Endpointing
from agent.listening.gate import Gate
from agent.listening.level import Leveller
from agent.listening.segmenter import PREFIX_MS, Ended, Segmenter
from bench.message_ends import probabilities
from bench.report import machine, quantile, save, table
from bench.turn_cases import TurnCase, turns

ASKED_MS = (64, 128, 200, 500)
ASKED_AT_MS = 64
"""by the voice activity detector, `agent.listening.endpointing.ASK_MS` by level"""
TEXT_S = 0.35
"""silence by which the text is there: noticed after 128 ms, recognised in 220"""
AUDIBLE_S = 0.15
"""from the end of the waiting to the first sound of the answer at the ear"""
DICTATED = ("digits", "spelled", "list")
"""kinds whose end nobody can know at once; not among the complete utterances"""


@dataclass(slots=True)
class Pause:
    """A silence in a turn, or the one after it."""

    for_s: float | None
    """until the person went on; None at the end of the turn"""
    text: str
    at_s: float = 0.0
    """since the turn began"""
    probabilities: dict[int, float] = field(default_factory=dict)
    """the turn detector's, by ms of silence"""
    stop: float | None = None
    """the recogniser's probability of a full stop"""
    complete: float | None = None
    """the language model's"""


def pauses(case: TurnCase, vad: Silero, detector: SmartTurn, asr: ByLanguage) -> list[Pause]:
    """What is known at each silence of a turn that the voice activity detector notices."""
    quiet = np.random.default_rng(0).standard_normal(3 * EAR_RATE).astype(np.float32) * 10 ** (-70 / 20)
    speech = to_wave(resample(case.pcm, WIRE_RATE, EAR_RATE))
    wave: F32 = np.concatenate([quiet[: EAR_RATE // 2], speech, quiet[EAR_RATE // 2 :]])
    gate, leveller, segmenter = Gate(vad.stream()), Leveller(), Segmenter(pause_ms=ASKED_MS[0])
    windows = wave[: len(wave) // vad.window * vad.window].reshape(-1, vad.window)
    heard = [segmenter(n * vad.window, gate(window, leveller(window))) for n, window in enumerate(windows)]
    moments = [transition for transition in heard if transition]
    if not moments:
        return []
    begin = max(0, round((moments[0].at_s - PREFIX_MS / 1000) * EAR_RATE))
    found = []
    for moment, after in zip(moments, [*moments[1:], None], strict=True):
        if isinstance(moment, Ended):
            for_s = None if after is None or moment.at_s > case.ends_s + 0.15 else after.at_s - moment.at_s

            def sound(ms: int, at_s: float = moment.at_s) -> F32:
                return wave[begin : round((at_s + ms / 1000) * EAR_RATE)]

            read = asr.transcribe(sound(ASKED_AT_MS), language=case.language, prompt="")
            pause = Pause(for_s, read.text, moment.at_s - begin / EAR_RATE, stop=read.stop)
            asked = [ms for ms in ASKED_MS if for_s is None or ms <= 1000 * for_s + 32]
            pause.probabilities = {ms: detector.finished(sound(ms)) for ms in asked}
            found.append(pause)
    return found


def judged(cases: dict[str, tuple[str, list[Pause]]], wait_s: Callable[[Pause], float]) -> dict[str, float]:
    """Turns answered too early in %, and what complete utterances waited for."""
    early, waits = 0, []
    for kind, found in cases.values():
        due = [max(wait_s(pause), TEXT_S) for pause in found]
        pairs = list(zip(due, found, strict=True))
        early += any(pause.for_s is not None and wait + AUDIBLE_S < pause.for_s for wait, pause in pairs)
        waits += [wait for wait, pause in pairs if pause.for_s is None and kind not in DICTATED]
    sure = sum(wait <= TEXT_S for wait in waits) / max(len(waits), 1)
    return {
        "early_percent": round(100 * early / max(len(cases), 1), 1),
        "sure_percent": round(100 * sure),
        "wait_p50_ms": round(1000 * quantile(waits, 0.5)),
        "wait_p95_ms": round(1000 * quantile(waits, 0.95)),
    }


def main() -> None:
    """Hear every turn once, then judge it with each set of witnesses."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--half", type=int, choices=(0, 1), help="only every second turn, from this one")
    half = options.parse_args().half
    engines = Silero(), SmartTurn(), ByLanguage({}, language="en", threads=1)
    taken = turns() if half is None else turns()[half::2]
    cases = {case.name: (case.kind, pauses(case, *engines)) for case in taken}
    everything = [pause for _, found in cases.values() for pause in found]
    ends = asyncio.run(probabilities({pause.text for pause in everything}))
    for pause in everything:
        pause.complete = ends[pause.text]

    rows = []
    for ms in ASKED_MS:
        for name, inside in (("pause >= 0.3 s", True), ("end", False)):
            p = [
                pause.probabilities[ms]
                for pause in everything
                if ms in pause.probabilities and (pause.for_s is not None) == inside and (pause.for_s or 1.0) >= 0.3
            ]
            rows.append([ms, name, len(p), *(f"{quantile(p, q):.2f}" for q in (0.1, 0.25, 0.5, 0.75, 0.9))])
    header = ["asked at ms", "where", "n", "p10", "p25", "p50", "p75", "p90"]
    print("The turn detector by itself:\n\n" + table(header, rows))

    rule, ms = Endpointing(), ASKED_AT_MS

    def sound(pause: Pause) -> float | None:
        known = [at for at in pause.probabilities if at <= ms]
        return pause.probabilities[max(known)] if known else None

    ways: dict[str, Callable[[Pause], float]] = {
        "silence of 1 s": lambda _: 1.0,
        "sound": lambda pause: rule.wait_s(sound(pause), ""),
        "words": lambda pause: rule.wait_s(None, pause.text, "en"),
        "full stop": lambda pause: rule.wait_s(None, pause.text, stop=pause.stop),
        "language model": lambda pause: rule.wait_s(None, pause.text, complete=pause.complete),
        "sound and words": lambda pause: rule.wait_s(sound(pause), pause.text, "en"),
        "and full stop": lambda pause: rule.wait_s(sound(pause), pause.text, "en", stop=pause.stop),
        "all": lambda pause: rule.wait_s(sound(pause), pause.text, "en", stop=pause.stop, complete=pause.complete),
    }
    figures = {name: judged(cases, way) for name, way in ways.items()}
    header = ["by", "answered too early %", "sure at a complete end %", "wait there, p50 ms", "p95 ms"]
    print("\n" + table(header, [[name, *row.values()] for name, row in figures.items()]))
    print(f"\n{len(cases)} turns; {machine()}")
    save("endpointing", {"turns": len(cases), "rows": figures})


if __name__ == "__main__":
    main()
