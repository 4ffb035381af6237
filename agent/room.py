"""A room: the people on the line, the agent among them, and the 20 ms tick that carries its voice.

A call is a room of one.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.audio import TICK_S, TICK_SAMPLES, WIRE_RATE, AudioChunk, Resampler
from agent.conversation import Conversation, Line
from agent.engines.protocols import LanguageModel
from agent.errors import EngineError, SignalingError
from agent.events import Greet, Interruption, Phrase
from agent.history import EMBEDDED_CHARS, SERVER_CHARS, History
from agent.ledger import Patience
from agent.listening.endpointing import Endpointing
from agent.listening.listener import Ears, Hearing, Listener
from agent.machine import Machine, Phase
from agent.metrics import Metrics
from agent.realtime.config import SESSION_S
from agent.realtime.session import Session
from agent.reply import Manners
from agent.settings import Settings
from agent.speaking.client_playout import ClientPlayout
from agent.speaking.playout import Playout
from agent.speaking.spoken import spoken
from agent.speaking.voice import Voice
from agent.tools.toolbox import Toolbox
from agent.transports.base import Connection
from agent.transports.socket import SocketLine

log = logging.getLogger(__name__)

WATCH_S = 0.5
"""How often the line is looked at."""
CHANNEL_S = 1.0
"""How long the greeting waits for the client to be ready for its events."""
REST_TICKS = 20
"""How long the tick sleeps at most while all is silent: a client hears of us every 400 ms."""
GOODBYE_TAIL = WIRE_RATE // 2
"""samples of silence after a goodbye, while its last words are under way"""
MOST_ATTACHED = 8
"""further clients of one call"""
WATCH_TICKS = 5
"""Captions follow the voice, and the watchdog looks, every 100 ms."""


@dataclass(frozen=True, slots=True)
class Models:
    """Everything that is loaded once per process and shared by all rooms."""

    hearing: Hearing
    llm: LanguageModel
    reader: LanguageModel | None
    """judges whether what was said is a complete message; often the language model itself"""
    voice: Voice


class Room:
    """One person and one agent on one line."""

    def __init__(
        self,
        call_id: str,
        line: Connection,
        models: Models,
        settings: Settings,
        metrics: Metrics,
        *,
        extensions: bool,
        session: Mapping[str, Any],
        most_s: float = 0.0,
        tools: Toolbox | None = None,
    ) -> None:
        self.call_id = call_id
        limits = settings.limits
        self._longest_s = min(most for most in (most_s, limits.longest_s, SESSION_S) if most)
        self._voice = models.voice
        self._leaving = ""
        self._llm = models.llm
        self._attached = 0
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._line = line
        self._settings = settings
        self._metrics = metrics
        default_chars = SERVER_CHARS if settings.llm.url else EMBEDDED_CHARS
        history = History(settings.agent.instructions, settings.llm.history_chars or default_chars)
        self._session = Session(
            line,
            history,
            settings,
            models.hearing.asr.knows,
            extensions=extensions,
            given=session,
            longest_s=self._longest_s,
        )
        turn = settings.turn
        machine = self._machine = Machine(
            patience(settings),
            interruption=Interruption(turn.interruption),
            greeting=Interruption(settings.agent.greeting_interruption),
        )
        self._conversation = Conversation(
            llm=models.llm,
            reader=models.reader,
            voice=models.voice,
            history=history,
            machine=machine,
            playout=ClientPlayout(self._session.narrator.voice) if line.plays_itself else Playout(),
            manners=Manners(phrases(settings), settings.limits.stuck_s, settings.tools.filler_ms / 1000),
            tools=tools,
            line=Line(
                flush=line.flush,
                sealed=lambda: self._listener.seal(),
                undecided=lambda: self._listener.undecided,
                completed=lambda probability: self._listener.completed(probability),
                delay_s=lambda: line.delay_s,
            ),
            observer=self._session.narrator,
            metrics=metrics,
        )
        self._listener = Listener(
            "caller",
            models.hearing,
            Ears(turn.pause_ms, settings.asr.language or None, turn.partials),
            Endpointing(sure_ms=turn.sure_ms, endpointing_ms=turn.endpointing_ms, limit_ms=turn.limit_ms),
            self._conversation.post,
            overlapped=lambda: machine.phase in (Phase.SPEAKING, Phase.YIELDING),
        )

    async def run(self) -> str:
        """Talk until the line is gone; free everything it held; return why it ended."""
        reason = "server stopping"
        self._metrics.calls.inc()
        try:
            async with asyncio.TaskGroup() as group:
                parts = [
                    group.create_task(self._tick(), name=f"tick {self.call_id}"),
                    group.create_task(self._conversation.run(), name=f"conversation {self.call_id}"),
                    group.create_task(self._listener.run(self._sound()), name=f"ear {self.call_id}"),
                    group.create_task(
                        self._session.run(self._conversation, self._listener, self._llm),
                        name=f"session {self.call_id}",
                    ),
                    group.create_task(self._greet(), name=f"greeting {self.call_id}"),
                    group.create_task(self._line.watch(), name=f"line {self.call_id}"),
                ]
                reason = await self._until_gone()
                for part in parts:
                    part.cancel()
            if self._leaving and not self._line.plays_itself and not self._session.listens_only:
                await self._say_goodbye()
        except* Exception:  # this room's end, and no other's
            reason = "failed"
            log.exception("call failed call=%s", self.call_id)
        finally:
            if not self._over.done():
                self._over.set_result(reason)
            await self._line.close(reason)
            self._metrics.calls.dec()
            self._metrics.calls_total.labels(reason).inc()
            self._metrics.dropped.inc(self._line.lost_packets)
            self._metrics.underruns.inc(self._conversation.playout.underruns)
            log.info("call ended call=%s reason=%s", self.call_id, reason)
        return reason

    def hang_up(self, reason: str) -> None:
        """End the call from our side."""
        self._line.hang_up(reason)

    async def attach(self, line: SocketLine, *, extensions: bool) -> None:
        """Serve a further client of this call; returns when it is gone, or the call is over.

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
                    group.create_task(line.watch(), name=f"further client's line {self.call_id}"),
                    group.create_task(
                        self._session.attend(line, extensions=extensions), name=f"further client {self.call_id}"
                    ),
                ]
                gone = group.create_task(line.closed(), name=f"until it is gone {self.call_id}")
                await asyncio.wait({gone, self._over}, return_when=asyncio.FIRST_COMPLETED)
                reason = self._over.result() if self._over.done() else gone.result()
                for part in (*parts, gone):
                    part.cancel()
        except* Exception:  # this client's end, and not the call's
            log.exception("a further client failed call=%s", self.call_id)
        finally:
            self._attached -= 1
            await line.close(reason)

    async def greet_again(self) -> None:
        """The client has come back over another connection: tell it what it may have forgotten."""
        log.info("call goes on call=%s", self.call_id)
        with suppress(TimeoutError):  # a client without a channel goes on, too
            async with asyncio.timeout(self._settings.limits.connect_s):
                await self._line.channel_open()
            self._session.greet()

    def _sound(self) -> AsyncIterator[AudioChunk]:
        """What the listener hears."""
        return self._session.microphone.chunks() if self._line.plays_itself else self._line.chunks()

    def leave(self, reason: str) -> None:
        """End the call from our side, with a word."""
        self._leaving = reason

    async def _say_goodbye(self) -> None:
        """Say it past the conversation, which is over; what it was saying fades."""
        loop = asyncio.get_running_loop()
        playout, resampler = self._conversation.playout, Resampler(self._voice.rate, WIRE_RATE)
        playout.cut(0)
        parts = [playout.read(), playout.read()]
        text = spoken(self._settings.agent.goodbye, self._voice.language)
        with suppress(EngineError):
            parts += [resampler(pcm) async for pcm in self._voice.speak(text)]
        parts += [resampler.flush(), np.zeros(GOODBYE_TAIL, np.int16)]
        pcm = np.concatenate(parts)
        due = loop.time()
        for begins in range(0, len(pcm) - TICK_SAMPLES + 1, TICK_SAMPLES):
            self._line.play(pcm[begins : begins + TICK_SAMPLES])
            due += TICK_S
            await asyncio.sleep(due - loop.time())

    async def _until_gone(self) -> str:
        """Why the line is gone: a call that never connects and a peer that falls silent are gone too."""
        loop = asyncio.get_running_loop()
        limits = self._settings.limits
        began = active = loop.time()
        gone = asyncio.ensure_future(self._line.closed())
        try:
            connect_by = loop.time() + limits.connect_s
            while not gone.done():
                last = self._line.last_heard or connect_by
                if not self._line.connected.is_set() and loop.time() >= connect_by:
                    return "never connected"
                if self._line.lost_s:
                    if self._line.lost_s > limits.reconnect_s:
                        return self._line.lost_for
                elif loop.time() - last > limits.peer_gone_s:
                    await self._line.lose("peer gone")
                    continue
                if self._machine.phase is not Phase.IDLE:
                    active = loop.time()
                if loop.time() - began > self._longest_s:
                    self._session.expire()
                    self.leave("longest call")
                if limits.idle_s and loop.time() - active > limits.idle_s:
                    self.leave("idle")
                if self._leaving:
                    return self._leaving
                await asyncio.wait({gone}, timeout=WATCH_S)
            return gone.result()
        finally:
            gone.cancel()

    async def _greet(self) -> None:
        """Speak first, as soon as the line is open, if there is something to say."""
        if self._settings.agent.greeting and not self._session.listens_only:
            await self._line.connected.wait()
            with suppress(TimeoutError):  # a client without a channel is greeted, too
                async with asyncio.timeout(CHANNEL_S):
                    await self._line.channel_open()
            self._conversation.post(Greet())

    async def _tick(self) -> None:
        """Every 20 ms, by absolute deadlines: play what there is to play.

        The first speech of a reply does not wait for its tick: the tick comes to it, and what the stream is ahead by
        then is given back in the next silence, a tick at a time. In a long silence there is no tick at all.
        """
        loop = asyncio.get_running_loop()
        playout = self._conversation.playout
        due = loop.time()
        ahead_s = 0.0
        count = 0
        while True:
            if self._line.lost_s:  # nothing is said to nobody: it goes on where it was when somebody is there again
                await self._line.up()
                due, ahead_s = loop.time(), 0.0
            frame = playout.read()
            self._line.play(frame)
            count += 1
            if count % WATCH_TICKS == 0:
                self._conversation.watch()
            due += TICK_S
            if playout.silent and self._line.resting:
                ahead_s, due = await self._rest(playout, ahead_s, due)
                continue
            if ahead_s >= TICK_S and not frame.any():
                ahead_s -= TICK_S
                due += TICK_S
            late = loop.time() - due
            if late > TICK_S:
                self._metrics.overruns.inc()
                due += late - TICK_S  # one frame is caught up on; the rest is time that has passed
            if await self._woken(playout, due):
                ahead_s += due - loop.time()
                due = loop.time()

    async def _rest(self, playout: Playout, ahead_s: float, due: float) -> tuple[float, float]:
        """Sleep until there is speech, or a sign of life to be sent; how far the stream is ahead, and the next tick."""
        early = await self._woken(playout, due + REST_TICKS * TICK_S)
        now = asyncio.get_running_loop().time()
        passed = max(0, math.ceil((now - due) / TICK_S))  # so that the stream is not behind
        back = min(passed, int(ahead_s / TICK_S))
        self._line.rest(passed - back)
        ahead_s += passed * TICK_S - (now - due) - back * TICK_S if early else -back * TICK_S
        self._conversation.watch()
        return ahead_s, now if early else due + passed * TICK_S

    @staticmethod
    async def _woken(playout: Playout, due: float) -> bool:
        """Wait until then; true if a reply's first speech came before."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[bool] = loop.create_future()

        def end(early: bool) -> None:
            if not waiting.done():
                waiting.set_result(early)

        timer = loop.call_at(due, end, False)
        playout.wake = lambda: end(True)
        try:
            return await waiting
        finally:
            timer.cancel()


def patience(settings: Settings) -> Patience:
    """How long the settings let the machine wait."""
    turn = settings.turn
    return Patience(
        endpoint_s=(turn.limit_ms if turn.detector else turn.endpointing_ms) / 1000,
        thinking_s=turn.thinking_ms / 1000,
        yield_s=turn.yield_ms / 1000,
        insist_s=turn.insist_ms / 1000,
        most_turn_s=turn.most_turn_s,
        reprompt_s=turn.reprompt_s,
        drafts=turn.drafts,
        manual=turn.mode == "manual",
    )


def phrases(settings: Settings) -> dict[Phrase, str]:
    """What the settings let the agent say without thinking."""
    agent = settings.agent
    return {
        Phrase.GREETING: agent.greeting,
        Phrase.REPROMPT: agent.reprompt,
        Phrase.APOLOGY: agent.apology,
        Phrase.CUT_IN: agent.cut_in,
        Phrase.FILLER: agent.filler,
    }
