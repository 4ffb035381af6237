"""What the embedded model is asked beyond the conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SAMPLING: Mapping[str, Any] = {"dry_multiplier": 0.8, "dry_sequence_breakers": ["\n"], "cache_prompt": True}
"""llama.cpp's DRY sampler makes a sequence less likely the longer it would repeat what was just said, which
keeps small models from "I'm not. I'm not. I'm not." A plain repetition penalty also punishes the words of the
question, and SmolLM2 then answered in French. For each breaker it looks through the whole vocabulary at each
request, 4.5 ms; its other three default ones (colon, quote, asterisk) are not for speech."""
READING: Mapping[str, Any] = {"dry_multiplier": 0.0, "return_progress": True}
"""A prefill samples nothing that is used. Progress is reported at each step, and by that llama.cpp notices at
once that nobody listens any more (it looks up by itself only once a second)."""
USAGE: Mapping[str, Any] = {"stream_options": {"include_usage": True}}
"""The server tells how many tokens of a prompt it had in its cache."""
