"""Answers outside of the conversation: `response.create` with ``conversation: "none"``.

They run beside whatever is said, leave nothing in the history, and have no items but their own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.audio import I16
from agent.engines.protocols import Call, CallDelta, Ending, LanguageModel, Message
from agent.errors import EngineError
from agent.history import new_id
from agent.metrics import Timeline
from agent.observer import Made
from agent.realtime import events as ev
from agent.realtime import wire
from agent.realtime.answer import Answer, Terms
from agent.realtime.config import TEXT_LIMIT
from agent.realtime.items import Items
from agent.realtime.requests import RequestError
from agent.speaking.clauses import Clause
from agent.speaking.client_playout import ClientPlayout
from agent.speaking.pipeline import say, think

if TYPE_CHECKING:
    from agent.conversation import Conversation

log = logging.getLogger(__name__)

AT_ONCE = 4
"""of one session; each wants the language model"""
MOST_INPUT = 200
"""items that one may be given"""


class Given(BaseModel):
    """The parts of such a `response.create` that we act on."""

    model_config = ConfigDict(extra="ignore")

    class Item(BaseModel):
        """A message, or a reference to an item of the conversation."""

        class Part(BaseModel):
            """A part of a message."""

            text: str | None = None
            transcript: str | None = None

        type: str = "message"
        id: str = ""
        role: str = "user"
        content: list[Part] = []

    instructions: str | None = None
    output_modalities: list[str] | None = None
    metadata: dict[str, str] | None = None
    input: list[Item] | None = None


@dataclass(frozen=True, slots=True)
class Aside:
    """One that is wanted."""

    prompt: Sequence[Message]
    spoken: bool
    metadata: dict[str, str] | None


class Asides:
    """Those of one session.

    :param emit: sends one event to the clients.
    :param conversation: whose history and voice they use.
    :param group: their tasks run here.
    :param stuck_s: without progress for so long one is given up.
    """

    def __init__(
        self,
        emit: Callable[[ev.ServerEvent], None],
        llm: LanguageModel,
        conversation: Conversation,
        group: asyncio.TaskGroup,
        stuck_s: float,
    ) -> None:
        self._emit = emit
        self._llm = llm
        self._conversation = conversation
        self._group = group
        self._stuck_s = stuck_s
        self._running: dict[str, tuple[Answer, asyncio.Task[None]]] = {}

    def asked(self, body: dict[str, Any], *, usually_spoken: bool, items: Items) -> Aside:
        """What a client asks for.

        :param items: what it may refer to.
        :raises RequestError: if that can not be done.
        """
        if len(self._running) >= AT_ONCE:
            message = f"{AT_ONCE} responses outside of the conversation are in progress already; wait for one."
            raise RequestError("conversation_already_has_active_response", message)
        try:
            given = Given.model_validate(body)
        except ValidationError as error:
            where = ".".join(("response", *(str(part) for part in error.errors()[0]["loc"])))
            raise RequestError("invalid_type", f"{where}: {error.errors()[0]['msg']}", where) from error
        if given.output_modalities not in (None, ["audio"], ["text"]):
            where = "response.output_modalities"
            raise RequestError("invalid_value", f"{where} must be ['audio'] or ['text'].", where)
        history = self._conversation.history
        if given.input is None:
            prompt = history.prompt(instructions=given.instructions)
        else:
            instructions = history.instructions if given.instructions is None else given.instructions
            prompt = [Message("system", instructions)] if instructions else []
            prompt += self._messages(given.input, items)
        spoken = usually_spoken if given.output_modalities is None else given.output_modalities == ["audio"]
        return Aside(prompt, spoken, given.metadata)

    def begin(self, aside: Aside, terms: Terms) -> None:
        """Begin to answer."""
        answer = Answer(self._emit, Items(lambda _: None), new_id("item"), terms)
        answer.open()
        task = self._group.create_task(self._run(answer, aside), name=f"aside {answer.id}")
        self._running[answer.id] = answer, task

    def cancel(self, response_id: str) -> bool:
        """Stop the one of this id; false if there is none."""
        answer, task = self._running.pop(response_id, (None, None))
        if answer is None or task is None:
            return False
        task.cancel()
        answer.finish("cancelled", wire.StatusDetails(type="cancelled", reason="client_cancelled"))
        return True

    async def _run(self, answer: Answer, aside: Aside) -> None:
        """The task of one and its supervisor: what fails is told, and ends nothing else."""
        try:
            answer.finish("completed", None, await self._made(answer, aside))
        except TimeoutError:
            self._fail(answer, f"no progress for {self._stuck_s:g} s")
        except EngineError as error:
            self._fail(answer, str(error))
        except Exception as error:
            log.exception("an answer outside of the conversation failed response=%s", answer.id)
            self._fail(answer, type(error).__name__)
        finally:
            self._running.pop(answer.id, None)

    async def _made(self, answer: Answer, aside: Aside) -> Made:
        """What it came to, when all of it was told.

        :raises TimeoutError: if an engine hangs.
        :raises EngineError: if one failed.
        """
        loop, voice = asyncio.get_running_loop(), self._conversation.voice
        timeline, ending = Timeline(), Ending()
        async with asyncio.timeout(self._stuck_s) as waiting:

            def tell(piece: str | CallDelta | Call | Ending) -> None:
                nonlocal ending
                waiting.reschedule(loop.time() + self._stuck_s)
                if isinstance(piece, str):
                    answer.tell(piece)
                elif isinstance(piece, Ending):
                    ending = piece

            def send(pcm: I16) -> None:
                waiting.reschedule(loop.time() + self._stuck_s)
                answer.voice(pcm)

            parts = think(self._llm, aside.prompt, timeline, voice.language if aside.spoken else None)
            writer = ClientPlayout(send).open(lambda: None)
            if aside.spoken:
                await say(parts, voice, writer, timeline, tell)
            else:
                async with aclosing(parts):
                    async for part in parts:
                        tell(part.text if isinstance(part, Clause) else part)
        return Made(ending, writer.written)

    @staticmethod
    def _fail(answer: Answer, message: str) -> None:
        log.error("an answer outside of the conversation failed response=%s %s", answer.id, message)
        failure = wire.ResponseError(type="server_error", code="engine_error", message=message)
        answer.finish("failed", wire.StatusDetails(type="failed", error=failure))

    def _messages(self, given: list[Given.Item], items: Items) -> list[Message]:
        """What stands in the place of the conversation.

        :raises RequestError: naming the item that can not be used.
        """
        messages = [self._message(item, f"response.input.{n}", items) for n, item in enumerate(given)]
        if len(messages) > MOST_INPUT or sum(len(message.text) for message in messages) > TEXT_LIMIT:
            message = f"response.input may have {MOST_INPUT} items and {TEXT_LIMIT} characters."
            raise RequestError("invalid_value", message, "response.input")
        return [message for message in messages if message.text]

    def _message(self, item: Given.Item, where: str, items: Items) -> Message:
        role: Any = item.role
        if item.type == "item_reference":
            entry = self._conversation.history.find(item.id)
            known = items.find(item.id)
            if entry is not None:
                return Message(entry.role, entry.text)
            if known is None:
                raise RequestError("invalid_value", f"{where}: there is no item {item.id[:60]!r}.", f"{where}.id")
            return Message("user", "")  # it was silence, or is too long ago for the model's memory
        if item.type != "message" or item.role not in ("user", "assistant", "system"):
            message = f"{where} must be a message of user, assistant or system, or an item_reference."
            raise RequestError("invalid_value", message, where)
        return Message(role, " ".join(part.text or part.transcript or "" for part in item.content).strip())
