"""One conversation's session with its clients: what they ask for, and the one place that sends them events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from agent.asked import Asked
from agent.events import Commit, Discard, Interrupt, Interruption
from agent.history import History, new_id
from agent.realtime import events as ev
from agent.realtime import wire
from agent.realtime.answer import Terms
from agent.realtime.asides import Asides
from agent.realtime.audience import Audience, Client
from agent.realtime.config import SESSION_S, Config
from agent.realtime.creating import created
from agent.realtime.microphone import EventMicrophone, Mark
from agent.realtime.narrator import Hearing, Narrator
from agent.realtime.rate import Allowance, Rate
from agent.realtime.requests import RequestError, parsed, required
from agent.realtime.wanted import Wanted, wanted
from agent.settings import Settings

if TYPE_CHECKING:
    from agent.conversation import Conversation
    from agent.engines.protocols import LanguageModel
    from agent.listening.listener import Listener
    from agent.speaking.voice import Voice

log = logging.getLogger(__name__)

LEAST_COMMIT_S = 0.1
"""of sound that can be committed; the API's own limit"""
APPEND, APPEND_WITHIN = "input_audio_buffer.append", 256
"""the event that is sound, and the characters among which its name is sought before it is read"""
MOST_APPEND_CHARS = 20 << 20
"""of base64 in one event: 15 MiB of sound, the API's own limit"""
SETTLE_S = 15.0
"""within which the words of a committed turn are known, or its sound is not waited for any longer"""


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a session needs once the conversation runs."""

    conversation: Conversation
    voice: Voice


LISTENING = frozenset(
    {
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "conversation.item.retrieve",
        "conversation.item.delete",
    }
)
"""what a client can ask of a session that only listens"""


class Session:
    """Speaks the OpenAI Realtime API.

    :param knows: whether the recogniser can be told to expect a language.
    :param plays_itself: the client gets the voice in events, and sends its own in them.
    :param given: settings that came with the call; of ``type`` transcription for a session that only listens.
    :param longest_s: how long the session may take, s.
    :raises RequestError: if something in what was given is wrong.
    """

    def __init__(
        self,
        history: History,
        settings: Settings,
        knows: Callable[[str], bool],
        *,
        given: Mapping[str, Any],
        plays_itself: bool = False,
        longest_s: float = SESSION_S,
    ) -> None:
        self._history = history
        self._plays_itself = plays_itself
        self._config = Config(settings, knows, transcription=given.get("type") == "transcription", longest_s=longest_s)
        self._turns = settings.turn
        self._interruption = Interruption(settings.turn.interruption)
        self.audience = Audience()
        """who hears of it"""
        self.verbs: Mapping[str, Callable[[Client, dict[str, Any]], None]] = {}
        """what else a client can ask for"""
        self.may_ask: Callable[[Client], bool] = lambda _: True
        """whether a client may ask for anything"""
        self.greeted: Callable[[Client], None] = lambda _: None
        """called when a client has been told of the session"""
        self._ears: dict[Client, Listener] = {}  # of the clients that are on a line themselves
        self._asking: Client | None = None  # whose event is being taken
        self._running = asyncio.Event()
        self._asides: Asides | None = None
        self._conversation_id = new_id("conv")
        self._limits = settings.limits
        self._wanted: Wanted | None = None  # what the client asked for, until it is begun
        self.microphone = EventMicrophone()
        """the sound of a client that sends it in events"""
        self.narrator = Narrator(self.audience.emit, self._terms, self._hearing, self._position_s)
        self._turn: _Turn | None = None
        self._answers: dict[str, Callable[[dict[str, Any]], None]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear_input,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.truncate": self._truncate_item,
            "conversation.item.delete": self._delete_item,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
            "output_audio_buffer.clear": self._clear_output,
        }
        if self._config.transcription:
            self._answers = {kind: answer for kind, answer in self._answers.items() if kind in LISTENING}
        if given:
            self._configure(given)

    @property
    def config(self) -> dict[str, Any]:
        """The session object."""
        return self._config.told

    @property
    def listens_only(self) -> bool:
        """Nothing is ever said in this session."""
        return self._config.transcription

    async def run(self, conversation: Conversation, llm: LanguageModel) -> None:
        """Serve the conversation's clients, until cancelled."""
        self._turn = _Turn(conversation, conversation.voice)
        self._apply()
        async with asyncio.TaskGroup() as group:
            self._asides = Asides(self.audience.emit, llm, conversation, group, self._limits.stuck_s)
            self._running.set()
            await asyncio.Event().wait()

    def join(self, client: Client, ear: Listener) -> None:
        """This client is a person on a line, and heard by this ear."""
        self._ears[client] = ear
        self._apply()

    def leave(self, client: Client) -> None:
        """The person is gone."""
        self._ears.pop(client, None)

    async def serve(self, client: Client, *, extensions: bool) -> None:
        """Greet a client, then do what it asks, one event after the other, until it is gone.

        :param extensions: it asked for `antiphon.*` events; one that did not never sees them.
        """
        await self._running.wait()
        self.audience.join(client, extensions=extensions)
        try:
            self.audience.tell(client, ev.SessionCreated(session=self.config))
            self.greeted(client)
            await self._obey(client)
        finally:
            self.audience.leave(client)
            if client in self._ears:
                self.microphone.end()

    def greet_again(self, client: Client) -> None:
        """Tell a client that has come back over another connection where the conversation stands."""
        with self.audience.alone(client):
            self.audience.emit(ev.SessionCreated(session=self.config))
            self.narrator.recall()
        self.greeted(client)

    def expire(self, client: Client) -> None:
        """Tell a client that the session has taken as long as it may."""
        message = "Your session has reached its maximum duration; `expires_at` said when."
        error = wire.ErrorBody(type="invalid_request_error", code="session_expired", message=message)
        self.audience.tell(client, ev.Error(error=error))

    def _hearing(self) -> Hearing:
        """How the user's turns are told."""
        return Hearing(self._config.detection is None, self._config.transcribed, self._config.transcription)

    def _position_s(self) -> float:
        """How much of the microphone was heard so far, media s."""
        return max((ear.heard_s for ear in self._ears.values()), default=0.0)

    def _take(self, text: str, client: Client, admits: Callable[[], bool] = lambda: True) -> None:
        """Do what a client asks; an error is told to none but the one who made it.

        :param admits: whether it may be done if it is not sound, after all.
        """
        event: Any = None
        try:
            event = parsed(text)
            if event["type"] != APPEND and not admits():
                return
            self._asking = client
            if not self.may_ask(client):
                raise RequestError("listen_only", "You are here to listen: this call's token has the role 'listen'.")
            answer = self._answers.get(event["type"])
            verb = self.verbs.get(event["type"])
            if verb is not None:
                verb(client, event)
                return
            if answer is None:
                supported = ", ".join(f"'{name}'" for name in (*self._answers, *self.verbs))
                message = f"Invalid value: '{event['type'][:60]}'. Supported values are: {supported}."
                raise RequestError("invalid_value", message, "type")
            answer(event)
        except RequestError as error:
            theirs = event.get("event_id") if isinstance(event, dict) else None
            body = wire.ErrorBody(
                type="invalid_request_error",
                code=error.code,
                message=str(error),
                param=error.param,
                event_id=theirs if isinstance(theirs, str) else None,
            )
            self.audience.tell(client, ev.Error(error=body))

    async def _obey(self, client: Client) -> None:
        """Do what a client asks, event by event, until it is gone; but for what comes too fast."""
        loop, told = asyncio.get_running_loop(), Rate(1.0, 1.0)
        allowance = Allowance(self._limits.events_per_s, self._limits.event_bytes_per_s)

        def admitted(admits: Callable[[float, int], bool], size: int) -> bool:
            if admits(loop.time(), size):
                return True
            if told.admits(loop.time()):
                self._refuse_flood(client, allowance.most)
            return False

        async for text in client.messages():
            size = _size(text)
            if not (self._plays_itself and APPEND in text[:APPEND_WITHIN]):
                if admitted(allowance.event, size):
                    self._take(text, client)
            elif admitted(allowance.sound, size):
                self._take(text, client, partial(admitted, allowance.event, size))
            await asyncio.sleep(0)  # a flood of them is not worth a late tick

    def _refuse_flood(self, client: Client, most: str) -> None:
        """Say that events are dropped; OpenAI calls this kind of error by what there were too many of."""
        message = f"More than {most} a second: what is over it is dropped. Send less."
        self.audience.tell(
            client, ev.Error(error=wire.ErrorBody(type="requests", code="rate_limit_exceeded", message=message))
        )

    @property
    def _conversation(self) -> Conversation:
        assert self._turn is not None, "run() is not running"
        return self._turn.conversation

    # -- settings --------------------------------------------------------------------------------------------

    def _update(self, event: Mapping[str, Any]) -> None:
        """Merge the client's settings into the session's."""
        changes = event.get("session")
        if not isinstance(changes, dict):
            raise RequestError("missing_required_parameter", "Missing required parameter: 'session'.", "session")
        self._configure(changes)
        self.audience.emit(ev.SessionUpdated(session=self.config))

    def _configure(self, changes: Mapping[str, Any]) -> None:
        self._config.merge(changes)
        self._history.instructions = self._config.all["instructions"]
        self._apply()

    def _apply(self) -> None:
        """Let microphone, listener and machine follow the session."""
        self.microphone.expect(self._config.all["audio"]["input"]["format"]["type"])
        if self._turn is None:
            return
        silences = self._config.silences
        for ear in self._ears.values():
            ear.expect(self._config.language)
            ear.be_patient(silences.sure_ms, silences.endpointing_ms, silences.limit_ms)
        self._conversation.usual = Asked(spoken=self._config.spoken, scope=self._config.scope)
        self._conversation.voice = self._turn.voice.like(self._config.engine_voice, self._config.speed)
        self._conversation.reads_along = not self._config.transcription
        detection, answers = self._config.detection, self._config.answers
        machine = self._conversation.machine
        machine.patience = replace(
            machine.patience,
            manual=detection is None,
            answers=answers,
            drafts=self._config.spoken and self._turns.drafts,
            most_turn_s=self._turns.most_turn_s if answers else 0.0,
            reprompt_s=0.0 if self._config.transcription else self._turns.reprompt_s,
            timeout_s=self._config.timeout_s,
        )
        if detection is not None:
            machine.interruption = self._interruption if detection["interrupt_response"] else Interruption.AFTER

    def _terms(self, spoken: bool) -> Terms:
        """What an answer that begins now is given under."""
        answer, self._wanted = self._wanted, None
        if answer is None:
            return self._terms_of(spoken, None)
        return self._terms_of(spoken, answer.metadata, answer.most_tokens)

    def _terms_of(
        self, spoken: bool, metadata: dict[str, str] | None, most: int | Literal["inf"] | None = None
    ) -> Terms:
        return Terms(
            conversation_id=self._conversation_id,
            voice=self._config.voice,
            format=self._config.all["audio"]["output"]["format"]["type"],
            spoken=spoken,
            plays_itself=self._plays_itself,
            metadata=metadata,
            most_tokens=self._config.all["max_output_tokens"] if most is None else most,
        )

    # -- sound -----------------------------------------------------------------------------------------------

    def _append(self, event: dict[str, Any]) -> None:
        """More of the microphone. Where that is a track, events are not it."""
        if self._plays_itself:
            audio = required(event, "audio")
            if len(audio) > MOST_APPEND_CHARS:
                message = f"Invalid 'audio': at most {MOST_APPEND_CHARS} characters of base64 in one event; send more."
                raise RequestError("string_above_max_length", message, "audio")
            try:
                self.microphone.append(audio)
            except ValueError as error:
                raise RequestError("invalid_value", f"Invalid 'audio': {error}.", "audio") from error

    def _commit(self, _: dict[str, Any]) -> None:
        """The turn is over: a button was let go, or the client has its own ears."""
        own = self._ears.get(self._asking) if self._asking is not None else None
        ears = list(self._ears.values()) if own is None else [own]
        if not self._plays_itself:
            self._end_turn(ears)
        elif self.microphone.since_mark_s < LEAST_COMMIT_S:
            raise RequestError(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{LEAST_COMMIT_S * 1000:.0f}ms of audio, but buffer only has "
                f"{self.microphone.since_mark_s * 1000:.2f}ms of audio.",
            )
        else:
            self._follow(lambda: self._settled(ears), self.microphone.mark)

    def _end_turn(self, ears: Sequence[Listener]) -> None:
        for ear in ears:
            ear.finish()
        self._conversation.post(Commit(ears[0].speaker if len(ears) == 1 else ""))

    def _follow(self, done: Mark, when: Callable[[Mark], None]) -> None:
        """Do this when the sound before it was heard."""
        try:
            when(done)
        except ValueError as error:
            raise RequestError("invalid_value", f"Wait for an answer first: {error}.") from error

    async def _settled(self, ears: Sequence[Listener]) -> None:
        """End the turn; returns when its words are known and it is an item: what follows is no part of it."""
        self.narrator.turn_over.clear()
        self._end_turn(ears)
        try:
            async with asyncio.timeout(SETTLE_S):
                await self.narrator.turn_over.wait()
        except TimeoutError:
            log.warning("a committed turn was not over after %g s", SETTLE_S)

    def _clear_input(self, _: dict[str, Any]) -> None:
        """What was said since the last turn was never said."""
        self.microphone.clear()
        self._conversation.post(Discard())
        self.narrator.turn_over.set()
        self.audience.emit(ev.InputCleared())

    # -- items -----------------------------------------------------------------------------------------------

    def _create_item(self, event: dict[str, Any]) -> None:
        """A typed message, a function's result, or a call of before."""
        made = created(event, self.narrator.items)
        self.narrator.items.add(made.item, made.after)
        if made.after is None:
            self._history.add(made.entry)
            return
        # Behind the nearest that the model remembers: it does not know an answer that is still being heard.
        before = self.narrator.items.all_before(made.item.id)
        self._history.add(made.entry, next((each for each in before if self._history.find(each)), ""))

    def _retrieve_item(self, event: dict[str, Any]) -> None:
        item = self.narrator.items.find(required(event, "item_id"))
        if item is None:
            raise RequestError("item_retrieve_invalid_item_id", "There is no such item.", "item_id")
        self.audience.emit(ev.ItemRetrieved(item=item))

    def _delete_item(self, event: dict[str, Any]) -> None:
        item_id = required(event, "item_id")
        if self.narrator.items.find(item_id) is None:
            raise RequestError("item_delete_invalid_item_id", "There is no such item.", "item_id")
        self._history.delete(item_id)
        self.narrator.items.delete(item_id)

    def _truncate_item(self, event: dict[str, Any]) -> None:
        """The client has stopped an answer after so much of it; more than there is of it is all of it."""
        item_id, played_ms = required(event, "item_id"), event.get("audio_end_ms")
        if not isinstance(played_ms, int) or isinstance(played_ms, bool) or played_ms < 0:
            raise RequestError("integer_below_min_value", "audio_end_ms must be 0 or more.", "audio_end_ms")
        heard = self._conversation.truncate(item_id, played_ms)
        if heard is None:
            raise RequestError("item_truncate_invalid_item_id", "There is no such answer.", "item_id")
        self.narrator.truncate(item_id, heard)
        self.audience.emit(ev.ItemTruncated(item_id=item_id, audio_end_ms=played_ms))

    # -- answers ---------------------------------------------------------------------------------------------

    def _create_response(self, event: dict[str, Any]) -> None:
        body = event.get("response")
        if isinstance(body, dict) and body.get("conversation") == "none":
            self._answer_aside(body)
            return
        if self.narrator.generating:
            raise RequestError(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self.narrator.generating} . "
                "Wait until the response is finished before creating a new one.",
            )
        answer = wanted(event, self._config)

        def respond() -> None:
            self._wanted = answer
            self._conversation.respond(None if answer.asked == self._conversation.usual else answer.asked)

        async def respond_then() -> None:
            respond()

        if self.microphone.marked:  # the turn that is to be answered is not over yet
            self._follow(respond_then, self.microphone.follow)
        else:
            respond()

    def _answer_aside(self, body: dict[str, Any]) -> None:
        """Answer outside of the conversation."""
        assert self._asides is not None
        aside = self._asides.asked(body, usually_spoken=self._config.spoken, items=self.narrator.items)
        if aside.spoken and not self._plays_itself:
            where = "response.output_modalities"
            message = f"{where}: over WebRTC an answer outside of the conversation is written; ask for ['text']."
            raise RequestError("invalid_value", message, where)
        terms = replace(self._terms_of(aside.spoken, aside.metadata), conversation_id=None)
        self._asides.begin(aside, terms)

    def _cancel_response(self, event: dict[str, Any]) -> None:
        which = event.get("response_id")
        if isinstance(which, str) and self._asides is not None and self._asides.cancel(which):
            return
        if not self._conversation.replying or (isinstance(which, str) and which != self.narrator.answering):
            raise RequestError("response_cancel_not_active", "Cancellation failed: no active response found")
        self._conversation.post(Interrupt())

    def _clear_output(self, _: dict[str, Any]) -> None:
        if self._conversation.replying and not self._plays_itself:
            self._conversation.post(Interrupt())


def _size(text: str) -> int:
    """Bytes of a message."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
