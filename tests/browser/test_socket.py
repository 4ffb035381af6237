"""A page of another site that talks over a WebSocket, its key among the subprotocols: a browser sends no header."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from bench.server import Server
from signaling.tokens import Tokens
from tests.browser.conftest import OpenPage
from tests.people import models_missing

pytestmark = [
    pytest.mark.browser,
    pytest.mark.models,
    pytest.mark.skipif(bool(models_missing()), reason=models_missing() or "models are here"),
    pytest.mark.timeout(60),
]

KEY = "a key of sixteen"
TALK = """([url, key]) => new Promise((done) => {
  const told = { protocol: '', types: [], code: 0 };
  const socket = new WebSocket(url, ['realtime', `openai-insecure-api-key.${key}`]);
  socket.onopen = () => {
    told.protocol = socket.protocol;
    const content = [{ type: 'input_text', text: 'Say hello.' }];
    socket.send(JSON.stringify({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } }));
    socket.send(JSON.stringify({ type: 'response.create' }));
  };
  socket.onmessage = ({ data }) => {
    told.types.push(JSON.parse(data).type);
    if (told.types.at(-1) === 'response.done') socket.close();
  };
  socket.onclose = ({ code }) => done({ ...told, code });
})"""


async def test_a_page_of_another_site_talks_over_a_websocket(
    browser_page: OpenPage, serve: Callable[[web.Application], Awaitable[str]]
) -> None:
    site = web.Application()

    async def empty(request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Another site</title>", content_type="text/html")

    site.router.add_get("/", empty)
    page = await serve(site)
    settings = {"ANTIPHON__SERVER__KEYS": json.dumps([KEY]), "ANTIPHON__SERVER__ORIGINS": json.dumps([page[:-1]])}
    async with Server(settings) as server:
        tab = await browser_page()
        await tab.page.goto(page)
        address = server.url.replace("http", "ws", 1) + "/v1/realtime?model=gpt-realtime"
        told = await tab.page.evaluate(TALK, [address, Tokens([KEY]).issue()[0]])
        assert told["protocol"] == "realtime"
        assert told["types"][0] == "session.created"
        assert "response.output_audio.delta" in told["types"]
        assert told["types"][-1] == "response.done"
        refused = await tab.page.evaluate(TALK, [address, "wrong"])
        assert (refused["types"], refused["code"]) == (["error"], 3000)
