"""An uploaded file of any kind as sound. Who sends it is not trusted.

FFmpeg reads it from memory and opens nothing else: play lists and other formats that name further files or addresses
are not among `FORMATS`.
"""

from __future__ import annotations

from io import BytesIO

import av
import numpy as np

from agent.audio import EAR_RATE, I16, joined
from agent.errors import SignalingError

FORMATS = "wav,w64,mp3,flac,ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,aac,ac3,amr,aiff,au,caf,mpeg,mpegts,asf"
"""FFmpeg's names of the containers that are read; a film's sound is heard, its pictures are not decoded"""
LONGEST_S = 3600.0
"""of a recording: some minutes of work"""
SHORTEST_S = 0.1
"""in less, nothing can be said"""


def read(upload: bytes) -> I16:
    """A file's first sound track, int16 (n,) at EAR_RATE. Blocks, some 5 ms for a second of compressed sound.

    :raises SignalingError: 400 for what is no sound, too short or too long.
    """
    if not upload:
        raise SignalingError(400, "The file is empty; send a recording.", code="empty_file", param="file")
    try:
        pcm = _decoded(upload)
    except (av.FFmpegError, OSError, ValueError, EOFError, MemoryError) as error:
        raise SignalingError(
            400,
            "The file can not be read as sound; send flac, mp3, mp4, m4a, ogg, wav or webm.",
            code="invalid_file",
            param="file",
        ) from error
    if len(pcm) < SHORTEST_S * EAR_RATE:
        raise SignalingError(
            400, f"The recording is shorter than {SHORTEST_S:g} s.", code="audio_too_short", param="file"
        )
    return pcm


def _decoded(upload: bytes) -> I16:
    options = {"format_whitelist": FORMATS, "protocol_whitelist": ""}
    parts: list[I16] = []
    samples = 0
    with av.open(BytesIO(upload), mode="r", container_options=options) as container:
        if not container.streams.audio:
            raise ValueError("no sound track")
        resampler = av.AudioResampler(format="s16", layout="mono", rate=EAR_RATE)
        for frame in container.decode(audio=0):
            parts.append(joined(resampler.resample(frame)))
            samples += len(parts[-1])
            if samples > LONGEST_S * EAR_RATE:
                raise SignalingError(
                    400,
                    f"The recording is longer than {LONGEST_S / 60:g} minutes; send it in parts.",
                    code="audio_too_long",
                    param="file",
                )
        if parts:
            parts.append(joined(resampler.resample(None)))
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)
