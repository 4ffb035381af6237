"""Sound as numbers: rates, levels, resampling, WAV files.

Two array kinds go through the whole program: ``pcm``, int16, and ``wave``, float32 in [-1, 1]; both mono
with shape (n,).
"""

from __future__ import annotations

import wave as wavefile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray

from agent.errors import AudioError

I16 = NDArray[np.int16]
F32 = NDArray[np.float32]

WIRE_RATE = 48_000
"""Hz; what Opus and WebRTC speak."""
EAR_RATE = 16_000
"""Hz; what VAD, ASR and turn detection hear."""
TICK_S = 0.020
"""One packet's worth of audio, in seconds."""
TICK_SAMPLES = WIRE_RATE // 50
"""Samples at WIRE_RATE in one tick."""
SILENT_DBFS = -120.0
"""What `dbfs` reports for digital silence."""


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A piece of one participant's microphone."""

    pcm: I16
    """int16 (n,) mono; for the listener at EAR_RATE, for other people at WIRE_RATE"""
    pts: int
    """samples at the same rate since the track began; a jump is lost audio"""


def to_wave(pcm: I16) -> F32:
    """Int16 (n,) to float32 (n,) in [-1, 1)."""
    return pcm.astype(np.float32) / 32768.0


def to_pcm(wave: F32) -> I16:
    """Float32 (n,) to int16 (n,); what is past full scale is clipped."""
    return (np.clip(wave, -1.0, 1.0) * 32767.0).astype(np.int16)


def dbfs(pcm: I16) -> float:
    """RMS level of int16 (n,) in dB relative to full scale; `SILENT_DBFS` for silence or nothing."""
    if not len(pcm):
        return SILENT_DBFS
    rms = float(np.sqrt(np.mean(np.square(pcm.astype(np.float64))))) / 32768.0
    return SILENT_DBFS if rms <= 0.0 else max(SILENT_DBFS, 20.0 * float(np.log10(rms)))


def speech_dbfs(pcm: I16, rate: int) -> float:
    """Level of the speech in int16 (n,), its pauses not counted: of the 10 ms within 20 dB of the loud ones."""
    window = rate // 100
    frames = pcm[: len(pcm) // window * window].reshape(-1, window).astype(np.float64)
    if not len(frames):
        return SILENT_DBFS
    power = np.square(frames / 32768).mean(axis=1)
    speech = float(power[power >= np.percentile(power, 95) * 0.01].mean())
    return SILENT_DBFS if speech <= 0.0 else max(SILENT_DBFS, 10.0 * float(np.log10(speech)))


class Resampler:
    """Changes the rate of one stream of audio; one per stream, for its whole life.

    A resampler made anew per chunk forgets its filter's state and clicks at every seam.
    """

    def __init__(self, source_hz: int, target_hz: int) -> None:
        self._source_hz = source_hz
        self._same = source_hz == target_hz
        self._swr = av.AudioResampler(format="s16", layout="mono", rate=target_hz)

    def __call__(self, pcm: I16) -> I16:
        """Int16 (n,) at the source rate to int16 (m,) at the target rate; m may be 0 at the start."""
        if self._same or not len(pcm):
            return pcm
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None, :], format="s16", layout="mono")
        frame.sample_rate = self._source_hz
        return joined(self._swr.resample(frame))

    def flush(self) -> I16:
        """What the filter still holds; the stream has ended."""
        return np.zeros(0, np.int16) if self._same else joined(self._swr.resample(None))


def joined(frames: Sequence[av.AudioFrame]) -> I16:
    """The samples of mono s16 frames as int16 (n,)."""
    # Four times faster than `to_ndarray`, which is made for any format and any number of channels.
    parts: list[I16] = [np.frombuffer(cast("bytes", frame.planes[0]), np.int16, frame.samples) for frame in frames]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def resample(pcm: I16, source_hz: int, target_hz: int) -> I16:
    """A whole recording at once: int16 (n,) to int16 (about n·target/source,)."""
    resampler = Resampler(source_hz, target_hz)
    return np.concatenate([resampler(pcm), resampler.flush()])


def read_audio(path: Path, rate: int) -> I16:
    """Any audio file that FFmpeg reads, as int16 (n,) mono at ``rate``.

    :raises AudioError: if there is no such file, or it holds no audio.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise AudioError(f"{path} holds no audio; give a WAV, FLAC, Ogg or MP3 file")
            swr = av.AudioResampler(format="s16", layout="mono", rate=rate)
            parts = [joined(swr.resample(frame)) for frame in container.decode(audio=0)]
            parts.append(joined(swr.resample(None)))
    except (av.FFmpegError, OSError) as error:
        raise AudioError(f"{path} can not be read as audio ({error}); give a WAV, FLAC, Ogg or MP3 file") from error
    return np.concatenate(parts)


def write_wav(path: Path, pcm: I16, rate: int) -> None:
    """Int16 (n,) mono at ``rate`` as a 16-bit WAV file."""
    with wavefile.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.astype("<i2").tobytes())
