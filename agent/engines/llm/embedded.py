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
from agent.engines.llm.child_process import ChildProcess
from agent.engines.llm.llama_child import ChildSettings
from agent.engines.llm.openai import OpenAIChat
from agent.engines.protocols import Message
from agent.errors import EngineError, ModelMissing

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
SAMPLING = {"dry_multiplier": 0.8, "cache_prompt": True}
"""llama.cpp's DRY sampler makes a sequence less likely the longer it would repeat what was just said, which
keeps small models from "I'm not. I'm not. I'm not." A plain repetition penalty also punishes the words of the
question, and SmolLM2 then answered in French."""
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


class Embedded:
    """llama.cpp's server as a child that is started, watched, restarted, and ended with us.

    One KV cache of ``context_tokens`` serves ``parallel`` conversations at a time. A prompt that only grows
    is not read again: the child finds its longest known beginning in the slots, or among the prompts it
    spilled to ordinary memory when more conversations than slots took turns. 6 conversations on 4 slots:
    all found, 308 MiB with 96 to spill.

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
        self.model, path = _find(model)
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
            extra={**SAMPLING, "stop": SMALL_STOPS} if small else SAMPLING,
        )
        self._make_chat("http://127.0.0.1:1/v1")  # imports for 0.5 s: now rather than when a child serves
        self._changed = asyncio.Condition()
        self._chat: OpenAIChat | None = None
        self._child: ChildProcess | None = None
        self._failed_starts = 0
        self._fault = "its run() is not running"
        self._last_token_at = 0.0

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
                return await chat.warm(self._primed(messages))
            except EngineError:
                if self._chat is chat or attempt == FAILED_STARTS:  # else: that child died, ask the next
                    raise

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """Text as it is generated; closing this stops the generation.

        :raises EngineError: at once when the child dies; the next reply waits for its successor.
        """
        chat, child = await self._serving(self._timeout_s), self._child
        loop = asyncio.get_running_loop()
        try:
            async with aclosing(chat.reply(self._primed(messages))) as deltas:
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
        """The messages with the examples after the system prompt."""
        start = next((n for n, message in enumerate(messages) if message.role != "system"), len(messages))
        return [*messages[:start], *self._examples, *messages[start:]]

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
                        chat = self._make_chat(url)
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


def _find(model: str) -> tuple[str, Path]:
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
