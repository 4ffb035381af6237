"""The turns that `bench.turns` plays: what people say, with the pauses in which they have not finished.

Real recordings whole, with a pause spliced in between two words (`bench.turn_cuts`), digit strings, lists and spelled
numbers. The same set on every machine with the recordings; without them sentences by the embedded TTS stand in, and
every kind is still there. Nothing is random but noise from a fixed seed.

    from bench.turn_cases import turns
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from agent.audio import F32, I16, WIRE_RATE, read_audio, speech_dbfs
from agent.caller import NOISE_DBFS
from bench import turn_cuts
from bench.speech import QUESTIONS, RECORDINGS, SENTENCES, Clip, english, spoken
from bench.turn_cuts import Pause, Text

PAUSES_S = (0.3, 0.5, 0.8, 1.1, 1.5)
"""how long a thinker is silent in the middle of a sentence"""
LEVEL_DBFS = -23.0
"""of speech, its pauses not counted, after the gain control that every browser's microphone has"""
LEAD_S = 0.05
"""kept before the first loud sample"""
TAIL_S = 0.3
"""kept after the last loud sample, and faded out"""
RANGE_DB = 30.0
"""a window so far below the speech is not part of it"""
ABOVE_ROOM_DB = 10.0
"""and so must it stand out of the room's noise"""
SEARCH_S = 0.08
"""how far from the listed time a sentence of the TTS is cut at most"""
WINDOW = WIRE_RATE // 100
"""samples of 10 ms, the grain of levels"""
FADE_S = 0.015
"""of the crossfade between speech and the pause: a plosive's closure is longer"""

WHOLE = (
    "en/arctic_aew_a0001.flac",
    "en/arctic_aew_a0003.flac",
    "en/fleurs-en-007.ogg",
    "en/libri-6930-75918-0000.flac",
    "en/libri-7902-96591-0000.flac",
)
QUIET = ("en/fleurs-en-000.ogg", "en/fleurs-en-006.ogg")
"""-49 and -59 dBFS, and left so: a microphone without gain control"""
OTHER = (
    "fr/fleurs-fr-005.ogg",
    "ja/meian-by-soseki-natsume-02997.flac",
    "pt/fleurs-pt-002.ogg",
    "zh/fleurs-zh-1830.flac",
)
NOISY = (
    "noisy/fleurs-en-007_small_room_rt03.flac",
    "noisy/fleurs-fr-005_keyboard_5dB.flac",
    "noisy/libri-1995-1837-0001_exercise_bike_5dB.flac",
)
SHORT = ("Hello?", "Yes.", "No, thank you.", "Twenty-five.", QUESTIONS[0], QUESTIONS[5])


@dataclass(frozen=True, slots=True)
class TurnCase:
    """One turn of a person; the answer may come after ``ends_s`` and not before."""

    name: str
    kind: str
    pcm: I16
    """int16 (n,) mono at WIRE_RATE, from just before the first word to `TAIL_S` after the last"""
    ends_s: float
    """end of the last loud 10 ms"""
    pauses: tuple[tuple[float, float], ...] = ()
    """start and end, in s, of each pause that was spliced in"""

    language: str = "en"
    """ISO 639-1; the person's client tells the server"""


def turns() -> list[TurnCase]:
    """All turns, grouped by kind."""
    return [*_whole(), *_paused(), *_digits(), *_texts()]


def recorded(longest_s: float) -> list[Clip]:
    """The clean English recordings, at one level, from the first word to `TAIL_S` after the last; sentences by the TTS
    where there are none."""
    clips = []
    for clip in english(longest_s=longest_s):
        pcm = levelled(clip.pcm)
        known = clip.name if clip.name in turn_cuts.RECORDINGS else ""
        clips.append(Clip(clip.name, _faded(pcm, loud_span(pcm)[0], _end(known, pcm)), clip.text))
    return clips


# -- the kinds -----------------------------------------------------------------------------------------------


def _whole() -> Iterator[TurnCase]:
    """Complete sentences without anything done to them but their level."""
    rows = _manifest()
    if rows:
        for kind, files in (("whole", WHOLE), ("other language", OTHER)):
            for file in files:
                yield _turn(file, kind, levelled(_recording(file)), file=file)
        for file in QUIET:
            yield _turn(f"{file} as it is", "quiet", _recording(file), file=file)
        for file in NOISY:
            pcm = levelled(_recording(file))
            # Where the voice ends is known from the same without the noise; the noise goes on.
            clean = str(rows[file]["clean_file"])
            end = _end(clean, _recording(clean))
            yield TurnCase(file, "noisy", pcm[: end + WIRE_RATE], end / WIRE_RATE, language=str(rows[file]["lang"]))
    else:
        for n, text in enumerate(SENTENCES):
            kind = ("whole", "quiet", "noisy", "other language")[n]
            yield _turn(text, kind, levelled(spoken(text).pcm, -55.0 if kind == "quiet" else LEVEL_DBFS))
    for text in SHORT:
        yield _turn(text, "short", levelled(spoken(text).pcm))


def _paused() -> Iterator[TurnCase]:
    """One pause in the middle of a sentence, of each length in turn."""
    if _manifest():
        for n, (file, from_s, at_s, word) in enumerate(turn_cuts.CUTS):
            for_s = PAUSES_S[n % len(PAUSES_S)]
            name = f"{file} {word} <{for_s} s>"
            pause = Pause(at_s, for_s)
            yield _turn(name, f"pause {for_s} s", levelled(_recording(file)), (pause,), file=file, from_s=from_s)
        return
    for for_s in PAUSES_S:
        for text in turn_cuts.THINKING:
            yield _text(text._replace(pauses=(text.pauses[0]._replace(for_s=for_s),)), f"pause {for_s} s")


def _digits() -> Iterator[TurnCase]:
    """Numbers digit by digit, as they are and in groups."""
    if not _manifest():
        yield _turn("five zero one four two", "digits", levelled(spoken("Five, zero, one, four, two.").pcm))
        return
    for n, (file, pauses) in enumerate(turn_cuts.DIGITS):
        pcm = levelled(_recording(file))
        if n % 2 == 0:
            yield _turn(file, "digits", pcm)
        yield _turn(f"{file} in groups", "spelled", pcm, pauses)


def _texts() -> Iterator[TurnCase]:
    """What the TTS says with pauses: lists, spelled numbers, hesitations."""
    for kind, texts in (
        ("list", turn_cuts.LISTS),
        ("spelled", turn_cuts.SPELLED),
        ("thinking", turn_cuts.THINKING),
    ):
        yield from (_text(text, kind) for text in texts)


def _text(text: Text, kind: str) -> TurnCase:
    pcm = levelled(spoken(text.text).pcm)
    scale = len(pcm) / WIRE_RATE / text.seconds
    pauses = [pause._replace(at_s=_quietest(pcm, pause.at_s * scale)) for pause in text.pauses]
    lengths = ", ".join(f"{pause.for_s}" for pause in pauses)
    return _turn(f"{text.text} <{lengths} s>", kind, pcm, pauses)


def _turn(
    name: str, kind: str, pcm: I16, pauses: Sequence[Pause] = (), *, file: str = "", from_s: float = 0.0
) -> TurnCase:
    """Pauses spliced in, and cut to what is said."""
    end = _end(file, pcm)
    first = max(loud_span(pcm)[0] - round(LEAD_S * WIRE_RATE), round(from_s * WIRE_RATE), 0)
    kept = _faded(pcm, first, end)
    pauses = [pause._replace(at_s=pause.at_s - first / WIRE_RATE) for pause in pauses]
    joined, spliced = with_pauses(kept, pauses, room_of=pcm)
    ends_s = (end - first) / WIRE_RATE + sum(pause.for_s for pause in pauses)
    language = str(_manifest()[file]["lang"]) if file in _manifest() else "en"
    return TurnCase(name, kind, joined, round(ends_s, 3), spliced, language)


def _faded(pcm: I16, first: int, end: int) -> I16:
    """Int16 (n,) between the two, and `TAIL_S` more in which it dies away as voices do."""
    kept = pcm[first : end + round(TAIL_S * WIRE_RATE)].copy()
    tail = kept[end - first :]
    tail[:] = (tail * np.linspace(1, 0, len(tail))).astype(np.int16)
    return kept


def _end(file: str, pcm: I16) -> int:
    """Samples up to the end of the last loud 10 ms of what is said in int16 (n,)."""
    known = turn_cuts.RECORDINGS.get(file)
    return loud_span(pcm if known is None else pcm[: round(known.ends_s * WIRE_RATE)])[1]


# -- the sound -----------------------------------------------------------------------------------------------


def levelled(pcm: I16, level_dbfs: float = LEVEL_DBFS) -> I16:
    """The same at another speech level; what is past full scale is clipped."""
    gain = 10 ** ((level_dbfs - speech_dbfs(pcm, WIRE_RATE)) / 20)
    louder: I16 = np.clip(np.rint(pcm.astype(np.float32) * gain), -32768, 32767).astype(np.int16)
    return louder


def loud_span(pcm: I16, range_db: float = RANGE_DB) -> tuple[int, int]:
    """Samples at which the first loud 10 ms of int16 (n,) begin and the last end.

    :param range_db: how far below the speech's level still is loud.
    """
    power = _power(pcm, WINDOW)
    least_db = max(speech_dbfs(pcm, WIRE_RATE) - range_db, _db(float(np.percentile(power, 5))) + ABOVE_ROOM_DB)
    loud = np.flatnonzero(power > 10 ** (least_db / 10))
    return int(loud[0]) * WINDOW, (int(loud[-1]) + 1) * WINDOW


def with_pauses(pcm: I16, pauses: Sequence[Pause], *, room_of: I16) -> tuple[I16, tuple[tuple[float, float], ...]]:
    """Int16 (n,) with pauses spliced in, crossfaded, and where they lie now.

    :param room_of: a recording of the same room, whose noise fills the pauses.
    """
    fade = int(FADE_S * WIRE_RATE)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    joined = np.zeros(len(pcm) + sum(round(pause.for_s * WIRE_RATE) for pause in pauses), np.float32)
    spliced: list[tuple[float, float]] = []
    start = added = 0
    for at_s, for_s in sorted(pauses):
        cut, silent = round(at_s * WIRE_RATE), round(for_s * WIRE_RATE)
        noise = room_noise(room_of, silent + 2 * fade, seed=len(spliced))
        noise[:fade] *= ramp
        noise[-fade:] *= ramp[::-1]
        piece = pcm[start:cut].astype(np.float32)
        piece[:fade] *= ramp if start else 1
        piece[-fade:] *= ramp[::-1]
        joined[start + added : cut + added] += piece
        joined[cut + added - fade : cut + added + silent + fade] += noise
        spliced.append((round((cut + added) / WIRE_RATE, 3), round((cut + added + silent) / WIRE_RATE, 3)))
        start, added = cut, added + silent
    piece = pcm[start:].astype(np.float32)
    piece[:fade] *= ramp if start else 1
    joined[start + added :] += piece
    return np.clip(joined, -32768, 32767).astype(np.int16), tuple(spliced)


def room_noise(pcm: I16, samples: int, *, seed: int) -> F32:
    """Float32 (samples,) in int16's range: noise with the spectrum and level of the quietest tenth of int16 (n,).

    At least `NOISE_DBFS`: no microphone sends digital silence.
    """
    grain = 2 * WINDOW
    frames = pcm[: len(pcm) // grain * grain].reshape(-1, grain).astype(np.float64)
    power = np.square(frames).mean(axis=1)
    quiet = frames[np.argsort(power)[: max(1, len(frames) // 10)]]
    colour = np.abs(np.fft.rfft(quiet * np.hanning(grain))).mean(axis=0) + 1.0
    white = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples))
    noise = np.fft.irfft(
        white * np.interp(np.linspace(0, 1, len(white)), np.linspace(0, 1, len(colour)), colour), samples
    )
    least = 32768 * 10 ** (NOISE_DBFS / 20)
    level = max(float(np.sqrt(np.square(quiet).mean())), least)
    room: F32 = (noise * level / np.sqrt(np.square(noise).mean())).astype(np.float32)
    return room


def _quietest(pcm: I16, near_s: float) -> float:
    """s of the middle of the quietest 30 ms within `SEARCH_S` of a time in int16 (n,)."""
    power = np.convolve(_power(pcm, WINDOW), np.ones(3) / 3, "same")
    first, last = (int((near_s + side) * WIRE_RATE / WINDOW) for side in (-SEARCH_S, SEARCH_S))
    return (first + int(power[first:last].argmin()) + 0.5) * WINDOW / WIRE_RATE


def _power(pcm: I16, window: int) -> F32:
    """Float32 (n // window,): mean square of each window, 1 at full scale."""
    whole = pcm[: len(pcm) // window * window].reshape(-1, window).astype(np.float32) / 32768
    return np.asarray(np.square(whole).mean(axis=1) + 1e-12, np.float32)


def _db(power: float) -> float:
    return 10 * float(np.log10(power))


# -- the files -----------------------------------------------------------------------------------------------


@cache
def _manifest() -> dict[str, dict[str, object]]:
    """The recordings by file name; empty where there are none."""
    path = RECORDINGS / "manifest.jsonl"
    if not path.is_file():
        return {}
    return {row["file"]: row for row in map(json.loads, path.read_text().splitlines())}


@cache
def _recording(file: str) -> I16:
    """Int16 (n,) at WIRE_RATE.

    :raises ValueError: if it is not the file whose times are written down.
    """
    known = turn_cuts.RECORDINGS.get(file)
    if known is not None and not str(_manifest()[file]["sha256"]).startswith(known.sha256):
        raise ValueError(f"{file} is not the recording that bench/turn_cuts.py was made for; find its times anew")
    return read_audio(RECORDINGS / file, WIRE_RATE)
