"""What the tests of this folder share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agent.engines.protocols import Recognizer
from tests.chaos.hearing import mind
from tests.people import models_missing, second_ears
from tests.scripted_llm import ScriptedLLM, scripted_llm


@pytest.fixture(scope="session")
def ears() -> Recognizer:
    if missing := models_missing():
        pytest.skip(missing)
    return second_ears()


@pytest.fixture
async def llm() -> AsyncIterator[ScriptedLLM]:
    async with scripted_llm(mind) as running:
        yield running


@pytest.fixture
def environment(llm: ScriptedLLM) -> dict[str, str]:
    """A server that asks the scripted language model, and judges pauses without another."""
    return {
        "ANTIPHON__LLM__URL": llm.url,
        "ANTIPHON__LLM__MODEL": "scripted",
        "ANTIPHON__TURN__READER": "false",
        "ANTIPHON__LIMITS__STUCK_S": "2",
    }
