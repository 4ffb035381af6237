"""An OpenAI-compatible server with a scripted mind: real HTTP and real server-sent events on the loopback."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

Fault = Literal["stall", "cut", "half json", "no chunk", "no end", "keep-alive only"]
"""What goes wrong after the tokens: nothing more comes; the connection is reset; a chunk is half a JSON object,
or a list of the tokens; the stream ends in good order but without a finish_reason; comments come, and nothing else."""


@dataclass(frozen=True)
class Answer:
    """What the server does with one request."""

    tokens: Sequence[str] = ()
    status: int = 200
    fault: Fault | None = None
    token_s: float = 0.0
    """s before each token"""
    forever: bool = False
    """say the tokens again and again, until the client goes"""
    message: str = ""
    """of the error that comes with another status than 200"""
    calls: Sequence[tuple[str, str]] = ()
    """names and arguments of what is called after the tokens"""

    @classmethod
    def of(cls, text: str, token_s: float = 0.0, calls: Sequence[tuple[str, str]] = ()) -> Answer:
        """This text, a word a token, and then these calls."""
        return cls(re.findall(r"\s*\S+\s*$|\s*\S+", text), token_s=token_s, calls=calls)


PROMPT_TOKENS, CACHED_TOKENS = 120, 64
"""of every request, by the server's own account"""
Mind = Callable[[list[dict[str, Any]]], "Answer | str"]
"""The messages of a request to what is answered."""


@dataclass
class ScriptedLLM:
    """The running server, and what it saw."""

    mind: Mind
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """bodies, in the order in which they came"""
    keys: list[str | None] = field(default_factory=list)
    """their Authorization headers"""
    sent: int = 0
    """tokens, of all requests"""
    calls: int = 0
    """that were made"""
    knows_usage: bool = True
    """or refuses to be asked for it"""
    aborted: asyncio.Event = field(default_factory=asyncio.Event)
    """set when a client went before its answer was complete"""

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/chat/completions."""
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("Authorization"))
        if "stream_options" in body and not self.knows_usage:
            return web.json_response({"error": {"message": "unknown field: stream_options"}}, status=400)
        if not _paired(body["messages"]):
            error = {"error": {"message": "an assistant message with 'tool_calls' must be followed by its results"}}
            return web.json_response(error, status=400)
        answer = self.mind(body["messages"])
        if isinstance(answer, str):
            answer = Answer.of(answer)
        if answer.status != 200:
            message = answer.message or f"scripted {answer.status}"
            refusal = {"error": {"message": message, "type": "scripted", "param": None, "code": None}}
            return web.json_response(refusal, status=answer.status)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        try:
            await response.prepare(request)
            await self._stream(request, response, answer, body)
        except (asyncio.CancelledError, ConnectionResetError):
            self.aborted.set()
            raise
        return response

    async def _stream(
        self, request: web.Request, response: web.StreamResponse, answer: Answer, body: dict[str, Any]
    ) -> None:
        said, most = 0, body.get("max_tokens") or len(answer.tokens)
        while True:
            for token in answer.tokens:
                if said == most and not answer.forever:
                    break
                await asyncio.sleep(answer.token_s)
                await response.write(_event({"content": token}))
                self.sent += 1
                said += 1
            if not answer.forever:
                break
        for index, (name, arguments) in enumerate(answer.calls):
            await self._stream_call(response, answer, index, name, arguments)
        match answer.fault:
            case "stall":
                await asyncio.Event().wait()
            case "keep-alive only":
                while True:
                    await response.write(b": still here\n\n")
                    await asyncio.sleep(0.01)
            case "cut":
                assert request.transport is not None
                request.transport.abort()
            case "half json":
                await response.write(_event({"content": "lost"})[:40] + b"\n\n")
            case "no chunk":
                await response.write(b"data: " + json.dumps(list(answer.tokens)).encode() + b"\n\n")
            case "no end":
                await response.write_eof()
            case None:
                reason = "tool_calls" if answer.calls else "length" if said < len(answer.tokens) else "stop"
                await response.write(_event({}, reason))
                if (body.get("stream_options") or {}).get("include_usage"):
                    await response.write(_usage(said))
                await response.write(b"data: [DONE]\n\n")
                await response.write_eof()

    async def _stream_call(
        self, response: web.StreamResponse, answer: Answer, index: int, name: str, arguments: str
    ) -> None:
        self.calls += 1
        first = {"index": index, "id": f"call_{self.calls}", "type": "function"}
        await response.write(_event({"tool_calls": [{**first, "function": {"name": name, "arguments": ""}}]}))
        for begins in range(0, len(arguments), 8):
            await asyncio.sleep(answer.token_s)
            part = {"index": index, "function": {"arguments": arguments[begins : begins + 8]}}
            await response.write(_event({"tool_calls": [part]}))
            self.sent += 1


def _paired(messages: list[dict[str, Any]]) -> bool:
    """Behind calls stand their results and nothing else, as OpenAI's service demands it."""
    owed: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in owed:
                return False
            owed.remove(message["tool_call_id"])
        elif owed:
            return False
        owed += [call["id"] for call in message.get("tool_calls") or ()]
    return not owed


def _usage(said: int) -> bytes:
    details = {"cached_tokens": CACHED_TOKENS}
    usage = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": said,
        "total_tokens": PROMPT_TOKENS + said,
        "prompt_tokens_details": details,
    }
    return b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"


def _event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "scripted", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


@asynccontextmanager
async def scripted_llm(mind: Mind) -> AsyncIterator[ScriptedLLM]:
    """A server on a free loopback port for as long as the block runs."""
    server = ScriptedLLM(mind)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.complete)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}/v1"
        yield server
    finally:
        await runner.cleanup()
