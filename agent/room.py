"""A room: the people on the line, and the agent among them. A call is a room of one."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agent.as_set import AMONG_OTHERS, company, manners, patience
from agent.conversation import Conversation, Line
from agent.engines.protocols import LanguageModel
from agent.errors import SignalingError
from agent.events import Event, Greet, Interruption, SpeechEnded, SpeechStarted
from agent.gathering import Gathering
from agent.history import EMBEDDED_CHARS, SERVER_CHARS, History
from agent.listening.endpointing import Endpointing
from agent.listening.listener import Ears, Hearing, Listener
from agent.machine import Machine, Phase
from agent.metrics import Metrics
from agent.outlets import OneLine, Outlets
from agent.participant import TOO_LONG, WATCH_S, Participant
from agent.realtime.config import SESSION_S
from agent.realtime.session import Session
from agent.settings import Settings
from agent.speaking.client_playout import ClientPlayout
from agent.speaking.goodbye import say_goodbye
from agent.speaking.playout import Playout
from agent.speaking.voice import Voice
from agent.tick import Tick
from agent.tools.toolbox import Toolbox
from agent.transports.socket import SocketLine

log = logging.getLogger(__name__)

CHANNEL_S = 1.0
"""How long the greeting waits for the client to be ready for its events."""
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
        self._utterances = itertools.count(1)
        self._greeted = False
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
        self._gathering: Gathering | None = None
        self._outlets: Outlets = OneLine(self._people.values)
        if shared is not None:
            self._gathering = Gathering(
                name, shared, self._session, self._conversation, lambda: self.people, lambda: self._tick.wake()
            )
            self._outlets = self._gathering.everybody
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
        self._session.join(person.line, person.listener)
        if self._gathering is not None:
            self._gathering.admit(person)

    def _heard(self, person: Participant, event: Event) -> None:
        """What a listener has heard."""
        if isinstance(event, SpeechStarted | SpeechEnded):
            person.speaking = isinstance(event, SpeechStarted)
            if self._gathering is not None:
                self._gathering.changed(person)
        self._conversation.post(event)

    async def attend(self, person: Participant) -> None:
        """Have somebody in the room who was admitted, until they are gone; free everything that their line held."""
        reason = "server stopping"
        self._metrics.calls.inc()
        try:
            async with asyncio.TaskGroup() as group:
                parts = [
                    group.create_task(self._listen(person), name=f"ear {person.call_id}"),
                    group.create_task(person.line.watch(), name=f"line {person.call_id}"),
                    group.create_task(self._serve(person), name=f"session {person.call_id}"),
                    group.create_task(self._welcome(person), name=f"welcome {person.call_id}"),
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
        if not person.over.done():
            person.over.set_result(reason)
        if self._gathering is not None:
            self._gathering.dismiss(person, reason)
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
        if self._gathering is not None:
            await person.listener.run(person.said())
        else:
            await person.listener.run(self._session.microphone.chunks() if self._plays_itself else person.line.chunks())

    async def _welcome(self, person: Participant) -> None:
        """Have everybody know that somebody has come, and speak first, if there is something to say. Who is not on the
        line yet is nobody: an offer alone costs its sender nothing."""
        await person.line.connected.wait()
        self._conversation.company.join(person.id, person.name)
        if self._gathering is not None:
            self._gathering.announce(person)
        if self._settings.agent.greeting and not self._session.listens_only and not self._greeted:
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
            if self._gathering is not None:
                self._gathering.record()
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
                goodbye = self._settings.agent.goodbye
                await say_goodbye(goodbye, self._models.voice, self._conversation.playout, self._outlets.play)
        except* Exception:  # this room's end, and no other's
            reason = "failed"
            log.exception("room failed room=%s calls=%s", self.name, " ".join(p.call_id for p in self.people))
        finally:
            self.over.set_result(reason)
            if self._gathering is not None:
                await self._gathering.close()
            self._metrics.underruns.inc(self._conversation.playout.underruns)

    def leave(self, reason: str) -> None:
        """End the room from our side; with a word, if there is a reason."""
        if not self._leaving.done():
            self._leaving.set_result(reason)

    async def _until_over(self) -> str:
        """Why the room is over."""
        loop = asyncio.get_running_loop()
        active = loop.time()
        while not self._leaving.done():
            if self._gathering is not None:
                self._gathering.look(idle=self._machine.phase is Phase.IDLE)
            if self._machine.phase is not Phase.IDLE:
                active = loop.time()
            idle_s = self._settings.limits.idle_s
            if idle_s and loop.time() - active > idle_s:
                self.leave("idle")
            await asyncio.wait({self._leaving}, timeout=WATCH_S)
        return self._leaving.result()
