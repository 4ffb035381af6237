"""A room: the people on the line, and the agent among them. A call is a room of one."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from agent.as_set import AMONG_OTHERS, company, manners, patience
from agent.audio import TICK_S, TICK_SAMPLES, WIRE_RATE, Resampler
from agent.conversation import Conversation, Line
from agent.engines.protocols import LanguageModel
from agent.errors import EngineError, SignalingError
from agent.events import Event, Greet, Interruption, SpeechEnded, SpeechStarted
from agent.history import EMBEDDED_CHARS, SERVER_CHARS, History
from agent.listening.endpointing import Endpointing
from agent.listening.listener import Ears, Hearing, Listener
from agent.machine import Machine, Phase
from agent.metrics import Metrics
from agent.outlets import Everybody, OneLine
from agent.participant import TOO_LONG, WATCH_S, Participant
from agent.realtime.config import SESSION_S
from agent.realtime.presence import Presence
from agent.realtime.session import Session
from agent.recording import Recording
from agent.settings import Settings
from agent.speaking.client_playout import ClientPlayout
from agent.speaking.playout import Playout
from agent.speaking.spoken import spoken
from agent.speaking.voice import Voice
from agent.tick import Tick
from agent.tools.toolbox import Toolbox
from agent.transports.socket import SocketLine

log = logging.getLogger(__name__)

CHANNEL_S = 1.0
"""How long the greeting waits for the client to be ready for its events."""
GOODBYE_TAIL = WIRE_RATE // 2
"""samples of silence after a goodbye, while its last words are under way"""
MOST_ATTACHED = 8
"""further clients of one call"""


@dataclass(frozen=True, slots=True)
class Models:
    """Everything that is loaded once per process and shared by all rooms."""

    hearing: Hearing
    llm: LanguageModel
    reader: LanguageModel | None
    """judges whether what was said is a complete message; often the language model itself"""
    voice: Voice


class Room:
    """People and one agent.

    :param name: "" for a call of one's own.
    :param plays_itself: the one line in it is a client that plays the agent's voice by itself.
    :param session: settings that came with the first call.
    """

    def __init__(
        self,
        name: str,
        models: Models,
        settings: Settings,
        metrics: Metrics,
        *,
        session: Mapping[str, Any],
        plays_itself: bool = False,
        longest_s: float = SESSION_S,
        tools: Toolbox | None = None,
    ) -> None:
        self.name = name
        self._models = models
        self._plays_itself = plays_itself
        self._attached = 0
        self._people: dict[str, Participant] = {}
        self._announced: set[str] = set()
        """who has been told of"""
        self._utterances = itertools.count(1)
        self._greeted = False
        self._notice_due = False  # somebody does not know that there is a recording
        self._leaving: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """why we end it; "" if the last person has left"""
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """why it is over"""
        self._settings = settings
        self._metrics = metrics
        default_chars = SERVER_CHARS if settings.llm.url else EMBEDDED_CHARS
        history = History(settings.agent.instructions, settings.llm.history_chars or default_chars)
        self._session = Session(
            history,
            settings,
            models.hearing.asr.knows,
            given=session,
            plays_itself=plays_itself,
            longest_s=longest_s,
        )
        turn = settings.turn
        machine = self._machine = Machine(
            patience(settings),
            interruption=Interruption(turn.interruption),
            greeting=Interruption(settings.agent.greeting_interruption),
        )
        shared = settings.room if name else None
        if shared is not None:
            history.company = AMONG_OTHERS.format(agent=shared.agent_name)
        self._conversation = Conversation(
            llm=models.llm,
            reader=models.reader,
            voice=models.voice,
            history=history,
            machine=machine,
            playout=ClientPlayout(self._session.narrator.voice) if plays_itself else Playout(),
            manners=manners(settings),
            tools=tools,
            line=Line(
                flush=lambda: self._outlets.flush(),
                sealed=self._seal,
                undecided=lambda: (ear := self._ear(machine.speaker)) is not None and ear.undecided,
                completed=self._completed,
                delay_s=self._delay_s,
            ),
            observer=self._session.narrator,
            metrics=metrics,
            company=company(settings, among_others=shared is not None),
        )
        self._everybody = None if shared is None else Everybody(self._people.values)
        self._outlets = self._everybody or OneLine(self._people.values)
        self._presence = None
        if shared is not None and self._everybody is not None:
            self._presence = Presence(
                name, shared, self._session, self._conversation, lambda: self.people, self._everybody.mixer.set_volume
            )
        self._tick = Tick(self._conversation.playout, self._outlets, self._conversation.watch, metrics.overruns.inc)

    # -- people ----------------------------------------------------------------------------------------------

    @property
    def people(self) -> tuple[Participant, ...]:
        """Who is there, or may come back, in the order in which they came."""
        return tuple(self._people.values())

    @property
    def taken(self) -> list[str]:
        """Names that are nobody's to choose: the agent's."""
        return [self._settings.room.agent_name]

    def admit(self, person: Participant) -> None:
        """Somebody has a place."""
        turn, machine = self._settings.turn, self._machine
        person.listener = Listener(
            person.id,
            self._models.hearing,
            Ears(turn.pause_ms, self._settings.asr.language or None, turn.partials),
            Endpointing(sure_ms=turn.sure_ms, endpointing_ms=turn.endpointing_ms, limit_ms=turn.limit_ms),
            lambda event: self._heard(person, event),
            overlapped=lambda: machine.phase in (Phase.SPEAKING, Phase.YIELDING),
            utterances=self._utterances,
        )
        self._people[person.id] = person
        self._conversation.company.join(person.id, person.name)
        self._session.join(person.line, person.listener)
        if self._everybody is not None:
            person.talker.wake = self._tick.wake
            self._everybody.join(person)
            self._notice_due = bool(self._settings.room.recording)

    def _announce(self, person: Participant) -> None:
        """Somebody is on the line; an offer that could not be answered is nobody."""
        if self._presence is not None:
            self._announced.add(person.id)
            self._presence.joined(person)
            self._conversation.mention(f"[{person.name} joins.]")

    def _heard(self, person: Participant, event: Event) -> None:
        """What a listener has heard."""
        if isinstance(event, SpeechStarted | SpeechEnded):
            person.speaking = isinstance(event, SpeechStarted)
            if self._presence is not None:
                self._presence.changed(person)
        self._conversation.post(event)

    async def attend(self, person: Participant) -> None:
        """Have somebody in the room who was admitted, until they are gone; free everything that their line held."""
        reason = "server stopping"
        self._metrics.calls.inc()
        self._announce(person)
        try:
            async with asyncio.TaskGroup() as group:
                parts = [
                    group.create_task(self._listen(person), name=f"ear {person.call_id}"),
                    group.create_task(person.line.watch(), name=f"line {person.call_id}"),
                    group.create_task(self._serve(person), name=f"session {person.call_id}"),
                    group.create_task(self._greet(person), name=f"greeting {person.call_id}"),
                ]
                reason = await self._until_gone(person)
                for part in parts:
                    part.cancel()
        except* Exception:  # this person's end, and nobody else's
            reason = "failed"
            log.exception("call failed call=%s", person.call_id)
        finally:
            self.dismiss(person, reason)
            await person.line.close(reason)
            self._metrics.calls.dec()
            self._metrics.calls_total.labels(reason).inc()
            self._metrics.dropped.inc(person.line.lost_packets)
            self._metrics.underruns.inc(person.talker.underruns)
            log.info("call ended call=%s reason=%s", person.call_id, reason)

    async def _until_gone(self, person: Participant) -> str:
        """Why somebody is gone: their own end, or the room's."""
        gone = asyncio.ensure_future(person.until_gone(self._settings.limits))
        try:
            await asyncio.wait({gone, self.over}, return_when=asyncio.FIRST_COMPLETED)
            if not gone.done():
                return self.over.result()
            reason = gone.result()
            if reason == TOO_LONG:
                self._session.expire(person.line)
                if len(self._people) == 1:
                    self.leave(reason)
                    return await asyncio.shield(self.over)
            return reason
        finally:
            gone.cancel()

    async def _serve(self, person: Participant) -> None:
        await person.line.channel_open()
        await self._session.serve(person.line, extensions=person.extensions)

    def dismiss(self, person: Participant, reason: str) -> None:
        """Somebody has no place any more; the last one closes the door."""
        self._people.pop(person.id, None)
        self._session.leave(person.line)
        self._conversation.leave(person.id)
        if self._everybody is not None:
            self._everybody.leave(person)
        if not person.over.done():
            person.over.set_result(reason)
        if self._presence is not None and person.id in self._announced:
            self._announced.discard(person.id)
            self._presence.left(person, reason)
            self._conversation.mention(f"[{person.name} leaves.]")
        if not self._people:
            self.leave("")

    def _ear(self, speaker: str) -> Listener | None:
        """What hears this person, if they are there."""
        person = self._people.get(speaker)
        return person.listener if person is not None else None

    def _seal(self, speaker: str) -> None:
        if (ear := self._ear(speaker)) is not None:
            ear.seal()

    def _completed(self, probability: float) -> None:
        if (ear := self._ear(self._machine.speaker)) is not None:
            ear.completed(probability)

    def _delay_s(self) -> float:
        """From playout to the ear of whom the agent speaks to; of the slowest, if that is nobody in particular."""
        answered = self._people.get(self._conversation.company.answered)
        people = self.people if answered is None else [answered]
        return max((each.line.delay_s for each in people), default=0.0)

    async def _listen(self, person: Participant) -> None:
        """Hear somebody until their line is gone."""
        assert person.listener is not None
        if self._everybody is not None:
            await person.listener.run(person.said())
        else:
            await person.listener.run(self._session.microphone.chunks() if self._plays_itself else person.line.chunks())

    async def _greet(self, person: Participant) -> None:
        """Speak first, as soon as a line is open, if there is something to say."""
        if self._settings.agent.greeting and not self._session.listens_only and not self._greeted:
            await person.line.connected.wait()
            with suppress(TimeoutError):  # a client without a channel is greeted, too
                async with asyncio.timeout(CHANNEL_S):
                    await person.line.channel_open()
            if not self._greeted:
                self._greeted = True
                self._conversation.post(Greet())

    async def greet_again(self, person: Participant) -> None:
        """The client has come back over another connection: tell it what it may have forgotten."""
        log.info("call goes on call=%s", person.call_id)
        with suppress(TimeoutError):  # a client without a channel goes on, too
            async with asyncio.timeout(self._settings.limits.connect_s):
                await person.line.channel_open()
            self._session.greet_again(person.line)

    async def attach(self, person: Participant, line: SocketLine, *, extensions: bool) -> None:
        """Serve a further client of a call; returns when it is gone, or the call is over.

        :param extensions: it wants `antiphon.*` events.
        :raises SignalingError: 429 if the call has as many as it may.
        """
        if self._attached >= MOST_ATTACHED:
            raise SignalingError(429, f"This call has {MOST_ATTACHED} further clients already.", code="call_limit")
        self._attached += 1
        reason = "failed"
        try:
            async with asyncio.TaskGroup() as group:
                parts = [
                    group.create_task(line.watch(), name=f"further client's line {person.call_id}"),
                    group.create_task(
                        self._session.serve(line, extensions=extensions), name=f"further client {person.call_id}"
                    ),
                ]
                gone = group.create_task(line.closed(), name=f"until it is gone {person.call_id}")
                await asyncio.wait({gone, person.over}, return_when=asyncio.FIRST_COMPLETED)
                reason = person.over.result() if person.over.done() else gone.result()
                for part in (*parts, gone):
                    part.cancel()
        except* Exception:  # this client's end, and not the call's
            log.exception("a further client failed call=%s", person.call_id)
        finally:
            self._attached -= 1
            await line.close(reason)

    # -- the room itself -------------------------------------------------------------------------------------

    @property
    def ending(self) -> bool:
        """Nobody can come in any more."""
        return self._leaving.done() or self.over.done()

    async def run(self) -> None:
        """Converse until the last person has left, or `leave` is called."""
        reason = "server stopping"
        try:
            self._record()
            async with asyncio.TaskGroup() as group:
                parts = [
                    group.create_task(self._tick.run(), name=f"tick {self.name}"),
                    group.create_task(self._conversation.run(), name=f"conversation {self.name}"),
                    group.create_task(self._session.run(self._conversation, self._models.llm), name="session"),
                ]
                reason = await self._until_over()
                for part in parts:
                    part.cancel()
            if reason and not self._plays_itself and not self._session.listens_only:
                await self._say_goodbye()
        except* Exception:  # this room's end, and no other's
            reason = "failed"
            log.exception("room failed room=%s calls=%s", self.name, " ".join(p.call_id for p in self.people))
        finally:
            self.over.set_result(reason)
            if self._everybody is not None and self._everybody.recording is not None:
                await self._everybody.recording.close()
            self._metrics.underruns.inc(self._conversation.playout.underruns)

    def _record(self) -> None:
        """Begin to record, if the settings say so. If the disk fails, people are told, and the call goes on."""
        folder, presence, everybody = self._settings.room.recording, self._presence, self._everybody
        if not folder or presence is None or everybody is None:
            return

        def taken_down(who: str, name: str, text: str, seconds: float) -> None:
            ended_s = recording.elapsed_s
            recording.said(who, name, text, max(0.0, ended_s - seconds), ended_s)

        failed = lambda _: presence.recorded(on=False)  # noqa: E731
        recording = everybody.recording = Recording(Path(folder), self.name, datetime.now(UTC), failed)
        for person in self.people:
            recording.joined(person.id, person.name)
        presence.taken_down = taken_down
        presence.recorded(on=True)

    def leave(self, reason: str) -> None:
        """End the room from our side; with a word, if there is a reason."""
        if not self._leaving.done():
            self._leaving.set_result(reason)

    async def _until_over(self) -> str:
        """Why the room is over."""
        loop = asyncio.get_running_loop()
        active = loop.time()
        here: dict[str, bool] = {}
        while not self._leaving.done():
            for person in self._people.values():
                if here.get(person.id, True) is not person.here and self._presence is not None:
                    self._presence.changed(person)
                here[person.id] = person.here
            if self._notice_due and self._machine.phase is Phase.IDLE and any(self._connected()):
                self._notice_due = False
                self._conversation.post(Greet(notice=True))
            if self._machine.phase is not Phase.IDLE:
                active = loop.time()
            idle_s = self._settings.limits.idle_s
            if idle_s and loop.time() - active > idle_s:
                self.leave("idle")
            await asyncio.wait({self._leaving}, timeout=WATCH_S)
        return self._leaving.result()

    def _connected(self) -> Iterator[Participant]:
        return (person for person in self._people.values() if person.line.connected.is_set())

    async def _say_goodbye(self) -> None:
        """Say it past the conversation, which is over; what it was saying fades."""
        loop = asyncio.get_running_loop()
        playout, voice = self._conversation.playout, self._models.voice
        resampler = Resampler(voice.rate, WIRE_RATE)
        playout.cut(0)
        parts = [playout.read(), playout.read()]
        text = spoken(self._settings.agent.goodbye, voice.language)
        with suppress(EngineError):
            parts += [resampler(pcm) async for pcm in voice.speak(text)]
        parts += [resampler.flush(), np.zeros(GOODBYE_TAIL, np.int16)]
        pcm = np.concatenate(parts)
        due = loop.time()
        for begins in range(0, len(pcm) - TICK_SAMPLES + 1, TICK_SAMPLES):
            self._outlets.play(pcm[begins : begins + TICK_SAMPLES])
            due += TICK_S
            await asyncio.sleep(due - loop.time())
