"""How likely a language model takes a user's message to end with these words.

A chat model has learnt where messages end. Its prompt is cut off right behind the text, without the full stop that a
recogniser puts behind any fragment, and of the next token's distribution that is added up which belongs to full stops
and the end mark. LiveKit's turn detector is this model trained further for just that; untrained it already tells
true ends (0.15 to 0.97) from the middle of sentences (mostly below 0.05): `python -m bench.endpointing`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from agent.engines.protocols import Message

Ask = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""POSTs a JSON object to a path of llama.cpp's server; the answer's object"""
CHOICES = 100
"""likeliest next tokens that are looked through"""
_ENDING = re.compile(r"[.?!]+[\"' \n]*|<\|im_end\|>|\n+|")
_PUNCTUATION = re.compile(r"[\s.,;:!?…-]+$")


async def message_end(ask: Ask, messages: Sequence[Message], extra: Mapping[str, Any]) -> float | None:
    """The probability, 0..1, that the last of the messages ends where it stands; None if it has no words.

    Two requests, of which the second reads the prompt as a prefill does.

    :param extra: further fields of that request.
    :raises KeyError: if the server answers something else.
    """
    text = _PUNCTUATION.sub("", messages[-1].text)
    if not text or messages[-1].role != "user":
        return None  # of nobody's words
    turns = [{"role": message.role, "content": message.text} for message in (*messages[:-1], Message("user", text))]
    prompt = str((await ask("/apply-template", {"messages": turns}))["prompt"])
    prompt = prompt[: prompt.rindex(text) + len(text)]
    sampling = {"n_predict": 1, "n_probs": CHOICES, "temperature": 0.0, "cache_prompt": True}
    answer = await ask("/completion", {"prompt": prompt, **sampling, **extra})
    tokens = answer.get("completion_probabilities")
    if not tokens:
        return 1.0  # the likeliest token was the end mark itself, of which llama.cpp says no more
    likely = tokens[0]["top_logprobs"]
    return sum(math.exp(token["logprob"]) for token in likely if _ENDING.fullmatch(token["token"]))
