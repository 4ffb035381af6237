"""Opus, as a call needs it: mono, 20 ms, encoded and decoded where it is used.

A frame costs 0.1 ms to encode and 0.03 ms to decode (two-core laptop-class machine), less than a hop to a thread and
back; so both run on the loop. What is lost comes back from the packet after it (in-band forward error correction), or
is made up (concealment); silence is hardly sent at all (DTX).
"""

from __future__ import annotations

import ctypes
import weakref
from fractions import Fraction
from typing import Any, TypeAlias

import av
import numpy as np

from agent.audio import I16, TICK_SAMPLES, WIRE_RATE
from agent.transports import libopus
from agent.transports.libopus import check, library

OpusPacket: TypeAlias = "av.Packet[Any]"

_OPUS = library()  # at import: the loop should not look for files

TIME_BASE = Fraction(1, WIRE_RATE)
BIT_RATE = 32_000
"""b/s; transparent for one voice. aiortc's own encoder takes 96,000 in stereo."""
COMPLEXITY = 5
"""0..10. 5 takes two thirds of the time of 10, and no listener of speech can tell."""
EXPECTED_LOSS_PERCENT = 10
"""how much the encoder spends on copies of what came before; with less it leaves them out at this bit rate"""
MOST_BYTES = 1275
"""of a packet (RFC 6716)"""
DTX_BYTES = 2
"""A packet this small says: silence from here on, and the next packet may take a while."""
QUIET_TICKS = 20
"""Ticks of digital silence (400 ms) after which the encoder rests. By then it has sent that silence begins."""
REFRESH_TICKS = 20
"""While it rests, a packet is sent this often, as other encoders do, so that the listener knows that we are there."""


class PacketClock:
    """The time of one outgoing stream: every packet has its place in it, whichever encoder it comes from."""

    def __init__(self) -> None:
        self._pts = 0

    def packet(self, payload: bytes | None, ticks: int = 1) -> OpusPacket | None:
        """So many ticks pass, and this is heard in the last of them; None: nothing is sent."""
        due = self._pts + (ticks - 1) * TICK_SAMPLES
        self._pts = due + TICK_SAMPLES
        if payload is None:
            return None
        packet = av.Packet(payload)
        packet.pts = due
        packet.time_base = TIME_BASE
        return packet


class OpusEncoder:
    """Sound to Opus. Between speech there is next to nothing in it: digital silence is left out, and nothing else, for
    libopus takes a steady tone for noise.

    `encode` and `rest` make the packets of one stream; `payload` and `silence` make what several streams may carry.
    """

    def __init__(self) -> None:
        self._state = libopus.create("encoder", WIRE_RATE, 1, libopus.VOIP)
        weakref.finalize(self, _OPUS.opus_encoder_destroy, self._state)
        for setting, value in (
            (libopus.SET_BITRATE, BIT_RATE),
            (libopus.SET_COMPLEXITY, COMPLEXITY),
            (libopus.SET_SIGNAL, libopus.SIGNAL_VOICE),
            (libopus.SET_INBAND_FEC, 1),
            (libopus.SET_PACKET_LOSS, EXPECTED_LOSS_PERCENT),
        ):
            self._set(setting, value)
        self._out = ctypes.create_string_buffer(MOST_BYTES)
        self._clock = PacketClock()
        self._quiet = 0
        self._still = False  # the last packet said that silence begins
        self._silence = b""

    def copy(self) -> OpusEncoder:
        """Another one that goes on from here: who heard this one until now can hear that one from now on."""
        other = OpusEncoder()
        # The state is one block of memory without pointers into itself; libopus's reference says to copy it like this.
        ctypes.memmove(other._state, self._state, _OPUS.opus_encoder_get_size(1))
        other._quiet, other._still, other._silence = self._quiet, self._still, self._silence
        return other

    @property
    def resting(self) -> bool:
        """Nothing but silence was encoded for a while: until there is something else, `rest` may stand for `encode`."""
        return self._quiet >= QUIET_TICKS

    def encode(self, pcm: I16) -> OpusPacket | None:
        """Int16 (TICK_SAMPLES,) to the packet that carries it; None if the silence goes on."""
        return self._clock.packet(self.payload(pcm))

    def rest(self, ticks: int) -> OpusPacket | None:
        """So many ticks of silence have passed unencoded; a packet if one is due."""
        return self._clock.packet(self.silence(ticks), ticks)

    def payload(self, pcm: I16) -> bytes | None:
        """What a packet carries for int16 (TICK_SAMPLES,); None if the silence goes on."""
        silent = not pcm.any()
        if silent and self.resting:
            return self.silence(1)
        if silent != bool(self._quiet):
            self._set(libopus.SET_DTX, int(silent))
        self._quiet = self._quiet + 1 if silent else 0
        payload = self._encode(pcm)
        if len(payload) > DTX_BYTES:
            self._still = False
        elif self._still:
            return None
        else:
            self._still, self._silence = True, payload
        return payload

    def silence(self, ticks: int) -> bytes | None:
        """What a packet carries after so many ticks of silence; None if none is due."""
        due = (self._quiet + ticks) // REFRESH_TICKS > self._quiet // REFRESH_TICKS
        self._quiet += ticks
        return self._silence if due and self._silence else None

    def _set(self, setting: int, value: int) -> None:
        check(_OPUS.opus_encoder_ctl(self._state, setting, ctypes.c_int(value)), f"setting {setting}")

    def _encode(self, pcm: I16) -> bytes:
        pcm = np.ascontiguousarray(pcm)
        size = _OPUS.opus_encode(self._state, pcm.ctypes.data, len(pcm), self._out, MOST_BYTES)
        return self._out.raw[: check(size, "encode")]


class OpusDecoder:
    """One incoming stream.

    :param rate: of the samples that come out, one of 8000, 12000, 16000, 24000, 48000; libopus decodes straight to it.
    """

    def __init__(self, rate: int = WIRE_RATE) -> None:
        self._state = libopus.create("decoder", rate, 1)
        weakref.finalize(self, _OPUS.opus_decoder_destroy, self._state)
        self._pcm = np.zeros(rate * 120 // 1000, np.int16)  # the longest packet
        self._out = self._pcm.ctypes.data

    def decode(self, payload: bytes) -> I16 | None:
        """A packet's payload to int16 (n,); None if it is not Opus."""
        return self._taken(_OPUS.opus_decode(self._state, payload, len(payload), self._out, len(self._pcm), 0))

    def recover(self, payload: bytes, samples: int) -> I16:
        """The lost frame before this packet, int16 (samples,), from the copy in it; made up if it has none."""
        found = self._taken(_OPUS.opus_decode(self._state, payload, len(payload), self._out, samples, 1))
        return np.zeros(samples, np.int16) if found is None else found

    def conceal(self, samples: int) -> I16:
        """Int16 (samples,), at most 120 ms and a multiple of 2.5 ms, made up to follow what came before."""
        found = self._taken(_OPUS.opus_decode(self._state, None, 0, self._out, samples, 0))
        return np.zeros(samples, np.int16) if found is None else found

    def _taken(self, samples: int) -> I16 | None:
        return None if samples < 0 else self._pcm[:samples].copy()
