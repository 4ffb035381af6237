"""libopus itself, by ctypes: what FFmpeg's wrapper does not offer, concealment and forward error correction.

PyAV's wheel brings the library along (BSD-3), so nothing is installed for it and both use the same one; a PyAV that
was built on this machine uses the system's. Reference: opus_encoder.h and opus_decoder.h of libopus 1.x, RFC 6716.
A call takes 30 to 150 us and lets go of the GIL.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import av

from agent.errors import TransportError

VOIP: Final = 2048
SIGNAL_VOICE: Final = 3001
SET_BITRATE: Final = 4002
SET_COMPLEXITY: Final = 4010
SET_INBAND_FEC: Final = 4012
SET_PACKET_LOSS: Final = 4014
SET_DTX: Final = 4016
SET_SIGNAL: Final = 4024

_Pointer = ctypes.c_void_p
_Int = ctypes.c_int


@cache
def library() -> ctypes.CDLL:
    """The library, its functions declared.

    :raises TransportError: if there is none.
    """
    for path in _candidates():
        try:
            found = ctypes.CDLL(path)
            _declare(found)
        except (OSError, AttributeError):
            continue
        return found
    raise TransportError(
        "libopus was not found, neither inside PyAV nor on this system; install PyAV's wheel, or the package libopus0"
    )


def check(result: int, what: str) -> int:
    """A result of libopus that is not negative.

    :raises TransportError: with libopus's words if it is.
    """
    if result < 0:
        raise TransportError(f"libopus: {what}: {library().opus_strerror(result).decode()}")
    return result


def create(kind: str, *arguments: int) -> int:
    """A new ``encoder`` or ``decoder``; its address.

    :raises TransportError: with libopus's words if it can not be made.
    """
    error = _Int()
    state = getattr(library(), f"opus_{kind}_create")(*arguments, ctypes.byref(error))
    check(error.value, f"{kind} {arguments}")
    return int(state)


def _candidates() -> Iterator[str]:
    beside = Path(av.__file__).parent
    for folder, pattern in (
        (beside.parent / "av.libs", "*opus*"),
        (beside / ".dylibs", "libopus*"),
    ):
        yield from (str(path) for path in sorted(folder.glob(pattern)))
    system = ctypes.util.find_library("opus")
    if system:
        yield system


def _declare(opus: ctypes.CDLL) -> None:
    opus.opus_strerror.restype = ctypes.c_char_p
    opus.opus_strerror.argtypes = [_Int]
    opus.opus_decoder_create.restype = _Pointer
    opus.opus_decoder_create.argtypes = [ctypes.c_int32, _Int, _Pointer]
    opus.opus_decoder_destroy.restype = None
    opus.opus_decoder_destroy.argtypes = [_Pointer]
    opus.opus_decode.argtypes = [_Pointer, ctypes.c_char_p, ctypes.c_int32, _Pointer, _Int, _Int]
    opus.opus_encoder_create.restype = _Pointer
    opus.opus_encoder_create.argtypes = [ctypes.c_int32, _Int, _Int, _Pointer]
    opus.opus_encoder_get_size.argtypes = [_Int]
    opus.opus_encoder_destroy.restype = None
    opus.opus_encoder_destroy.argtypes = [_Pointer]
    opus.opus_encode.argtypes = [_Pointer, _Pointer, _Int, _Pointer, ctypes.c_int32]
    opus.opus_encode.restype = ctypes.c_int32
    # The value follows as a variadic argument; on Apple's processors ctypes must know where those begin.
    opus.opus_encoder_ctl.argtypes = [_Pointer, _Int]
