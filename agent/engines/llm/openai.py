"""Any server that speaks OpenAI's chat completions: llama.cpp, vLLM, Ollama, TensorRT-LLM, or OpenAI
itself."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agent.engines.protocols import Message
from agent.errors import EngineError

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk

log = logging.getLogger(__name__)

CONNECT_S = 5.0
"""s for a TCP and TLS handshake; a server that needs longer is not there"""
RETRY_S = 0.25
"""s between two attempts of `warm` while the server starts"""
NOT_YET = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses of a server that may answer in a moment: it loads its model, or is busy"""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""hosts that no proxy of the environment stands before"""
_PROBE = Message("user", "Hello.")


class OpenAIChat:
    """A chat model behind an OpenAI-compatible address.

    :param url: up to and including ``/v1``.
    :param model: the server's name for the model; llama.cpp ignores it.
    :param api_key: sent as a bearer token; local servers need none.
    :param max_tokens: the longest reply, in tokens. Spoken, 100 tokens are about half a minute.
    :param temperature: 0 always says the likeliest; higher is more varied.
    :param timeout_s: s without a token after which the server counts as stuck, before the first one too.
    :param warm_s: s that `warm` waits for a server that is starting.
    :param extra: fields of the request beyond OpenAI's, as this server knows them.
    """

    def __init__(
        self,
        *,
        url: str,
        model: str,
        api_key: str = "",
        max_tokens: int = 200,
        temperature: float = 0.6,
        timeout_s: float = 10.0,
        warm_s: float = 60.0,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        import openai  # 0.6 s, so only where it is used

        self.url = url.rstrip("/")
        self.model = model
        self._max_tokens = max_tokens
        self._temperature = temperature
        self._timeout_s = timeout_s
        self._warm_s = warm_s
        self._extra = dict(extra or {})
        direct = urlsplit(url).hostname in LOOPBACK
        plain = urlsplit(url).scheme == "http"  # no certificates to load
        self._client: AsyncOpenAI = openai.AsyncOpenAI(
            base_url=self.url,
            api_key=api_key or "none",
            max_retries=0,
            timeout=openai.Timeout(None, connect=CONNECT_S),
            http_client=openai.DefaultAsyncHttpxClient(trust_env=not direct, verify=not plain),
            # A connection on the loopback costs nothing, and one that is kept may be one that is being closed.
            default_headers={"Connection": "close"} if direct else None,
        )

    async def run(self) -> None:
        """Keep the connection pool until cancelled, then close it."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the idle connections."""
        await self._client.close()

    async def warm(self, messages: Sequence[Message]) -> None:
        """Let the server read this prefix, so that the first real turn finds it cached. Waits while it
        starts.

        :raises EngineError: if it refuses, or does not answer within ``warm_s``.
        """
        import openai

        prompt = [*messages] if any(message.role == "user" for message in messages) else [*messages, _PROBE]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._warm_s
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    stream = await self._open(prompt, max_tokens=1)
                    async with stream:
                        async for _ in stream:
                            pass
                return
            except (openai.OpenAIError, json.JSONDecodeError, TimeoutError) as error:
                if loop.time() + RETRY_S >= deadline or not _may_pass(error):
                    raise self._explained("warm-up", error) from error
                log.debug("llm waits url=%s error=%r", self.url, error)
            await asyncio.sleep(RETRY_S)

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """Text as it is generated; closing this aborts the request at once.

        :raises EngineError: if the server refuses, breaks off, or sends no token for ``timeout_s``.
        """
        import openai

        stream: AsyncStream[ChatCompletionChunk] | None = None
        finished = False
        try:
            async with asyncio.timeout(self._timeout_s):
                try:
                    stream = await self._open(messages, max_tokens=self._max_tokens)
                except openai.APIConnectionError:
                    # The server may have closed the kept connection at this very moment; a new one tells.
                    stream = await self._open(messages, max_tokens=self._max_tokens)
            while True:
                # Around each token, not each byte: a server that only sends keep-alive comments is stuck,
                # too.
                async with asyncio.timeout(self._timeout_s):
                    chunk = await anext(stream, None)
                if chunk is None:
                    break
                for choice in chunk.choices[:1]:
                    finished = finished or choice.finish_reason is not None
                    if choice.delta.content:
                        yield choice.delta.content
        except (openai.OpenAIError, json.JSONDecodeError, TimeoutError) as error:
            raise self._explained("reply", error) from error
        finally:
            if stream is not None:
                await stream.close()
        if not finished:
            raise EngineError(
                "openai",
                "reply",
                f"{self.url} broke the reply off before its end; look into that server's log",
            )

    async def _open(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncStream[ChatCompletionChunk]:
        prompt: Any = [{"role": message.role, "content": message.text} for message in messages]
        return await self._client.chat.completions.create(
            model=self.model,
            messages=prompt,
            max_tokens=max_tokens,
            temperature=self._temperature,
            stream=True,
            extra_body=self._extra or None,
        )

    def _explained(self, stage: str, error: Exception) -> EngineError:
        """What happened, where, and the remedy."""
        import openai

        match error:
            case openai.APIStatusError():
                status = error.status_code
                what = f"{self.url} answered HTTP {status}: {_first_line(error)}"
                fix = _REMEDIES.get(status) or (
                    "look into that server's log" if status >= 500 else "check the address, the model and their options"
                )
            case TimeoutError():
                limit = self._warm_s if stage == "warm-up" else self._timeout_s
                what = f"{self.url} sent no token for {limit:g} s"
                fix = "the server is stuck or overloaded: look into its log, or raise timeout_s"
            case openai.APIConnectionError():
                cause = error.__cause__
                what = f"{self.url} can not be reached or broke off ({_first_line(cause or error)})"
                fix = "start that server, or correct its address (--llm-url)"
            case _:
                what = f"{self.url} sent what is not a chat completion ({_first_line(error)})"
                fix = "check that the address ends in the server's OpenAI path, usually /v1"
        return EngineError("openai", stage, f"{what}; {fix}")


_REMEDIES = {
    401: "give the right API key",
    403: "give an API key that may use this model",
    404: "check the model's name, and that the address ends in the server's OpenAI path, usually /v1",
    429: "the server has no room for more requests: wait, or raise its limits",
    503: "the server is still loading its model, or overloaded",
}


def _may_pass(error: Exception) -> bool:
    """Whether another attempt can help."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return error.status_code in NOT_YET
    return isinstance(error, openai.APIConnectionError | TimeoutError)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
