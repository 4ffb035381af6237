"""Speech as files that can be sent while they are made, and files of strangers as speech."""

from __future__ import annotations

import io
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from agent.audio import EAR_RATE, I16, dbfs, write_wav
from agent.errors import SignalingError
from agent.rest import recordings
from agent.rest.encoding import FORMATS, RATE, Encoder, Format
from agent.rest.recordings import read

SECONDS = 6.0


def tone(rate: int, seconds: float, hz: float = 440.0) -> I16:
    return (8000 * np.sin(np.arange(int(rate * seconds)) * 2 * np.pi * hz / rate)).astype(np.int16)


def pitch(pcm: I16, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(pcm.astype(np.float64) * np.hanning(len(pcm))))
    return float(spectrum.argmax()) * rate / len(pcm)


def encoded(form: Format, *, rate: int = RATE, speed: float = 1.0) -> list[bytes]:
    """What comes for each half second, and at the end."""
    encoder = Encoder(form, rate, speed)
    pcm, step = tone(rate, SECONDS), rate // 2
    parts = [encoder(pcm[begin : begin + step]) for begin in range(0, len(pcm), step)]
    return [*parts, encoder.end()]


def heard(form: Format, data: bytes) -> I16:
    """Int16 (n,) at EAR_RATE."""
    if form == "pcm":
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setparams((1, 2, RATE, 0, "NONE", ""))
            writer.writeframes(data)
        data = file.getvalue()
    return read(data)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_read_by_others_and_sounds_the_same(form: Format) -> None:
    pcm = heard(form, b"".join(encoded(form)))
    assert abs(len(pcm) / EAR_RATE - SECONDS) < 0.1
    middle = pcm[EAR_RATE : 5 * EAR_RATE]
    assert abs(pitch(middle, EAR_RATE) - 440) < 2
    assert abs(dbfs(middle) - dbfs(tone(RATE, 1.0))) < 1.0


@pytest.mark.parametrize("form", FORMATS)
def test_what_was_spoken_is_sent_before_more_is_made(form: Format) -> None:
    parts = encoded(form)
    sent = np.cumsum([len(part) for part in parts]) / sum(len(part) for part in parts)
    assert sent[1] > 0.05, "nothing of the first second has left"
    assert sent[6] > 0.4, "half of it has been given"


@pytest.mark.parametrize("form", FORMATS)
def test_a_speech_of_nothing_is_a_file_of_nothing(form: Format) -> None:
    encoder = Encoder(form, RATE)
    assert len(encoder.end()) < 10_000, "FLAC leaves room for a title"
    assert encoder.samples == 0


@pytest.mark.parametrize("speed", [0.25, 0.4, 0.5, 1.5, 4.0])
def test_speed_changes_the_length_and_not_the_pitch(speed: float) -> None:
    pcm = heard("wav", b"".join(encoded("wav", speed=speed)))
    assert abs(len(pcm) / EAR_RATE * speed / SECONDS - 1) < 0.05
    assert abs(pitch(pcm[len(pcm) // 4 : len(pcm) * 3 // 4], EAR_RATE) - 440) < 15


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_an_engines_rate_does_not_matter(rate: int) -> None:
    pcm = heard("pcm", b"".join(encoded("pcm", rate=rate)))
    assert abs(len(pcm) / EAR_RATE - SECONDS) < 0.05
    assert abs(pitch(pcm, EAR_RATE) - 440) < 2


def test_a_wav_file_says_that_its_length_is_not_known() -> None:
    head = encoded("wav")[0][:44]
    assert head[4:8] == head[40:44] == b"\xff\xff\xff\xff"
    assert head[:4] == b"RIFF"


# What strangers send.


def refusal(upload: bytes) -> str | None:
    with pytest.raises(SignalingError) as caught:
        read(upload)
    assert caught.value.status == 400
    assert caught.value.param == "file"
    return caught.value.code


def wav(pcm: I16, rate: int, tmp_path: Path) -> bytes:
    write_wav(tmp_path / "some.wav", pcm, rate)
    return (tmp_path / "some.wav").read_bytes()


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    assert refusal(b"") == "empty_file"
    for upload in (b"garbage" * 1000, bytes(100_000), b"RIFF\x00\x00\x00\x00WAVE", b"ID3", b"\x00"):
        assert refusal(upload) in ("invalid_file", "audio_too_short"), upload[:10]
    assert refusal(wav(tone(8000, 0.05), 8000, tmp_path)) == "audio_too_short"


def test_a_file_that_names_other_files_opens_none_of_them(tmp_path: Path) -> None:
    other = tmp_path / "secret.wav"
    other.write_bytes(wav(tone(8000, 2.0), 8000, tmp_path))
    for playlist in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{other}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{other}'\n",
        f"#EXTM3U\n{other}\n",
    ):
        assert refusal(playlist.encode()) == "invalid_file"


def test_a_film_is_heard_and_pictures_alone_are_refused() -> None:
    def film(*, sound: bool) -> bytes:
        file = io.BytesIO()
        with av.open(file, "w", format="matroska") as container:
            pictures = container.add_stream("mpeg4", rate=5)
            pictures.width = pictures.height = 32
            pictures.pix_fmt = "yuv420p"
            voice = container.add_stream("flac", rate=EAR_RATE) if sound else None
            if voice is not None:
                voice.layout = "mono"
            for n in range(5):
                frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
                frame.pts, frame.time_base = n, Fraction(1, 5)
                container.mux(pictures.encode(frame))
            if voice is not None:
                given = av.AudioFrame.from_ndarray(tone(EAR_RATE, 1.0)[None, :], format="s16", layout="mono")
                given.sample_rate = EAR_RATE
                given.pts, given.time_base = 0, Fraction(1, EAR_RATE)
                container.mux(voice.encode(given))
                container.mux(voice.encode(None))
            container.mux(pictures.encode(None))
        return file.getvalue()

    assert abs(len(read(film(sound=True))) - EAR_RATE) < 100
    assert refusal(film(sound=False)) == "invalid_file"


@pytest.mark.parametrize("layout", ["stereo", "5.1"])
def test_all_channels_become_one(layout: str) -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=44_100)
        stream.layout = layout
        pcm = np.repeat(tone(44_100, 1.0)[:, None], stream.layout.nb_channels, axis=1).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm), format="s16", layout=layout)
        frame.sample_rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    pcm = read(file.getvalue())
    assert abs(len(pcm) - EAR_RATE) < 100
    assert abs(pitch(pcm, EAR_RATE) - 440) < 2


def test_a_small_file_of_endless_silence_is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "LONGEST_S", 600.0)
    encoder = Encoder("flac", RATE)
    minute = np.zeros(60 * RATE, np.int16)
    data = b"".join([*(encoder(minute) for _ in range(11)), encoder.end()])
    assert len(data) < 1_000_000
    assert refusal(data) == "audio_too_long"
