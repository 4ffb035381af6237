"""From one person's mouth to another's ear, over real peer connections: soon, whole, and not back to the speaker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket

from agent.audio import I16, TICK_S, TICK_SAMPLES, WIRE_RATE, dbfs
from agent.speaking.mixer import SILENCE, Mixer
from agent.speaking.talker import Talker
from agent.transports.aiortc_private import tap_packets
from agent.transports.fan_out import FanOut
from agent.transports.ice import Ice
from agent.transports.jitter import Packet
from agent.transports.line import CallLine
from agent.transports.microphone import Microphone
from agent.transports.opus import OpusEncoder
from agent.transports.p2p import OutgoingTrack, PeerConnection
from bench.report import quantile
from tests.unit.test_microphone import voice

pytestmark = pytest.mark.timeout(60)

WORDS, WORD_S, PAUSE_S = 8, 0.4, 0.6
ONSET = 2000
"""sample value at which a word has begun"""
BAR_S = 0.12
"""from mouth to ear, half of the time"""


class Person:
    """A client, and its line in the room."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection = PeerConnection(Ice(), WIRE_RATE)
        self.line = CallLine(self.connection)
        self.talker = Talker()
        self.heard: list[tuple[float, I16]] = []
        """when it came, and what"""
        self.said: list[float] = []
        """when each word began"""
        self._track, self._encoder, self._ear = OutgoingTrack(), OpusEncoder(), Microphone(WIRE_RATE)

    async def dial(self) -> None:
        self.peer.addTrack(self._track)
        tap_packets(self.peer.getTransceivers()[0].receiver, self._take)
        await self.peer.setLocalDescription(await self.peer.createOffer())
        answer = await self.connection.answer(self.peer.localDescription.sdp)
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await self.connection.connected.wait()

    def _take(self, packet: RtpPacket) -> None:
        if packet.payload:
            self._ear.add(Packet(packet.sequence_number, packet.timestamp, packet.payload))

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        async for chunk in self._ear.chunks():
            self.heard.append((loop.time(), chunk.pcm))

    async def speak(self, sound: I16) -> None:
        """In real time; a frame is sent when its last sample has been said."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        before = SILENCE
        for frame in sound.reshape(-1, TICK_SAMPLES):
            due += TICK_S
            await asyncio.sleep(due - loop.time())
            if loud_at(frame) is not None and loud_at(before) is None:
                self.said.append(due - TICK_S + (loud_at(frame) or 0) / WIRE_RATE)
            before = frame
            packet = self._encoder.encode(frame)
            if packet is not None:
                self._track.put(packet)

    async def mouth(self) -> None:
        """What the room does with a microphone; a listener would follow."""
        async for _ in self.talker.through(self.line.chunks()):
            pass

    @property
    def onsets(self) -> list[float]:
        """When each word was heard to begin."""
        found, quiet = [], 10
        for at, pcm in self.heard:
            loud = loud_at(pcm)
            if loud is not None and quiet >= 5:
                found.append(at + loud / WIRE_RATE)
            quiet = 0 if loud is not None else quiet + 1
        return found

    async def close(self) -> None:
        self._ear.end()
        await self.line.close("over")
        await self.peer.close()


def loud_at(pcm: I16) -> int | None:
    """The first sample that is loud."""
    found = np.flatnonzero(np.abs(pcm.astype(np.int32)) > ONSET)
    return int(found[0]) if len(found) else None


@asynccontextmanager
async def room(*names: str) -> AsyncIterator[list[Person]]:
    people = [Person(name) for name in names]
    mixer, fan = Mixer(), FanOut()
    for person in people:
        fan.join(person.name, person.line)

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            fan.play(mixer.mix({person.name: person.talker.read() for person in people}, names))
            due = max(due, loop.time() - TICK_S) + TICK_S  # of time that the machine took, one tick is caught up on
            await asyncio.sleep(due - loop.time())

    try:
        await asyncio.gather(*(person.dial() for person in people))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(tick())]
            for person in people:
                tasks += [group.create_task(person.mouth()), group.create_task(person.listen())]
            yield people
            for task in tasks:
                task.cancel()
    finally:
        for person in people:
            await person.close()


async def test_a_word_is_at_the_others_ears_in_time_and_not_at_its_speakers() -> None:
    pause = np.zeros(round(PAUSE_S * WIRE_RATE), np.int16)
    words = np.concatenate([pause] + [np.concatenate([voice(WORD_S), pause]) for _ in range(WORDS)])
    async with room("anna", "ben", "carl") as (anna, ben, carl):
        await anna.speak(words)
    for other in (ben, carl):
        assert len(other.onsets) == len(anna.said) == WORDS
        late = [heard - said for heard, said in zip(other.onsets, anna.said, strict=True)]
        assert quantile(late, 0.5) <= BAR_S, [round(1000 * each) for each in late]
    assert anna.onsets == []
    assert anna.talker.overflow == 0
    loud = [dbfs(pcm) for _, pcm in ben.heard if loud_at(pcm) is not None]
    assert len(loud) >= 0.85 * WORDS * WORD_S / TICK_S, "words have holes"


async def test_two_who_speak_at_once_hear_each_other_and_a_third_hears_both() -> None:
    t = np.arange(3 * WIRE_RATE) / WIRE_RATE
    pitches = {"anna": 500.0, "ben": 800.0}
    async with room("anna", "ben", "carl") as people:
        await asyncio.gather(
            *(
                person.speak(np.asarray(5000 * np.sin(2 * np.pi * pitches[person.name] * t), np.int16))
                for person in people
                if person.name in pitches
            )
        )
    heard = {}
    for person in people:
        pcm = np.concatenate([pcm for _, pcm in person.heard])[-2 * WIRE_RATE :]
        level = np.abs(np.fft.rfft(pcm))
        bins = {name: round(pitch * len(pcm) / WIRE_RATE) for name, pitch in pitches.items()}
        heard[person.name] = {name for name, at in bins.items() if level[at - 3 : at + 4].max() > 0.2 * level.max()}
    assert heard == {"anna": {"ben"}, "ben": {"anna"}, "carl": {"anna", "ben"}}
