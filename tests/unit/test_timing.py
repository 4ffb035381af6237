"""Words in time: from the decoder's attention and the sound's level to lines of subtitles."""

from __future__ import annotations

import numpy as np

from agent.audio import EAR_RATE, F32
from agent.engines.asr.timing import Placed, placed, sentences, settled


def tone(*spans: tuple[float, float], seconds: float) -> F32:
    """Sound within the spans, in s, and silence between."""
    wave = np.zeros(int(seconds * EAR_RATE), np.float32)
    for start, end in spans:
        wave[int(start * EAR_RATE) : int(end * EAR_RATE)] = 0.3
    return wave


def word(raw: str, start_s: float, end_s: float) -> Placed:
    return Placed(raw, (7,), (-0.5,), start_s, end_s)


def test_punctuation_belongs_to_its_word_and_takes_no_time_from_it() -> None:
    words = [" Yes", ",", " “", "no", "."]
    alignments = [(0, 5), (0, 6), (1, 10), (2, 20), (3, 20), (3, 25), (4, 30), (5, 40)]
    found = placed(words, [[1], [2], [3], [4], [5]], alignments, [0.5, 0.9, 0.9, 0.25, 0.9])
    assert [one.raw for one in found] == [" Yes,", " “no."]
    assert [(one.start_s, one.end_s) for one in found] == [(0.1, 0.2), (0.4, 0.6)]
    assert found[0].tokens == (1, 2)


def test_words_leave_the_pauses_around_them() -> None:
    wave = tone((0.5, 0.9), (2.0, 2.6), seconds=3.0)
    found = settled([word(" one", 0.0, 1.4), word(" two", 1.4, 3.2)], wave)
    assert [(round(one.start_s, 2), round(one.end_s, 2)) for one in found] == [(0.5, 0.9), (2.0, 2.6)]


def test_a_last_word_lasts_as_long_as_it_is_heard() -> None:
    """The decoder counts the end of it to the question mark."""
    words = [word(" so", 0.1, 0.4), word(" late?", 0.4, 0.6), word(" Yes.", 1.2, 1.5)]
    found = settled(words, tone((0.1, 0.85), (1.3, 1.5), seconds=2.0))
    assert [(round(one.start_s, 2), round(one.end_s, 2)) for one in found] == [(0.1, 0.4), (0.4, 0.85), (1.3, 1.5)]


def test_a_stop_consonant_does_not_cut_a_word_in_two() -> None:
    found = settled([word(" stop", 0.0, 1.0)], tone((0.1, 0.4), (0.48, 0.8), seconds=1.0))
    assert (round(found[0].start_s, 2), round(found[0].end_s, 2)) == (0.1, 0.8)


def test_in_noise_words_stay_where_the_decoder_saw_them() -> None:
    wave = np.full(2 * EAR_RATE, 0.1, np.float32)
    found = settled([word(" a", 0.2, 0.6), word(" b", 0.6, 5.0)], wave)
    assert [(one.start_s, one.end_s) for one in found] == [(0.2, 0.6), (0.6, 2.0)]
    assert settled([word(" a", 0.2, 0.6)], np.zeros(0, np.float32))[0].end_s == 0.0


def test_a_line_is_a_sentence_and_a_long_pause_ends_one() -> None:
    words = [
        *(word(" Dr.", 0, 0.2), word(" Who", 0.2, 0.4), word(" left.", 0.4, 0.8)),
        *(word(" Then", 0.9, 1.2), word(" silence", 3.0, 3.4)),
    ]
    lines = sentences(words, begin_s=10.0, no_speech=0.1)
    assert [line.text for line in lines] == ["Dr. Who left.", "Then", "silence"]
    assert (lines[0].start_s, lines[0].end_s, lines[2].start_s) == (10.0, 10.8, 13.0)
    assert [one.text for one in lines[0].words] == ["Dr.", "Who", "left."]
    assert (lines[0].logprob, lines[0].no_speech, lines[0].tokens) == (-0.5, 0.1, (7, 7, 7))
    assert sentences([], begin_s=0.0, no_speech=0.0) == []


def test_a_very_long_sentence_is_parted_at_a_comma() -> None:
    words = [word(f" word{n}," if n % 4 == 3 else f" word{n}", n, n + 0.9) for n in range(40)]
    lines = sentences(words, begin_s=0.0, no_speech=0.0)
    assert len(lines) >= 2
    assert all(line.end_s - line.start_s < 25.0 for line in lines)


def test_a_language_without_spaces_gets_none() -> None:
    lines = sentences([word("你", 0, 0.2), word("好。", 0.2, 0.4), word("我", 0.5, 0.7)], begin_s=0.0, no_speech=0.0)
    assert [line.text for line in lines] == ["你好。", "我"]
