"""Mix-minus: everybody hears all the others, as loud as they like, and nobody hears himself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audio import I16, TICK_SAMPLES, WIRE_RATE
from agent.speaking.mixer import KNEE, SILENCE, Mixer
from tests.unit.test_sweep import LIMIT_DBFS, sweep, worst_dbfs

PEOPLE = ["anna", "ben", "carl", "dora"]


def steady(level: int) -> I16:
    return np.full(TICK_SAMPLES, level, np.int16)


VOICES: dict[str, I16 | None] = {"agent": steady(1), "anna": steady(10), "ben": steady(100), "carl": steady(1000)}


def test_everybody_hears_all_the_others_and_the_agent_and_nobody_himself() -> None:
    heard = Mixer().mix(VOICES, PEOPLE)
    assert {name: set(map(int, pcm)) for name, pcm in heard.items()} == {
        "anna": {1101},
        "ben": {1011},
        "carl": {111},
        "dora": {1111},
    }


def test_who_hears_the_same_gets_the_same_array_and_silence_is_always_one() -> None:
    heard = Mixer().mix(VOICES | {"ben": None, "carl": np.zeros(TICK_SAMPLES, np.int16)}, PEOPLE)
    assert heard["ben"] is heard["carl"] is heard["dora"]
    assert heard["anna"] is not heard["ben"]
    alone = Mixer().mix({"anna": steady(10), "ben": None}, PEOPLE)
    assert alone["anna"] is SILENCE
    assert alone["ben"] is alone["carl"]
    assert not SILENCE.any()


def test_one_voice_is_passed_on_as_it_is_and_changes_none() -> None:
    voice = np.random.default_rng(1).integers(-20000, 20000, TICK_SAMPLES).astype(np.int16)
    kept = voice.copy()
    heard = Mixer().mix({"anna": voice, "ben": voice}, ["ben", "dora"])
    assert np.array_equal(heard["ben"], kept)
    assert np.array_equal(voice, kept)


def test_a_volume_is_one_listeners_own_and_moves_within_a_tick() -> None:
    mixer, voices = Mixer(), {"anna": steady(1000), "ben": None}
    mixer.set_volume("carl", "anna", 0.5)
    first, second = (mixer.mix(voices, PEOPLE)["carl"] for _ in range(2))
    assert (int(first[0]), int(first[-1])) == (1000, 500)
    assert np.all(np.diff(first.astype(int)) <= 0)
    assert set(map(int, second)) == {500}
    assert int(mixer.mix(voices, PEOPLE)["dora"][-1]) == 1000
    mixer.set_volume("carl", "anna", 0.0)
    mixer.mix(voices, PEOPLE)
    assert mixer.mix(voices, PEOPLE)["carl"] is SILENCE
    mixer.set_volume("carl", "anna", 1.0)
    mixer.mix(voices, PEOPLE)
    again = mixer.mix(voices, PEOPLE)
    assert again["carl"] is again["dora"], "who has all at 1 again shares a mix again"


def test_a_volume_has_limits_and_ends_with_the_person() -> None:
    mixer, voices = Mixer(), {"anna": steady(1000)}
    mixer.set_volume("ben", "anna", 99.0)
    mixer.set_volume("carl", "anna", -1.0)
    mixer.mix(voices, PEOPLE)
    heard = mixer.mix(voices, PEOPLE)
    assert int(heard["ben"][0]) == 2000
    assert heard["carl"] is SILENCE
    mixer.forget("anna")
    mixer.forget("nobody")
    assert int(mixer.mix(voices, PEOPLE)["carl"][0]) == 1000


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=8))
def test_a_sum_keeps_its_order_and_never_wraps(levels: list[int]) -> None:
    voices: dict[str, I16 | None] = {str(n): steady(level) for n, level in enumerate(levels)}
    heard = int(Mixer().mix(voices, ["ear"])["ear"][0])
    total = sum(levels)
    if abs(total) <= KNEE:
        assert heard == total
    else:
        assert KNEE * 0.99 <= heard * np.sign(total) <= 32767
        assert abs(heard) <= abs(total)


def test_two_loud_voices_are_bent_and_not_cut_off() -> None:
    """Cut off at full scale, two tones give a buzz at all frequencies."""
    loud = np.rint(sweep(WIRE_RATE, 1000).astype(np.float64) * 2.4).astype(np.int16)  # -4.4 dBFS
    mixer, ticks = Mixer(), len(loud) // TICK_SAMPLES
    frames = loud[: ticks * TICK_SAMPLES].reshape(ticks, TICK_SAMPLES)
    out = np.concatenate([mixer.mix({"a": frame, "b": frame}, ["ear"])["ear"] for frame in frames])
    cut = np.clip(2 * loud.astype(int), -32768, 32767).astype(np.int16)
    assert np.abs(out.astype(int)).max() <= 32767
    assert worst_dbfs(out, WIRE_RATE, 16000) < worst_dbfs(cut, WIRE_RATE, 16000)


@pytest.mark.parametrize("volumes", [[0.0, 1.0], [2.0, 0.1, 1.0]])
def test_a_volume_that_changes_does_not_click(volumes: list[float]) -> None:
    mixer, parts = Mixer(), []
    for n, frame in enumerate(sweep(WIRE_RATE, 3000).reshape(-1, TICK_SAMPLES)):
        if n >= 40 and n % 40 == 0 and n // 40 <= len(volumes):
            mixer.set_volume("ear", "anna", volumes[n // 40 - 1])
        parts.append(mixer.mix({"anna": frame}, ["ear"])["ear"])
    assert worst_dbfs(np.concatenate(parts), WIRE_RATE, 6000) < LIMIT_DBFS
