"""The language model that comes along: llama.cpp in a supervised child process."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import Any

from agent.engines import cores
from agent.engines.catalogue import Catalogue
from agent.engines.llm.asking import READING, SAMPLING
from agent.engines.llm.child_process import ChildProcess
from agent.engines.llm.llama_child import ChildSettings
from agent.engines.llm.message_end import message_end
from agent.engines.llm.openai import OpenAIChat
from agent.engines.llm.slots import PromptSlots, beginning
from agent.engines.protocols import ANY, Message, Piece, Scope, Usage
from agent.errors import EngineError, ModelMissing, discreet

log = logging.getLogger(__name__)

SMALL, LARGER = "smollm2", "qwen2.5-0.5b"
"""catalogue ids: what runs anywhere, and what follows a prompt but wants cores"""
LARGER_FROM_CORES = 4
FIRST_BACKOFF_S, LAST_BACKOFF_S = 0.1, 5.0
"""s between the death of a child and the start of the next, doubled each time"""
STEADY_S = 10.0
"""s of service after which the next death is the first again"""
FAILED_STARTS = 3
"""children that die before they serve, one after another, after which `warm` gives up"""
START_S = 60.0
"""s for a child to load its model; 0.3 s from a warm disk cache"""
WARM_S = 20.0
"""s for a child that serves to read a first prompt"""
OBITUARY_S = 0.5
"""s that a broken reply waits to learn whether the child died, for a better message"""
SMALL_STOPS = ("\n\n", "\nA:", "\nQ:")
"""where the small model stops answering and begins to make up a dialogue"""
SMALL_EXAMPLES = (
    Message("user", "Hello, can you hear me?"),
    Message("assistant", "Yes, I can hear you well. How can I help you?"),
    Message("user", "What color is the sky?"),
    Message("assistant", "The sky is blue on a clear day."),
)
"""What the small model is shown after the system prompt. Without them 135 million parameters make of "What
is the capital of France?" the start of a French sentence; with them they say "The capital of France is
Paris.", and briefly. They are part of the cached prefix, so they cost nothing per turn."""
CLOSING_S = 0.02
"""s that a conversation's reply before this one, cancelled but not awaited, is given to leave the slot"""
FIRST_CLAUSE_TOKENS = 6
"""of a reply, before which no prefill starts: it would share the cores"""


class Embedded:
    """llama.cpp's server as a child that is started, watched, restarted, and ended with us.

    One KV cache of ``context_tokens`` serves ``parallel`` conversations at a time. A prompt that only grows
    is not read again: each conversation has its slot (`agent.engines.llm.slots`), and when more conversations
    than slots take turns, the child spills a prompt that gives way to ordinary memory.

    :param model: a catalogue id, the path of a GGUF file, or "auto": the larger one where 4 cores and its
        files are, else the small one.
    :param threads: for one token after another; a prompt is read with up to twice as many
        (`agent.engines.cores`).
    :param context_tokens: of all conversations together; also the longest prompt and reply of one.
    :param parallel: replies generated side by side; further ones wait.
    :param spill_mib: MiB for the prompts of conversations that lost their slot.
    :param max_tokens: the longest reply, in tokens.
    :param temperature: 0 says the likeliest; a small model's second choice is usually wrong.
    :param timeout_s: s without a token after which the child counts as stuck.
    """

    def __init__(
        self,
        *,
        model: str = "auto",
        threads: int = 1,
        context_tokens: int = 4096,
        parallel: int = 4,
        spill_mib: int = 64,
        max_tokens: int = 100,
        temperature: float = 0.0,
        timeout_s: float = 10.0,
    ) -> None:
        self.model, path = find(model)
        self.restarts = 0
        """children that died and were replaced"""
        self._settings = ChildSettings(
            model=str(path),
            api_key=secrets.token_urlsafe(),
            threads=threads,
            batch_threads=cores.prompt_threads(threads),
            context_tokens=context_tokens,
            parallel=parallel,
            spill_mib=spill_mib,
        )
        small = self.model == SMALL
        self._examples: Sequence[Message] = SMALL_EXAMPLES if small else ()
        self._timeout_s = timeout_s
        self._make_chat = partial(
            _chat,
            model=self.model,
            api_key=self._settings.api_key,
            max_tokens=max_tokens,
            temperature=temperature,
            timeout_s=timeout_s,
            warm_s=WARM_S,
            prefill=True,
            extra={**SAMPLING, "stop": SMALL_STOPS} if small else SAMPLING,
        )
        self._changed = asyncio.Condition()
        self._chat: OpenAIChat | None = None
        self._child: ChildProcess | None = None
        self._failed_starts = 0
        self._fault = "its run() is not running"
        self._last_token_at = 0.0
        self._slots = PromptSlots(parallel)
        self._prefills: set[asyncio.Timeout] = set()
        """in flight; a reply ends them"""
        self._hurried: set[object] = set()
        """replies before their first clause"""

    @property
    def usage(self) -> Usage | None:
        """What the reply that ended last took."""
        return self._chat.usage if self._chat is not None else None

    @property
    def pid(self) -> int | None:
        """The child's process id while there is one."""
        return self._child.pid if self._child is not None else None

    async def run(self) -> None:
        """Keep a child serving until cancelled; then end it and wait for its end."""
        loop = asyncio.get_running_loop()
        backoff_s = FIRST_BACKOFF_S
        while True:
            started = loop.time()
            try:
                await self._live()
            except OSError as error:
                self._failed_starts += 1
                self._fault = f"the llama.cpp child can not be started ({error}); free memory or processes"
            if loop.time() - started > STEADY_S:
                backoff_s = FIRST_BACKOFF_S
            log.warning("llm child ended restart_in_s=%g reason=%s", backoff_s, self._fault)
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, LAST_BACKOFF_S)
            self.restarts += 1

    async def warm(self, messages: Sequence[Message]) -> None:
        """Wait for the child and let it read this prefix.

        :raises EngineError: if it can not start; the message has the end of its log.
        """
        for attempt in range(1, FAILED_STARTS + 1):
            chat = await self._serving(START_S)
            try:
                with self._slots.taken(beginning(messages), replying=False) as slot:
                    return await chat.warm(self._primed(messages), extra={"id_slot": slot})
            except EngineError:
                if self._chat is chat or attempt == FAILED_STARTS:  # else: that child died, ask the next
                    raise

    async def prefill(self, messages: Sequence[Message], scope: Scope = ANY) -> None:
        """Read a prompt ahead of its `reply`; gives way to any reply that has not said its first clause."""
        chat = self._chat
        if chat is None or self._hurried or self._slots.replying(messages):
            return
        with self._slots.taken(messages, replying=False) as slot, suppress(TimeoutError):
            if slot < 0:  # all have a reply
                return
            async with asyncio.timeout(None) as patience:
                self._prefills.add(patience)
                try:
                    await chat.prefill(self._primed(messages), extra={**READING, "id_slot": slot})
                finally:
                    self._prefills.discard(patience)

    async def ends(self, messages: Sequence[Message]) -> float | None:
        """The probability that the user's message is complete; reads the prompt ahead of its `reply`, as a prefill, but
        leaves the reply the six tokens behind the message to read again: 30 ms."""
        chat = self._chat
        if chat is None or self._slots.replying(messages):
            return None
        with self._slots.taken(messages, replying=False) as slot:
            if slot < 0:  # all have a reply
                return None
            try:
                return await message_end(chat.ask, self._primed(messages), {"id_slot": slot})
            except (EngineError, KeyError, ValueError) as error:
                log.warning("llm does not tell where messages end error=%s", discreet(error))
                return None

    async def reply(self, messages: Sequence[Message], scope: Scope = ANY) -> AsyncGenerator[Piece, None]:
        """Text as it is generated; closing this stops the generation. Tools are not offered to a model of this size.

        :raises EngineError: at once when the child dies; the next reply waits for its successor.
        """
        this = object()
        self._hurried.add(this)
        try:
            loop = asyncio.get_running_loop()
            while self._prefills:
                self._prefills.pop().reschedule(loop.time())
            async with aclosing(self._generate(messages, scope.most_tokens)) as deltas:
                count = 0
                async for delta in deltas:
                    count += 1
                    if count == FIRST_CLAUSE_TOKENS:
                        self._hurried.discard(this)
                    yield delta
        finally:
            self._hurried.discard(this)

    async def _generate(self, messages: Sequence[Message], most_tokens: int | None) -> AsyncGenerator[Piece, None]:
        """The reply, in the conversation's slot."""
        chat, child = await self._serving(self._timeout_s), self._child
        loop = asyncio.get_running_loop()
        if self._slots.replying(messages):
            await asyncio.sleep(CLOSING_S)
        try:
            with self._slots.taken(messages, replying=True) as slot:
                plain = Scope(most_tokens=most_tokens)
                async with aclosing(chat.reply(self._primed(messages), plain, extra={"id_slot": slot})) as deltas:
                    async for delta in deltas:
                        self._last_token_at = loop.time()
                        yield delta
        except EngineError as error:
            stuck = isinstance(error.__cause__, TimeoutError)
            if stuck and child and child is self._child and loop.time() - self._last_token_at >= self._timeout_s:
                # Nobody's reply moves: the child hangs, and only its successor will answer.
                child.kill()
            with suppress(TimeoutError):
                async with asyncio.timeout(OBITUARY_S):
                    await self._until(lambda: self._child is not child)
            if self._child is child:
                raise
            # Its log, which names paths and other callers' requests, is for the server's log alone.
            raise EngineError("embedded", "reply", "the language model stopped; it is being restarted") from error

    def _primed(self, messages: Sequence[Message]) -> list[Message]:
        """The messages with the examples after the system prompt, without calls and their results."""
        said = [Message(message.role, message.text) for message in messages if message.role != "tool" and message.text]
        start = next((n for n, message in enumerate(said) if message.role != "system"), len(said))
        return [*said[:start], *self._examples, *said[start:]]

    async def _serving(self, timeout_s: float) -> OpenAIChat:
        """The way to the child that serves now, or will within ``timeout_s``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._until(lambda: self._chat is not None or self._failed_starts >= FAILED_STARTS)
        if self._chat is None:
            raise EngineError("embedded", "start", f"no model is serving: {self._fault}")
        return self._chat

    async def _until(self, state: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(state)

    async def _live(self) -> None:
        """The life of one child.

        :raises OSError: if it can not even be started.
        """
        child = self._child = await ChildProcess.spawn()
        chat: OpenAIChat | None = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(child.follow())
                try:
                    if (url := await child.introduce(self._settings, START_S)) is not None:
                        chat, self._slots = self._make_chat(url), PromptSlots(self._settings.parallel)
                        async with self._changed:
                            self._chat, self._failed_starts = chat, 0
                            self._changed.notify_all()
                        await child.wait()
                finally:
                    await child.end()
        finally:
            async with self._changed:
                self._chat = self._child = None
                self._failed_starts += chat is None
                self._fault = f"the llama.cpp child for {self._settings.model} {child.obituary()}"
                self._changed.notify_all()
            if chat is not None:
                await chat.close()


def _chat(url: str, **settings: Any) -> OpenAIChat:
    return OpenAIChat(url=url, **settings)


def find(model: str) -> tuple[str, Path]:
    """The catalogue id (or file name) and the path of a model.

    :raises ModelMissing: if it is not on this machine.
    """
    if model.endswith(".gguf"):
        path = Path(model).expanduser()
        if not path.is_file():
            raise ModelMissing(model, "there is no such file; correct the path, or name a model of the catalogue")
        return path.stem, path
    catalogue = Catalogue.load()
    if model == "auto":
        roomy = cores.available() >= LARGER_FROM_CORES
        model = LARGER if roomy and not catalogue.missing([LARGER]) else SMALL
    model = catalogue.resolve(model)
    return model, catalogue.file(model)
