"""Ourselves as somebody's server: the openai recogniser and synthesiser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from agent.audio import EAR_RATE, I16, WIRE_RATE, resample, to_wave
from agent.engines.asr.openai import OpenAIRecognizer
from agent.engines.tts.openai import OpenAISynthesizer
from agent.errors import ConfigError, EngineError
from bench.speech import SENTENCES, spoken
from tests.sounding import (
    KEY,
    LONG,
    MARKS,
    Sounding,
    ears,
    errors,
)

pytestmark = MARKS


@pytest.fixture
def far_ears(url: str) -> Iterator[OpenAIRecognizer]:
    engine = OpenAIRecognizer(url=f"{url}/v1/", api_key=KEY)
    yield engine
    engine._remote.close()


@pytest.fixture
def far_mouth(url: str) -> Iterator[OpenAISynthesizer]:
    engine = OpenAISynthesizer(url=f"{url}/v1", api_key=KEY)
    yield engine
    engine._remote.close()


async def test_a_recogniser_elsewhere_hears_as_well(far_ears: OpenAIRecognizer) -> None:
    pcm = spoken(SENTENCES[3]).pcm
    heard_wave = to_wave(resample(pcm, WIRE_RATE, EAR_RATE))
    for language in ("en", "en-GB", None):
        found = await asyncio.to_thread(far_ears.transcribe, heard_wave, language=language, prompt="At the beach.")
        assert errors(SENTENCES[3], found.text) <= 0.15
        assert found.language == "en"
    assert len(far_ears._remote._idle) == 1, "one connection, three requests"
    assert far_ears.transcribe(heard_wave[:100], language="en", prompt="").text == ""
    assert far_ears.knows("de-AT")
    assert not far_ears.knows("tlh")
    with pytest.raises(EngineError, match="tlh"):
        far_ears.transcribe(heard_wave, language="tlh", prompt="")


async def test_a_connection_that_was_closed_meanwhile_is_made_anew(far_ears: OpenAIRecognizer) -> None:
    heard_wave = to_wave(resample(spoken("Hello there.").pcm, WIRE_RATE, EAR_RATE))
    for _ in range(2):
        found = await asyncio.to_thread(far_ears.transcribe, heard_wave, language="en", prompt="")
        assert "hello" in found.text.lower()
        kept = far_ears._remote._idle[0].sock
        assert kept is not None
        kept.shutdown(2)


async def test_a_voice_elsewhere_speaks_as_it_is_made_and_stops_when_it_is_told(
    far_mouth: OpenAISynthesizer, server: tuple[str, Sounding]
) -> None:
    def said(text: str, speed: float = 1.0) -> I16:
        return np.concatenate(list(far_mouth.speak(text, voice="", language="en", speed=speed)))

    pcm = await asyncio.to_thread(said, SENTENCES[0])
    heard = ears().transcribe(to_wave(resample(pcm, far_mouth.rate, EAR_RATE)), language="en", prompt="")
    assert errors(SENTENCES[0], heard.text) <= 0.15
    assert list(far_mouth.speak(" ... ", voice="", language="en")) == []
    assert len(pcm) / len(await asyncio.to_thread(said, SENTENCES[0], 1.4)) == pytest.approx(1.4, abs=0.1)

    def left() -> None:
        chunks = far_mouth.speak(LONG, voice="nova", language="en")
        next(chunks)
        chunks.close()  # type: ignore[attr-defined]

    await asyncio.to_thread(left)
    async with asyncio.timeout(5.0):
        while server[1].studio.speech._speeches:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_what_goes_wrong_elsewhere_is_said_with_the_remedy(url: str) -> None:
    def speak(**given: Any) -> None:
        engine = OpenAISynthesizer(**{"url": f"{url}/v1", "api_key": KEY} | given)
        list(engine.speak("Hello.", voice=given.pop("voice", ""), language="en"))

    for given, says in (
        ({"api_key": "wrong"}, "api_key"),
        ({"url": f"{url}/v2"}, "/v1"),
        ({"model": "gpt-17"}, "gpt-17"),
        ({"voice": "nobody"}, "there are: alloy"),
        ({"url": "http://127.0.0.1:9/v1"}, "start that server"),
    ):
        with pytest.raises(EngineError, match=re.escape(says)):
            await asyncio.to_thread(speak, **given)
    with pytest.raises(ConfigError, match="such as http"):
        OpenAIRecognizer(url="nowhere")
    with pytest.raises(ConfigError, match=r"0\.25 to 4\.0"):
        OpenAISynthesizer(url=url, speed=40)
