"""How likely the embedded language model takes a user's message to end with these words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from agent.engines.llm.embedded import Embedded
from agent.engines.protocols import Message
from agent.settings import INSTRUCTIONS

MODEL = "smollm2"


async def probabilities(texts: Iterable[str]) -> dict[str, float]:
    """Each text's; 0 for one without words."""
    llm = await asyncio.to_thread(lambda: Embedded(model=MODEL))
    system = Message("system", INSTRUCTIONS)
    running = asyncio.ensure_future(llm.run())
    try:
        await llm.warm([system])
        return {text: await llm.ends([system, Message("user", text)]) or 0.0 for text in texts}
    finally:
        running.cancel()
        await asyncio.wait({running})
