"""One encoder for all who hear the same; and no decoder hears that packets come from another one now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pytest

from agent.audio import I16, TICK_SAMPLES, WIRE_RATE, dbfs
from agent.speaking.mixer import SILENCE, Mixer
from agent.transports.fan_out import ALIKE_TICKS, FanOut
from agent.transports.opus import QUIET_TICKS, REFRESH_TICKS, OpusDecoder, OpusEncoder, PacketClock
from tests.unit.test_microphone import voice
from tests.unit.test_sweep import LIMIT_DBFS, sweep, worst_dbfs


class Ear:
    """A line's other end: what its decoder makes of the packets."""

    def __init__(self) -> None:
        self._clock = PacketClock()
        self._decoder = OpusDecoder()
        self.times: list[int] = []
        """of the packets, in ticks"""
        self.sizes: list[int] = []
        self.parts: list[I16] = []

    def put(self, payload: bytes | None, ticks: int = 1) -> None:
        packet = self._clock.packet(payload, ticks)
        self.parts += [self._decoder.conceal(TICK_SAMPLES) for _ in range(ticks - 1)]
        if packet is None or payload is None:
            self.parts.append(self._decoder.conceal(TICK_SAMPLES))
            return
        self.times.append((packet.pts or 0) // TICK_SAMPLES)
        self.sizes.append(len(payload))
        pcm = self._decoder.decode(payload)
        assert pcm is not None
        self.parts.append(pcm)

    @property
    def pcm(self) -> I16:
        return np.concatenate(self.parts)


def frames(pcm: I16) -> list[I16]:
    return list(pcm.reshape(-1, TICK_SAMPLES))


def burst(ticks: int, seed: float = 1.0) -> list[I16]:
    """Somebody says a word; faded, as a voice comes from `Talker`."""
    pcm = voice(ticks * 0.02) * seed
    fade = np.minimum(1.0, np.minimum(np.arange(len(pcm)), np.arange(len(pcm))[::-1]) / 240)
    return frames((pcm * fade).astype(np.int16))


def said(ticks: int, words: Mapping[int, list[I16]]) -> list[I16 | None]:
    """Words by the tick at which they begin, and silence between."""
    out: list[I16 | None] = [None] * ticks
    for begins, word in words.items():
        out[begins : begins + len(word)] = word
    return out[:ticks]


def room(voices: Mapping[str, list[I16 | None]], people: Iterable[str]) -> tuple[FanOut, dict[str, Ear]]:
    """All of it from beginning to end."""
    mixer, fan, ears = Mixer(), FanOut(), {name: Ear() for name in people}
    for name, ear in ears.items():
        fan.join(name, ear)
    for n in range(len(next(iter(voices.values())))):
        fan.play(mixer.mix({name: spoken[n] for name, spoken in voices.items()}, ears))
    return fan, ears


def test_a_copy_of_an_encoder_goes_on_as_the_encoder_does() -> None:
    encoder, sound = OpusEncoder(), frames(voice(2.0))
    for frame in [*sound[:40], *[SILENCE] * 3]:
        encoder.payload(frame)
    copy = encoder.copy()
    after = [*sound[40:60], *[SILENCE] * 30, *sound[60:]]
    theirs = [copy.payload(frame) for frame in after]
    del copy
    assert [encoder.payload(frame) for frame in after] == theirs


def test_who_hears_the_same_shares_one_encoder() -> None:
    people = [f"person {n}" for n in range(10)]
    ticks = 100
    fan, ears = room({people[0]: said(ticks, {0: frames(voice(2.0))})}, people)
    # At first everyone has an encoder of their own; then the nine share one, and the speaker's rests.
    assert fan.encoded == 10 * (ALIKE_TICKS - 1) + (ticks - ALIKE_TICKS + 1) + (QUIET_TICKS - ALIKE_TICKS + 1)
    assert dbfs(ears[people[9]].pcm[-20000:]) == pytest.approx(dbfs(voice(2.0)), abs=2.0)
    assert max(ears[people[0]].sizes) < 30, "he hears himself"
    assert all(np.array_equal(ears[people[1]].pcm, ears[name].pcm) for name in people[2:])


def test_who_interrupts_costs_one_more_encoder_for_as_long_as_it_takes() -> None:
    ticks, people = 300, ["anna", "ben", "carl", "dora", "emil"]
    fan, _ = room({"anna": said(ticks, {60: frames(voice(4.8))})}, people)
    alone = fan.encoded
    word = {"anna": said(ticks, {60: frames(voice(4.8))}), "ben": said(ticks, {150: burst(20)})}
    fan, _ = room(word, people)
    # ben hears anna alone, as before; anna hears ben; the rest hear both. Afterwards, until all are alike again.
    assert alone + 2 * 20 <= fan.encoded <= alone + 2 * (20 + ALIKE_TICKS) + QUIET_TICKS


def test_time_goes_on_for_every_listener_whichever_encoder_it_hears() -> None:
    ticks = 400
    voices = {
        "anna": said(ticks, {10: burst(50), 200: burst(60)}),
        "ben": said(ticks, {40: burst(60), 230: burst(10)}),
        "carl": said(ticks, {300: burst(40)}),
    }
    _, ears = room(voices, voices)
    for name, ear in ears.items():
        assert ear.times == sorted(set(ear.times)), name
        assert len(ear.parts) == ticks
        spoken = [n for n in range(ticks) for other in voices if other != name and voices[other][n] is not None]
        assert set(spoken) <= set(ear.times), f"{name} misses packets"
    assert all(len(ear.times) < 260 for ear in ears.values()), "silence is sent"


def test_while_all_rest_only_signs_of_life_are_sent() -> None:
    fan, ears = room({"anna": said(50, {0: burst(10)})}, ["anna", "ben"])
    assert fan.resting
    encoded, sent = fan.encoded, len(ears["ben"].times)
    for _ in range(5):
        fan.rest(REFRESH_TICKS)
    assert fan.encoded == encoded
    assert len(ears["ben"].times) == sent + 5
    assert ears["ben"].times[-1] - ears["ben"].times[-2] == REFRESH_TICKS
    fan.play({"anna": SILENCE, "ben": burst(1)[0]})
    assert fan.encoded == encoded + 1
    assert ears["ben"].times[-1] == 50 + 5 * REFRESH_TICKS


def test_a_listener_may_be_away_and_leave_at_any_time() -> None:
    fan, ears = FanOut(), {name: Ear() for name in ("anna", "ben", "carl")}
    for name, ear in ears.items():
        fan.join(name, ear)
    for n, frame in enumerate(frames(voice(1.0))):
        fan.play({name: frame for name in ears if name != "ben" or not 10 <= n < 30})
        if n == 39:
            fan.leave("carl")
            fan.leave("carl")
    assert [len(ears[name].parts) for name in ("anna", "ben", "carl")] == [50, 30, 40]
    fan.leave("anna")
    fan.leave("ben")
    assert fan.resting
    fan.play({})


SWEEP = frames(sweep(WIRE_RATE, 3000))


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"ben": {60: 40}},
        {"ben": {60: 4, 80: 3, 100: 1}},
        {"ben": {40: 60}, "agent": {70: 80}},
        {"ben": dict.fromkeys(range(30, 180, 12), 5), "carl": dict.fromkeys(range(33, 180, 17), 7)},
    ],
    ids=["nobody", "a word", "hm", "two at once", "everybody"],
)
def test_no_decoder_clicks_when_encoders_divide_and_unite(words: dict[str, dict[int, int]]) -> None:
    ticks = len(SWEEP)
    voices: dict[str, list[I16 | None]] = {"anna": said(ticks, dict(enumerate([[f] for f in SWEEP])))}
    for name, when in words.items():
        voices[name] = said(ticks, {begins: burst(length, 0.4) for begins, length in when.items()})
    fan, ears = room(voices, ["anna", "ben", "carl", "dora"])
    assert fan.encoded < 4 * ticks
    for name, ear in ears.items():
        assert worst_dbfs(ear.pcm, WIRE_RATE, 8000) < LIMIT_DBFS, name


def changed_over(alike: int, at: int = 60) -> float:
    """What a decoder makes of a sweep, if another encoder's packets come from a tick on.

    :param alike: ticks for which that encoder has heard the sweep alone, like the first one.
    """
    first, second, ear, other = OpusEncoder(), OpusEncoder(), Ear(), frames(voice(4.0))
    for n, frame in enumerate(SWEEP[: at + 40]):
        more = frame if n >= at - alike else np.clip(frame.astype(int) + other[n] // 2, -32768, 32767).astype(np.int16)
        payloads = first.payload(frame), second.payload(more)
        ear.put(payloads[n >= at])
    heard = ear.pcm[-60 * TICK_SAMPLES :]
    return worst_dbfs((heard * np.hanning(len(heard))).astype(np.int16), WIRE_RATE, 8000)


def test_an_encoder_of_another_sound_would_click_and_one_of_the_same_does_not() -> None:
    assert changed_over(0) > LIMIT_DBFS
    assert changed_over(ALIKE_TICKS) < LIMIT_DBFS - 10
