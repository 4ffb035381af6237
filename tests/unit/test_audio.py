"""Sound as numbers: resampling without seams, levels, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agent.audio import EAR_RATE, SILENT_DBFS, WIRE_RATE, Resampler, dbfs, read_audio, resample, write_wav
from agent.errors import AudioError
from agent.transports.opus import QUIET_TICKS, REFRESH_TICKS, OpusDecoder, OpusEncoder


def sine(seconds: float, rate: int, hz: float = 440.0) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return (10_000 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


def test_chunks_are_resampled_as_if_they_were_one() -> None:
    pcm = sine(0.5, WIRE_RATE)
    resampler = Resampler(WIRE_RATE, EAR_RATE)
    chunks = [resampler(pcm[start : start + 960]) for start in range(0, len(pcm), 960)]
    seamed = np.concatenate([*chunks, resampler.flush()])
    whole = resample(pcm, WIRE_RATE, EAR_RATE)
    assert np.array_equal(seamed[: len(whole)], whole[: len(seamed)])
    assert abs(len(whole) - EAR_RATE // 2) <= 32
    steps = np.abs(np.diff(whole[50:-50].astype(int)))
    assert steps.max() < 1.05 * 10_000 * 2 * np.pi * 440 / EAR_RATE


def test_levels() -> None:
    assert dbfs(np.zeros(960, np.int16)) == SILENT_DBFS
    assert dbfs(np.zeros(0, np.int16)) == SILENT_DBFS
    assert abs(dbfs(np.full(960, 32767, np.int16))) < 0.01


def test_a_file_is_read_at_the_rate_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    write_wav(path, sine(0.25, 24_000), 24_000)
    assert abs(len(read_audio(path, WIRE_RATE)) - WIRE_RATE // 4) <= 64


@pytest.mark.parametrize("content", [b"", b"RIFF", b"this is no sound at all" * 100])
def test_a_file_that_is_no_sound_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"bad\.wav"):
        read_audio(path, WIRE_RATE)


def test_opus_carries_a_tone_and_hardly_sends_silence() -> None:
    encoder, decoder = OpusEncoder(), OpusDecoder()
    seconds = 4
    frames = [*sine(1.0, WIRE_RATE).reshape(-1, 960), *np.zeros((50 * seconds, 960), np.int16)]
    packets = [packet for frame in frames if (packet := encoder.encode(frame)) is not None]
    times = [packet.pts or 0 for packet in packets]
    assert times[:50] == [n * 960 for n in range(50)]
    assert times == sorted(set(times))
    assert len(packets) < 50 + QUIET_TICKS + 50 * seconds / REFRESH_TICKS
    assert encoder.resting
    heard = [decoder.decode(bytes(packet)) for packet in packets]
    assert all(pcm is not None and len(pcm) == 960 for pcm in heard)
    levels = [dbfs(pcm) for pcm in heard if pcm is not None]
    assert abs(levels[25] - dbfs(frames[25])) < 1.0
    assert max(levels[-5:]) < -80
    again = encoder.encode(frames[0])
    assert again is not None
    assert again.pts == len(frames) * 960, "silence that is not sent takes time, too"


def test_resting_is_encoding_silence() -> None:
    encoded, rested = OpusEncoder(), OpusEncoder()
    quiet = np.zeros(960, np.int16)
    for _ in range(QUIET_TICKS):
        encoded.encode(quiet)
        rested.encode(quiet)
    one_by_one = [packet.pts for _ in range(100) if (packet := encoded.encode(quiet)) is not None]
    at_once = [packet.pts for _ in range(5) if (packet := rested.rest(20)) is not None]
    assert len(one_by_one) == len(at_once) == 5
    sound = sine(0.02, WIRE_RATE)
    assert [p.pts for e in (encoded, rested) if (p := e.encode(sound)) is not None] == [(QUIET_TICKS + 100) * 960] * 2


def test_what_is_no_opus_costs_one_frame() -> None:
    encoder, decoder = OpusEncoder(), OpusDecoder()
    for bad in (b"\xff\xff\xff", b"\x03\x00"):
        assert decoder.decode(bad) is None
        packet = encoder.encode(sine(0.02, WIRE_RATE))
        assert packet is not None
        assert decoder.decode(bytes(packet)) is not None
