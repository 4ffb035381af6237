"""The fixed set of the turn-taking bench: what is in it, that it is always the same, and how it is judged."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from agent.audio import I16, TICK_S, WIRE_RATE, dbfs, speech_dbfs
from agent.caller import HeardFrame
from bench import interjections, turn_cases, turn_cuts, verdicts
from bench.speech import RECORDINGS
from bench.turn_cases import PAUSES_S, TAIL_S, TurnCase, loud_span, turns, with_pauses
from bench.turn_cuts import Pause

RECORDED = (RECORDINGS / "manifest.jsonl").is_file()
SPLICED = {f"pause {for_s} s" for for_s in PAUSES_S}
KINDS = SPLICED | {"whole", "quiet", "noisy", "other language", "short", "digits", "list", "spelled", "thinking"}


@pytest.fixture(scope="module")
def cases() -> list[TurnCase]:
    return turns()


@pytest.fixture
def no_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which there are none."""
    nowhere = Path("/nowhere")
    monkeypatch.setattr(turn_cases, "RECORDINGS", nowhere)
    monkeypatch.setattr(interjections, "RECORDINGS", nowhere)
    monkeypatch.setattr(turn_cases, "_manifest", lambda: {})
    interjections._recordings.cache_clear()


def hum(seconds: float, level: float = 0.2) -> I16:
    t = np.arange(round(seconds * WIRE_RATE)) / WIRE_RATE
    return (np.sin(2 * np.pi * 200 * t) * level * 32767).astype(np.int16)


def silence(seconds: float) -> I16:
    return np.zeros(round(seconds * WIRE_RATE), np.int16)


def packets(pcm_dbfs: float, start: float, seconds: float) -> list[HeardFrame]:
    """What an ear hears for a while."""
    count = round(seconds / TICK_S)
    return [HeardFrame(start + n * TICK_S, np.zeros(0, np.int16), pcm_dbfs) for n in range(count)]


# -- the set -------------------------------------------------------------------------------------------------


def test_every_kind_is_there_and_names_are_unique(cases: list[TurnCase]) -> None:
    assert {case.kind for case in cases} == KINDS
    assert [name for name, count in Counter((c.kind, c.name) for c in cases).items() if count > 1] == []


def test_the_set_is_as_large_as_the_bars_need(cases: list[TurnCase]) -> None:
    kinds = Counter(case.kind for case in cases)
    assert sum(kinds[kind] for kind in SPLICED) >= (40 if RECORDED else 30)
    assert kinds["list"] + kinds["spelled"] >= 12
    assert len(interjections.harmless()) >= 40
    assert len(interjections.interruptions()) >= 40


def test_turns_are_whole_and_end_where_they_say(cases: list[TurnCase]) -> None:
    for case in cases:
        seconds = len(case.pcm) / WIRE_RATE
        assert case.pcm.dtype == np.int16, case.name
        assert 0.3 < case.ends_s <= seconds < 12, case.name
        assert case.kind == "noisy" or seconds - case.ends_s <= TAIL_S + 0.01, case.name
        last_word = case.pcm[round((case.ends_s - 0.4) * WIRE_RATE) : round(case.ends_s * WIRE_RATE)]
        assert dbfs(last_word) > (-70 if case.kind == "quiet" else -45), case.name


def test_pauses_lie_inside_and_are_quieter_than_the_speech(cases: list[TurnCase]) -> None:
    for case in cases:
        assert bool(case.pauses) == (case.kind in SPLICED | {"list", "spelled", "thinking"}), case.name
        for start, end in case.pauses:
            assert 0.2 < start < end < case.ends_s - 0.1, case.name
            pause = case.pcm[round(start * WIRE_RATE) : round(end * WIRE_RATE)]
            assert -75 < dbfs(pause) < speech_dbfs(case.pcm, WIRE_RATE) - 15, case.name
        if case.kind in SPLICED:
            (pause_at,) = case.pauses
            assert f"{pause_at[1] - pause_at[0]:.1f}" in case.kind


def test_the_set_is_the_same_every_time(cases: list[TurnCase]) -> None:
    for first, second in zip(cases, turns(), strict=True):
        assert (first.name, first.ends_s, first.pauses) == (second.name, second.ends_s, second.pauses)
        assert np.array_equal(first.pcm, second.pcm)
    both = interjections.harmless() + interjections.interruptions()
    again = interjections.harmless() + interjections.interruptions()
    assert all(np.array_equal(a.pcm, b.pcm) for a, b in zip(both, again, strict=True))


@pytest.mark.usefixtures("no_recordings")
def test_without_recordings_every_kind_is_still_there() -> None:
    assert {case.kind for case in turns()} == KINDS
    assert {sound.kind for sound in interjections.harmless()} == {
        *("cough", "clap", "noise", "babble", "music", "backchannel", "echo")
    }
    assert {sound.kind for sound in interjections.interruptions()} == {"stop", "sentence", "recording", "in noise"}
    interjections._recordings.cache_clear()


@pytest.mark.skipif(not RECORDED, reason="no recordings")
def test_another_recording_under_the_same_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    file = turn_cuts.CUTS[0].file
    monkeypatch.setitem(turn_cuts.RECORDINGS, file, turn_cuts.Recording("00000000", 1.0))
    turn_cases._recording.cache_clear()
    with pytest.raises(ValueError, match="find its times anew"):
        turn_cases._recording(file)


# -- splicing ------------------------------------------------------------------------------------------------


def test_a_pause_adds_its_length_and_nothing_else() -> None:
    pcm = hum(2.0)
    joined, spliced = with_pauses(pcm, [Pause(1.2, 0.3), Pause(0.5, 0.8)], room_of=pcm)
    assert len(joined) == len(pcm) + round(1.1 * WIRE_RATE)
    assert spliced == ((0.5, 1.3), (2.0, 2.3))
    before, after = round(0.45 * WIRE_RATE), round(2.35 * WIRE_RATE)
    assert np.array_equal(joined[:before], pcm[:before])
    assert np.array_equal(joined[after:], pcm[after - round(1.1 * WIRE_RATE) :])


def test_the_loud_part_is_found_between_silences() -> None:
    first, last = loud_span(np.concatenate([silence(0.5), hum(1.0), silence(0.7)]))
    assert first / WIRE_RATE == pytest.approx(0.5, abs=0.011)
    assert last / WIRE_RATE == pytest.approx(1.5, abs=0.011)


# -- judging -------------------------------------------------------------------------------------------------


def test_an_answer_after_the_end_is_right_and_one_before_is_not() -> None:
    voice = packets(-20, 13.5, 1.0)
    right = verdicts.judge_turn([{"type": "output_audio_buffer.started", "at": 13.4}], voice, 10.0, 13.0)
    assert (right.premature, right.split, right.never) == (False, False, False)
    assert right.voice_to_voice_ms == pytest.approx(500)
    early = verdicts.judge_turn([], voice, 10.0, 14.0)
    assert early.premature and early.voice_to_voice_ms is None
    assert verdicts.judge_turn([], packets(-80, 10.0, 5.0), 10.0, 13.0).never


def test_a_turn_that_was_closed_early_is_split_even_if_nothing_was_heard() -> None:
    closed = {"type": "conversation.item.input_audio_transcription.completed", "at": 11.0}
    verdict = verdicts.judge_turn([closed], packets(-20, 13.5, 1.0), 10.0, 13.0)
    assert verdict.split and not verdict.premature


def test_a_hold_is_no_cut_but_an_end_is() -> None:
    held = [*packets(-20, 8.5, 1.7), *packets(-80, 10.2, 0.8), *packets(-21, 11.0, 2.5)]
    verdict = verdicts.judge_over([], held, 10.0, 10.5)
    assert not verdict.false_cut
    assert verdict.silent_ms == pytest.approx(820, abs=1)
    ducked = [*packets(-20, 8.5, 1.7), *packets(-32, 10.2, 3.0)]
    assert verdicts.judge_over([], ducked, 10.0, 10.5).false_cut
    cancelled = {"type": "response.done", "at": 10.6, "response": {"status": "cancelled"}}
    assert verdicts.judge_over([cancelled], held, 10.0, 10.5).false_cut
    completed = {"type": "response.done", "at": 10.6, "response": {"status": "completed"}}
    assert not verdicts.judge_over([completed], held, 10.0, 10.5).false_cut


def test_an_interruption_is_missed_without_a_cut_in_time_or_if_the_old_voice_goes_on() -> None:
    cleared = {"type": "output_audio_buffer.cleared", "at": 10.4}
    before, answer = packets(-20, 9.0, 1.5), packets(-20, 12.0, 1.0)
    started = {"type": "output_audio_buffer.started", "at": 12.05}
    right = verdicts.judge_interruption([cleared, started], [*before, *answer], 10.0)
    assert not right.missed and right.cut_ms == pytest.approx(400)
    assert verdicts.judge_interruption([cleared], [*before, *packets(-20, 10.7, 0.1)], 10.0).leaked
    assert verdicts.judge_interruption([], before, 10.0).missed
    assert verdicts.judge_interruption([{**cleared, "at": 11.6}], before, 10.0).missed
