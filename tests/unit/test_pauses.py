"""The judge of pauses: a sound in the silence postpones the end until it is known what it is."""

from __future__ import annotations

from agent.listening.endpointing import Endpointing
from agent.listening.pauses import STIR_S, Detection, Pauses


class Falling:
    """A turn detector that is never asked here."""

    seconds = 8.0


def test_a_sound_in_a_pause_postpones_its_end_a_little() -> None:
    waits: list[float] = []
    pauses = Pauses(Detection(Falling(), None), Endpointing(), 512, waits.append)  # type: ignore[arg-type]
    pauses.stir(0.2)
    assert waits == [], "there is no pause yet"
    pauses.began(16000)
    pauses.read("What is the capital of France?", "en")
    before = waits[-1]
    pauses.stir(before - STIR_S - 0.01)
    assert waits[-1] == before, "it is over long before the end"
    pauses.stir(before - 0.01)
    assert waits[-1] == before - 0.01 + STIR_S
