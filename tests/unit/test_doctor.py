"""`antiphon doctor` fails where a server would not start, and what it prints may be shown to others."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.commands.doctor import _engines, _masked
from agent.commands.engines_chosen import chosen, models
from agent.errors import ConfigError, ModelMissing
from agent.settings import load


@pytest.fixture
def bare_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No model at all is there, and no settings but the test's."""
    for name in ("LLM__MODEL", "LLM__URL", "ASR__MODEL"):
        monkeypatch.delenv(f"ANTIPHON__{name}", raising=False)
    monkeypatch.delenv("ANTIPHON_OFFLINE", raising=False)
    monkeypatch.setenv("ANTIPHON_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("setting", "value", "who", "says"),
    [
        ("LLM__MODEL", "qwen2.5-0.5b", "language model", "antiphon models pull qwen2.5-0.5b"),
        ("LLM__MODEL", "nonsense", "language model", "no model 'nonsense'"),
        ("LLM__MODEL", "auto", "language model", "antiphon models pull smollm2"),
        ("TTS__ENGINE", "kokoro", "tts engine", "no tts engine 'kokoro'"),
        ("NOISE__ENGINE", "webrtc-nx", "noise engine", "did you mean 'webrtc-ns'?"),
        ("TTS__ENGINE", "openai", "tts engine", "[tts.openai] needs the setting 'url'"),
        ("ASR__WHISPER__PAHT", "/a", "asr engine", "did you mean 'path'?"),
        ("ASR__WHISPER__PATH", "/nowhere", "asr engine", "there is no /nowhere"),
        ("ASR__MODEL", "whisper-small", "asr engine", "antiphon models pull whisper-small"),
    ],
)
def test_what_stops_a_server_is_said(
    bare_home: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, who: str, says: str
) -> None:
    monkeypatch.setenv(f"ANTIPHON__{setting}", value)
    found = {finding.name: finding for finding in _engines(load())}
    assert not found[who].good
    assert says in found[who].text


def test_a_model_that_a_path_replaces_is_not_asked_for(bare_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON__ASR__WHISPER__PATH", str(bare_home))
    monkeypatch.setenv("ANTIPHON__LLM__URL", "http://127.0.0.1:9/v1")
    found = {finding.name: finding for finding in _engines(load())}
    assert "asr engine" not in found
    assert "language model" not in found, "a server's is asked, not looked for"
    assert str(bare_home) in found["models"].text


def test_the_engines_own_table_goes_before_the_seams_key(bare_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON__LLM__EMBEDDED__MODEL", "nonsense")
    options = {(group, name): options for group, name, options in chosen(load())}
    with pytest.raises(ConfigError, match="nonsense"):
        models("llm", "embedded", options["llm", "embedded"])
    monkeypatch.setenv("ANTIPHON__ASR__WHISPER__MODEL", "whisper-medium")
    options = {(group, name): options for group, name, options in chosen(load())}
    with pytest.raises(ModelMissing, match="whisper-medium"):
        models("asr", "whisper", options["asr", "whisper"])


def test_keys_of_engines_are_not_printed() -> None:
    table = {"asr": {"model": "auto", "openai": {"api_key": "sk-1", "url": "http://x"}}, "tts": {"x": {"api_key": ""}}}
    assert _masked(table) == {
        "asr": {"model": "auto", "openai": {"api_key": "**********", "url": "http://x"}},
        "tts": {"x": {"api_key": ""}},
    }
