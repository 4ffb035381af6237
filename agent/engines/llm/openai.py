"""Any server that speaks OpenAI's chat completions: llama.cpp, vLLM, Ollama, TensorRT-LLM, or OpenAI
itself.

Spoken to with aiohttp rather than OpenAI's own client, which took 3.7 ms longer to the first token and five
times the processor time for a reply (12 ms against 2.4 for 30 tokens), on the loop that also paces the sound.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from agent.engines.llm.asking import USAGE
from agent.engines.llm.completion import Completion, sent, usage
from agent.engines.protocols import ANY, Ending, Message, Piece, Scope, Usage
from agent.errors import EngineError

log = logging.getLogger(__name__)

CONNECT_S = 5.0
"""s for a TCP connection; a server that needs longer is not there"""
RETRY_S = 0.25
"""s between two attempts of `warm` while the server starts"""
NOT_YET = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses of a server that may answer in a moment: it loads its model, or is busy"""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""hosts that no proxy of the environment stands before"""
QUOTE_WORDS = 3
"""words in a row of a prompt that make a server's message a quotation"""
_PROBE = Message("user", "Hello.")


class _Refused(Exception):
    """The server answered with an HTTP error, or with one inside the stream (status 500)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class OpenAIChat:
    """A chat model behind an OpenAI-compatible address.

    :param url: up to and including ``/v1``.
    :param model: the server's name for the model; llama.cpp ignores it.
    :param api_key: sent as a bearer token; local servers need none.
    :param max_tokens: the longest reply, in tokens. Spoken, 100 tokens are about half a minute.
    :param temperature: 0 always says the likeliest; higher is more varied.
    :param timeout_s: s without a token after which the server counts as stuck, before the first one too.
    :param warm_s: s that `warm` waits for a server that is starting.
    :param prefill: send what a caller has said so far ahead, for one token, so that a server that caches
        prompts has read it when they finish. Costs a few requests a turn; paid services charge for each.
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
        prefill: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.model = model
        self._tells = True  # usage; or it refuses to be asked for it
        self.usage: Usage | None = None
        """of the request that ended last, where the server tells"""
        self._headers = {"Authorization": f"Bearer {api_key or 'none'}"}
        self._max_tokens = max_tokens
        self._temperature = temperature
        self._timeout_s = timeout_s
        self._warm_s = warm_s
        self._prefill = prefill
        self._extra = dict(extra or {})
        self._direct = urlsplit(url).hostname in LOOPBACK
        self._http: aiohttp.ClientSession | None = None

    async def run(self) -> None:
        """Keep the connection pool until cancelled, then close it."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the idle connections."""
        if self._http is not None:
            await self._http.close()

    async def warm(self, messages: Sequence[Message], *, extra: Mapping[str, Any] | None = None) -> None:
        """Let the server read this prefix, so that the first real turn finds it cached. Waits while it
        starts.

        :param extra: further fields of the request.
        :raises EngineError: if it refuses, or does not answer within ``warm_s``.
        """
        prompt = [*messages] if any(message.role == "user" for message in messages) else [*messages, _PROBE]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._warm_s
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    return await self._read(prompt, extra)
            except (aiohttp.ClientError, _Refused, TimeoutError, ValueError) as error:
                if loop.time() + RETRY_S >= deadline or not _may_pass(error):
                    raise self._explained("warm-up", error) from error
                log.debug("llm waits url=%s error=%r", self.url, error)
            await asyncio.sleep(RETRY_S)

    async def prefill(
        self, messages: Sequence[Message], scope: Scope = ANY, *, extra: Mapping[str, Any] | None = None
    ) -> None:
        """Let the server read a prompt whose last message may still grow, if it was set to.

        :param extra: further fields of the request.
        """
        if not self._prefill:
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._read(messages, extra, scope)
        except (aiohttp.ClientError, _Refused, TimeoutError, ValueError) as error:
            log.debug("llm prefill failed url=%s error=%r", self.url, error)  # the reply will say it aloud

    async def ends(self, messages: Sequence[Message]) -> float | None:
        """None: chat completions do not tell how likely a user's message ends."""
        return None

    async def ask(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """POST a JSON object to the server's root, for what its own API offers beside OpenAI's.

        :raises EngineError: if it refuses, or does not answer in time.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._post(body, self.url.removesuffix("/v1") + path)
                try:
                    text = await response.text(errors="replace")
                finally:
                    response.close()
            if response.status >= 400:
                raise _Refused(response.status, _message(text))
            answer = json.loads(text)
            if not isinstance(answer, dict):
                raise ValueError("JSON that is no object")
            return answer
        except (aiohttp.ClientError, _Refused, TimeoutError, ValueError) as error:
            raise self._explained("question", error) from error

    async def reply(
        self, messages: Sequence[Message], scope: Scope = ANY, *, extra: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[Piece, None]:
        """Text and calls as they are generated; closing this aborts the request at once.

        :param extra: further fields of the request.
        :raises EngineError: if the server refuses, breaks off, or sends no token for ``timeout_s``.
        """
        completion = Completion()
        most = min(self._max_tokens, scope.most_tokens or self._max_tokens)
        try:
            async with aclosing(self._chunks(messages, most, scope, {**USAGE, **(extra or {})})) as chunks:
                while True:
                    # Around each token, not each byte: a server that only sends keep-alive comments is
                    # stuck, too.
                    async with asyncio.timeout(self._timeout_s):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    for piece in completion.take(chunk):
                        yield piece
            for piece in completion.close():
                yield piece
        except (aiohttp.ClientError, _Refused, TimeoutError, ValueError) as error:
            raise self._explained("reply", error) from error
        if not completion.finished:
            raise EngineError(
                "openai",
                "reply",
                f"{self.url} broke the reply off before its end; look into that server's log",
            )
        yield Ending(completion.short, completion.usage)

    async def _read(self, messages: Sequence[Message], extra: Mapping[str, Any] | None, scope: Scope = ANY) -> None:
        """One token, for the sake of the prompt."""
        async with aclosing(self._chunks(messages, 1, scope, extra)) as chunks:
            async for _ in chunks:
                pass

    async def _chunks(
        self, messages: Sequence[Message], max_tokens: int, scope: Scope, extra: Mapping[str, Any] | None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The ``chat.completion.chunk`` objects of one request, unchecked."""
        request = {
            "model": self.model,
            **sent(messages, scope),
            "max_tokens": max_tokens,
            "temperature": self._temperature,
            "stream": True,
            **self._extra,
            **(extra or {}),
        }
        try:
            response = await self._opened(request, messages)
        except _Refused as error:
            if not (self._tells and set(USAGE) <= set(request) and "stream_options" in str(error)):
                raise
            self._tells = False
            response = await self._opened(request, messages)
        try:
            # Server-sent events, of which these servers use one line each: "data: " and a JSON object.
            async for line in response.content:
                field, _, value = line.partition(b":")
                if field != b"data" or not value.strip():
                    continue
                if value.strip() == b"[DONE]":
                    return
                chunk = json.loads(value)
                if not isinstance(chunk, dict):
                    raise ValueError("JSON that is no object")
                if "error" in chunk:
                    raise _Refused(500, _unquoted(_message(value.decode()), messages))
                if told := chunk.get("usage"):
                    self.usage = usage(told)
                yield chunk
        finally:
            response.close()

    async def _opened(self, request: Mapping[str, Any], messages: Sequence[Message]) -> aiohttp.ClientResponse:
        """The answer's stream.

        :raises _Refused: if there is none.
        """
        if not self._tells:
            request = {name: value for name, value in request.items() if name not in USAGE}
        try:
            response = await self._post(request)
        except aiohttp.ClientConnectionError:
            # The server may have closed the kept connection at this very moment; a new one tells.
            response = await self._post(request)
        if response.status >= 400:
            try:
                raise _Refused(response.status, _unquoted(_message(await response.text(errors="replace")), messages))
            finally:
                response.close()
        return response

    async def _post(self, request: Mapping[str, Any], url: str = "") -> aiohttp.ClientResponse:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
                trust_env=not self._direct,
                # A connection on the loopback costs nothing, and one that is kept may be one that is being closed.
                connector=aiohttp.TCPConnector(force_close=self._direct),
            )
        return await self._http.post(url or f"{self.url}/chat/completions", json=request, headers=self._headers)

    def _explained(self, stage: str, error: Exception) -> EngineError:
        """What happened, where, and the remedy."""
        match error:
            case _Refused(status=status):
                what = f"{self.url} answered HTTP {status}: {_first_line(error)}"
                fix = _REMEDIES.get(status) or (
                    "look into that server's log" if status >= 500 else "check the address, the model and their options"
                )
            case aiohttp.ClientError():
                what = f"{self.url} can not be reached or broke off ({_first_line(error)})"
                fix = "start that server, or correct its address (--llm-url)"
            case TimeoutError():
                limit = self._warm_s if stage == "warm-up" else self._timeout_s
                what = f"{self.url} sent no token for {limit:g} s"
                fix = "the server is stuck or overloaded: look into its log, or raise timeout_s"
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
    if isinstance(error, _Refused):
        return error.status in NOT_YET
    return isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | TimeoutError)


def _message(body: str) -> str:
    """The message in an error body, or the body."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return body[:200]


def _unquoted(message: str, prompt: Sequence[Message]) -> str:
    """A server's message, unless it quotes what was said: errors are logged, and that is not."""
    found = " ".join(message.split())
    for said in prompt:
        words = said.text.split()
        runs = (" ".join(words[n : n + QUOTE_WORDS]) for n in range(max(1, len(words) - QUOTE_WORDS + 1)))
        if any(run in found for run in runs if run):
            return "its message quotes the conversation, and is not repeated"
    return message


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
