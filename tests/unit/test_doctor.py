"""What `antiphon doctor` prints may be shown to others."""

from __future__ import annotations

from agent.commands.doctor import _masked


def test_keys_of_engines_are_not_printed() -> None:
    table = {"asr": {"model": "auto", "openai": {"api_key": "sk-1", "url": "http://x"}}, "tts": {"x": {"api_key": ""}}}
    assert _masked(table) == {
        "asr": {"model": "auto", "openai": {"api_key": "**********", "url": "http://x"}},
        "tts": {"x": {"api_key": ""}},
    }
