"""What tests of the REST API share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bench.speech import SENTENCES, spoken
from tests.sounding import (
    Sounding,
    sounding,
)


@pytest.fixture(scope="session")
def said_before() -> None:
    """What the tests say is spoken before they run: no model is loaded on the loop."""
    for text in (*SENTENCES, "Hello there."):
        spoken(text)


@pytest.fixture
async def server(said_before: None) -> AsyncIterator[tuple[str, Sounding]]:
    async with sounding() as one:
        yield one


@pytest.fixture
def url(server: tuple[str, Sounding]) -> str:
    return server[0]
