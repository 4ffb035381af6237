"""What the REST API refuses, and what it says then."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, cast

import aiohttp
import openai
import pytest

from agent.rest.speech import MOST_SPEECHES
from agent.rest.transcription import MOST_ASKED
from signaling.forms import FILE_LIMIT
from tests.sounding import (
    GOOD,
    KEY,
    MARKS,
    Sounding,
    client_does,
    sentence,
    transcribe,
)

pytestmark = MARKS
SPEECH = "/v1/audio/speech"


@pytest.mark.parametrize(
    ("body", "status", "code", "param", "says"),
    [
        ({**GOOD, "voice": "nobody"}, 400, "invalid_value", "voice", "alloy, ash"),
        ({**GOOD, "voice": {"id": "voice_1"}}, 400, "invalid_value", "voice", "heart"),
        ({**GOOD, "model": "gpt-17"}, 404, "model_not_found", "model", "tts-1"),
        ({**GOOD, "input": ""}, 400, "invalid_value", "input", "1 character"),
        ({**GOOD, "input": "a" * 4097}, 400, "invalid_value", "input", "4096"),
        ({**GOOD, "speed": 5}, 400, "invalid_value", "speed", "4"),
        ({**GOOD, "response_format": "midi"}, 400, "invalid_value", "response_format", "'mp3'"),
        ({"model": "tts-1", "voice": "alloy"}, 400, "missing_required_parameter", "input", "input"),
        ([], 400, "invalid_json", None, "object"),
    ],
)
async def test_a_wrong_wish_is_refused_with_what_would_be_right(
    url: str, body: object, status: int, code: str, param: str | None, says: str
) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http:
        async with http.post(url + SPEECH, json=body) as response:
            error = (await response.json())["error"]
            assert (response.status, error["code"]) == (status, code), error
            assert error["param"] is None if param is None else error["param"].startswith(param)
            assert says in error["message"]
            assert error["type"] == "invalid_request_error"
            assert response.headers["x-request-id"]


async def refused(url: str, path: str = "transcriptions", **parts: str | bytes) -> tuple[int, str, str | None]:
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in parts.items():
        if isinstance(value, bytes):
            form.add_field(name, value, filename="a.wav")
        else:
            form.add_field(name, value)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http:
        async with http.post(f"{url}/v1/audio/{path}", data=form) as response:
            error = (await response.json())["error"]
            return response.status, error["code"], error["param"]


async def test_a_wrong_recording_is_refused_by_name(url: str) -> None:
    file, _ = sentence()
    whisper = "whisper-1"
    assert await refused(url, model=whisper, file=b"") == (400, "empty_file", "file")
    assert await refused(url, model=whisper, file=b"garbage" * 999) == (400, "invalid_file", "file")
    assert await refused(url, model=whisper) == (400, "missing_required_parameter", "file")
    assert await refused(url, file=file) == (400, "missing_required_parameter", "model")
    assert await refused(url, file=file, model="gpt-17") == (404, "model_not_found", "model")
    assert await refused(url, file=file, model=whisper, language="tlh") == (400, "invalid_value", "language")
    assert await refused(url, file=file, model=whisper, temperature="7") == (400, "invalid_value", "temperature")
    diarized = await refused(url, file=file, model=whisper, response_format="diarized_json")
    assert diarized == (400, "invalid_value", "response_format")
    too_large = (413, "file_too_large", "file")
    for size in (FILE_LIMIT + 1, 2 * FILE_LIMIT):
        with pytest.raises(openai.APIStatusError) as caught:
            await client_does(url, lambda client, size=size: transcribe(client, bytes(size)))  # type: ignore[misc]
        assert (caught.value.status_code, caught.value.code, caught.value.param) == too_large
    assert (await refused(url, "translations", model=whisper, file=b"no"))[0] == 400
    many = {f"part{n}": "x" for n in range(100)}
    assert (await refused(url, **many))[:2] == (400, "invalid_form")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http:
        async with http.post(f"{url}/v1/audio/transcriptions", json={}) as response:
            assert response.status == 415


async def test_who_comes_to_a_full_house_is_told_when_to_come_again(server: tuple[str, Sounding]) -> None:
    url, worker = server
    file, _ = sentence()
    with ExitStack() as full:
        for _ in range(MOST_ASKED):
            full.enter_context(worker.studio.transcriptions.admitted())
        for _ in range(MOST_SPEECHES):
            full.enter_context(worker.studio.speech.admitted())

        def asked(client: openai.OpenAI) -> None:
            for ask in (lambda: transcribe(client, file), lambda: client.audio.speech.create(**cast("Any", GOOD))):
                with pytest.raises(openai.InternalServerError) as caught:
                    ask()
                assert caught.value.status_code == 503
                assert caught.value.response.headers["Retry-After"]

        await client_does(url, asked)


async def test_a_token_is_good_for_calls_only(url: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        token = (await (await http.post(f"{url}/v1/realtime/client_secrets", json={})).json())["value"]

    def asked(client: openai.OpenAI) -> None:
        with pytest.raises(openai.PermissionDeniedError):
            client.audio.speech.create(**cast("Any", GOOD))

    await client_does(url, asked, key=token)
