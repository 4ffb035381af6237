"""Where the turns of `bench.turn_cases` are cut, found once and written down: no model runs when they are built.

In recordings the times are word ends by Whisper's cross-attention (faster-whisper, whisper-base,
``word_timestamps``), moved to the quietest 30 ms within 0.1 s, and kept where the recogniser, given the two halves,
read the words on both sides. They lie where a thinker hesitates and nobody has finished: after "the", "of",
"because". In sentences of the embedded TTS they are approximate, and `bench.turn_cases` looks for the quietest
place around.
"""

from __future__ import annotations

from typing import NamedTuple


class Recording(NamedTuple):
    """What is known of a file."""

    sha256: str
    """the first eight hex digits, as in the manifest: other bytes would need other times"""
    ends_s: float
    """by when the last word is over, where clicks, thumps and hiss follow it: by Silero, read off the levels"""


class Cut(NamedTuple):
    """One place in a recording where a thinker may hesitate."""

    file: str
    from_s: float
    """where the turn begins: at a phrase, so that the pause is not far"""
    at_s: float
    word: str
    """the one before it"""


class Pause(NamedTuple):
    """Where a pause goes, and how long it is."""

    at_s: float
    for_s: float


class Text(NamedTuple):
    """A sentence for the TTS, with its pauses."""

    text: str
    seconds: float
    """how long its synthesis was when the times were found; another length scales them"""
    pauses: tuple[Pause, ...]


RECORDINGS = {
    "en/arctic_aew_a0001.flac": Recording("56e961e1", 3.70),
    "en/arctic_aew_a0002.flac": Recording("6e117da6", 3.85),
    "en/arctic_aew_a0003.flac": Recording("132ee77d", 3.48),
    "en/fleurs-en-000.ogg": Recording("3f5c5cab", 8.70),
    "en/fleurs-en-001.ogg": Recording("1b4506c4", 8.12),
    "en/fleurs-en-002.ogg": Recording("e9bf3dba", 10.75),
    "en/fleurs-en-003.ogg": Recording("0c1ce3d7", 5.12),
    "en/fleurs-en-004.ogg": Recording("a810ef4a", 3.80),
    "en/fleurs-en-005.ogg": Recording("ee97bf1a", 10.45),
    "en/fleurs-en-006.ogg": Recording("06636596", 7.40),
    "en/fleurs-en-007.ogg": Recording("0f4af6a5", 5.90),
    "en/fleurs-en-008.ogg": Recording("1c1ecacf", 10.30),
    "en/fleurs-en-009.ogg": Recording("6b1a1a44", 8.58),
    "en/jfk.flac": Recording("551cca8d", 10.45),
    "en/libri-1995-1837-0001.flac": Recording("b8761b93", 8.54),
    "en/libri-6930-75918-0000.flac": Recording("9ce35224", 3.38),
    "en/libri-7902-96591-0000.flac": Recording("955d0cc5", 1.88),
    "de/fleurs-de-004.ogg": Recording("a752ad59", 8.25),
    "de/fleurs-de-005.ogg": Recording("f3e793fc", 7.60),
    "es/fleurs-es-002.ogg": Recording("c50bdb59", 8.89),
    "es/fleurs-es-003.ogg": Recording("2100b72c", 6.50),
    "fr/fleurs-fr-005.ogg": Recording("89e2e613", 6.55),
    "fr/fleurs-fr-008.ogg": Recording("fbcd661d", 6.90),
    "ja/meian-by-soseki-natsume-02997.flac": Recording("dcaee37d", 3.28),
    "pt/fleurs-pt-002.ogg": Recording("cdf8df4b", 5.85),
    "zh/fleurs-zh-1830.flac": Recording("f631d8e8", 5.72),
    "digits/fsdd-george.flac": Recording("35a36b9a", 5.28),
    "digits/fsdd-jackson.flac": Recording("943001ba", 5.60),
    "digits/fsdd-lucas.flac": Recording("6fbf1b3b", 5.98),
    "digits/fsdd-theo.flac": Recording("cc328147", 4.00),
}

CUTS = (
    Cut("en/arctic_aew_a0001.flac", 0.00, 0.769, "of"),
    Cut("en/arctic_aew_a0002.flac", 0.00, 0.785, "this"),
    Cut("en/arctic_aew_a0003.flac", 0.00, 0.451, "the"),
    Cut("en/arctic_aew_a0003.flac", 0.00, 2.223, "the"),
    Cut("en/fleurs-en-000.ogg", 4.20, 5.359, "the"),
    Cut("en/fleurs-en-000.ogg", 4.20, 7.242, "by"),
    Cut("en/fleurs-en-001.ogg", 0.20, 1.841, "alongside"),
    Cut("en/fleurs-en-001.ogg", 3.60, 4.891, "a"),
    Cut("en/fleurs-en-002.ogg", 5.50, 6.730, "to"),
    Cut("en/fleurs-en-002.ogg", 5.50, 8.694, "its"),
    Cut("en/fleurs-en-003.ogg", 0.00, 4.325, "the"),
    Cut("en/fleurs-en-004.ogg", 0.00, 2.405, "because"),
    Cut("en/fleurs-en-004.ogg", 0.00, 3.323, "and"),
    Cut("en/fleurs-en-005.ogg", 3.90, 5.692, "the"),
    Cut("en/fleurs-en-005.ogg", 7.40, 9.597, "of"),
    Cut("en/fleurs-en-006.ogg", 2.44, 4.913, "that"),
    Cut("en/fleurs-en-006.ogg", 4.92, 6.945, "the"),
    Cut("en/fleurs-en-007.ogg", 0.70, 2.923, "that"),
    Cut("en/fleurs-en-007.ogg", 2.95, 5.459, "and"),
    Cut("en/fleurs-en-008.ogg", 2.68, 4.686, "twelve"),
    Cut("en/fleurs-en-008.ogg", 5.30, 8.600, "said"),
    Cut("en/fleurs-en-009.ogg", 3.08, 5.007, "in"),
    Cut("en/fleurs-en-009.ogg", 6.05, 7.840, "in"),
    Cut("en/libri-1995-1837-0001.flac", 2.30, 3.682, "much"),
    Cut("en/libri-1995-1837-0001.flac", 2.30, 4.384, "the"),
    Cut("en/libri-1995-1837-0001.flac", 4.40, 5.695, "the"),
    Cut("en/libri-6930-75918-0000.flac", 0.00, 1.824, "its"),
    Cut("en/libri-6930-75918-0000.flac", 0.00, 2.823, "the"),
    Cut("en/libri-7902-96591-0000.flac", 0.00, 0.742, "the"),
    Cut("en/libri-7902-96591-0000.flac", 0.00, 1.511, "the"),
    Cut("de/fleurs-de-004.ogg", 3.97, 6.467, "ist"),
    Cut("de/fleurs-de-005.ogg", 1.20, 4.242, "Sandbänke"),
    Cut("es/fleurs-es-002.ogg", 4.80, 6.848, "al"),
    Cut("es/fleurs-es-002.ogg", 4.80, 7.906, "la"),
    Cut("es/fleurs-es-003.ogg", 1.60, 4.026, "la"),
    Cut("es/fleurs-es-003.ogg", 3.50, 5.301, "su"),
    Cut("fr/fleurs-fr-005.ogg", 1.00, 3.340, "le"),
    Cut("fr/fleurs-fr-005.ogg", 1.00, 4.473, "a"),
    Cut("fr/fleurs-fr-008.ogg", 1.95, 3.017, "des"),
    Cut("fr/fleurs-fr-008.ogg", 3.35, 4.236, "la"),
)

DIGITS = (
    ("digits/fsdd-george.flac", (Pause(2.25, 0.6), Pause(3.77, 0.5))),
    ("digits/fsdd-jackson.flac", (Pause(2.25, 0.5), Pause(3.65, 0.7))),
    ("digits/fsdd-lucas.flac", (Pause(1.43, 0.5), Pause(5.02, 0.5))),
    ("digits/fsdd-theo.flac", (Pause(1.73, 0.6), Pause(2.67, 0.8))),
)
"""Digit strings, and the pauses on top of the silence that is there."""

LISTS = (
    Text("I need eggs, milk, bread, and butter.", 2.75, (Pause(0.97, 0.6), Pause(1.40, 0.8), Pause(1.75, 0.5))),
    Text(
        "We have to buy paint, two brushes, a ladder, and some tape.",
        3.85,
        (Pause(1.29, 0.7), Pause(2.10, 0.5), Pause(2.66, 0.9)),
    ),
    Text(
        "Please invite Anna, Peter, my sister, and the neighbours.",
        3.825,
        (Pause(1.39, 0.5), Pause(1.84, 0.6), Pause(2.49, 1.0)),
    ),
    Text(
        "On Monday I go swimming, on Tuesday I work late, and on Friday I am free.",
        5.325,
        (Pause(1.66, 0.8), Pause(3.28, 1.1)),
    ),
    Text(
        "The colours are red, green, dark blue, and yellow.",
        3.25,
        (Pause(1.16, 0.4), Pause(1.53, 0.7), Pause(2.19, 0.5)),
    ),
    Text("First we go to Rome, then to Naples, and then home by train.", 4.325, (Pause(1.49, 0.9), Pause(2.46, 0.6))),
)

SPELLED = (
    Text("My number is four two, seven one, nine three.", 3.3, (Pause(1.45, 0.5),)),
    Text("The code is A B, four four, X nine.", 3.025, (Pause(1.25, 0.5), Pause(1.89, 0.8))),
    Text("My name is spelled M E, Y E, R.", 2.825, (Pause(1.57, 0.6), Pause(2.09, 0.6))),
    Text("Call me at five five five, zero one, four two.", 3.35, (Pause(1.66, 0.5), Pause(2.38, 0.7))),
    Text("The booking is seven K, Q two, three eight.", 3.325, (Pause(1.46, 0.7), Pause(2.14, 0.9))),
    Text("My postcode is one zero, one one, five.", 3.25, (Pause(1.75, 0.5), Pause(2.36, 0.7))),
)

THINKING = (
    Text("I would like to book a table for four people.", 2.825, (Pause(1.16, 0.5), Pause(1.66, 0.8))),
    Text("Can you tell me what the weather will be in Paris tomorrow?", 3.175, (Pause(1.80, 1.1),)),
    Text("What was the name of that film with the two brothers?", 3.0, (Pause(0.96, 0.3), Pause(1.78, 0.8))),
    Text("I am looking for a hotel that is close to the station.", 3.525, (Pause(1.12, 1.5),)),
    Text("Please remind me to call my mother and water the plants.", 3.625, (Pause(1.64, 0.5), Pause(2.70, 0.8))),
    Text("How long does it take to get from the airport to the museum?", 3.525, (Pause(1.84, 0.8), Pause(2.50, 1.1))),
)
"""Questions with a hesitation after a function word."""
