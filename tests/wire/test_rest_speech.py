"""Texts to speech over REST, and what there is to choose from."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import aiohttp
import numpy as np
import openai
import pytest

from agent.audio import EAR_RATE, resample, to_wave
from agent.rest.encoding import FORMATS, RATE, Format
from agent.rest.recordings import read
from bench.speech import SENTENCES
from tests.sounding import (
    KEY,
    LONG,
    MARKS,
    Sounding,
    client_does,
    ears,
    errors,
    transcribe,
    wav,
)

pytestmark = MARKS


@pytest.mark.parametrize("form", FORMATS)
async def test_what_is_spoken_is_understood_in_every_format(url: str, form: Format) -> None:
    def there_and_back(client: openai.OpenAI) -> str:
        given: dict[str, Any] = {"model": "tts-1", "voice": "alloy", "input": SENTENCES[1]}
        data = client.audio.speech.create(**given, response_format=form).content
        file = wav(np.frombuffer(data, "<i2").astype(np.int16), RATE) if form == "pcm" else data
        return str(transcribe(client, file).text)

    assert errors(SENTENCES[1], await client_does(url, there_and_back)) <= 0.15


async def test_a_long_speech_begins_before_it_is_made(url: str) -> None:
    loop = asyncio.get_running_loop()
    body = {"model": "tts-1", "voice": "nova", "input": LONG[:4096], "response_format": "pcm"}
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        warm = {**body, "input": "Hello."}
        await (await http.post(f"{url}/v1/audio/speech", json=warm)).read()
        began = loop.time()
        async with http.post(f"{url}/v1/audio/speech", json=body) as response:
            assert response.content_type == "audio/pcm"
            size = len(await response.content.readany())
            first_s = loop.time() - began
            async for chunk in response.content.iter_any():
                size += len(chunk)
            whole_s = loop.time() - began
    assert size / 2 / RATE > 100, "that many seconds of speech"
    assert first_s < whole_s / 4


async def test_a_listener_who_leaves_stops_the_making(server: tuple[str, Sounding]) -> None:
    url, worker = server
    body = {"model": "tts-1", "voice": "nova", "input": LONG[:4096], "response_format": "wav"}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http:
        response = await http.post(f"{url}/v1/audio/speech", json=body)
        await response.content.readany()
        response.close()
    async with asyncio.timeout(5.0):
        while worker.studio.speech._speeches:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_a_speech_comes_as_events_for_who_wants_them(url: str) -> None:
    def told(client: openai.OpenAI) -> list[dict[str, Any]]:
        with client.audio.speech.with_streaming_response.create(
            model="gpt-4o-mini-tts", voice="coral", input=SENTENCES[2], response_format="pcm", stream_format="sse"
        ) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            lines = [line for line in response.iter_lines() if line]
        assert lines[-1] == "data: [DONE]"
        return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]

    *deltas, done = await client_does(url, told)
    pcm = np.frombuffer(b"".join(base64.b64decode(one["audio"]) for one in deltas), "<i2").astype(np.int16)
    assert {one["type"] for one in deltas} == {"speech.audio.delta"}
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["output_tokens"] == pytest.approx(len(pcm) / RATE * 20, abs=1)
    heard = ears().transcribe(to_wave(resample(pcm, RATE, EAR_RATE)), language="en", prompt="")
    assert errors(SENTENCES[2], heard.text) <= 0.15


async def test_speed_is_kept(url: str) -> None:
    def seconds(client: openai.OpenAI) -> list[float]:
        return [
            len(read(client.audio.speech.create(model="tts-1", voice="alloy", input=SENTENCES[0], speed=speed).content))
            / EAR_RATE
            for speed in (1.0, 2.0)
        ]

    usual, quick = await client_does(url, seconds)
    assert quick == pytest.approx(usual / 2, rel=0.1)


async def test_models_and_voices_are_listed(url: str) -> None:
    def listed(client: openai.OpenAI) -> list[str]:
        names = [one.id for one in client.models.list()]
        assert all(client.models.retrieve(name).object == "model" for name in names)
        with pytest.raises(openai.NotFoundError) as caught:
            client.models.retrieve("gpt-17")
        assert caught.value.code == "model_not_found"
        assert caught.value.request_id is not None
        return names

    names = await client_does(url, listed)
    assert {"gpt-realtime", "gpt-realtime-2.1", "gpt-4o-mini-transcribe", "whisper-1", "tts-1", "gpt-4o-mini-tts"} <= {
        *names
    }
    assert {"antiphon", "whisper", "hibari"} <= set(names)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http:
        voices = await (await http.get(f"{url}/v1/audio/voices")).json()
    assert {"alloy", "heart"} <= {one["id"] for one in voices["voices"]}
