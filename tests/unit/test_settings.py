"""A misspelt setting is an error that names the nearest right one, in the environment as in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.settings import load


@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("ANTIPHON__LIMIT__CALLS", "ANTIPHON__LIMIT__CALLS: there is no section 'limit'; did you mean 'limits'?"),
        ("antiphon__agents__greeting", "did you mean 'agent'?"),
        ("ANTIPHON__ASR__WISPER__PATH", "[asr.wisper]: there is no asr engine 'wisper'; did you mean 'whisper'?"),
        ("ANTIPHON__TURN__SMART_TURN__PATH", "did you mean 'smart-turn'?"),
        ("ANTIPHON__LIMITS__CALL", "limits.call"),
    ],
)
def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, says: str) -> None:
    monkeypatch.setenv(variable, "3")
    with pytest.raises(ConfigError) as caught:
        load()
    assert says in str(caught.value)


def test_a_table_of_no_engine_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "antiphon.toml"
    file.write_text('[asr.wisper]\npath = "/models/mine"\n[llm.embeded]\nmax_tokens = 50\n')
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert "did you mean 'whisper'?" in str(caught.value)
    assert "did you mean 'embedded'?" in str(caught.value)


def test_tables_of_engines_that_are_not_chosen_may_stand_there(tmp_path: Path) -> None:
    file = tmp_path / "antiphon.toml"
    file.write_text('[tts.espeak]\nwords_per_minute = 150\n[asr.openai]\nurl = "http://127.0.0.1:9/v1"\n')
    assert load(file).tts.options("espeak") == {"words_per_minute": 150}


def test_other_programs_variables_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_HOME_OF_OTHERS", "x")
    monkeypatch.setenv("ANTIPHON__LIMITS__CALLS", "3")
    monkeypatch.setenv("antiphon__server__port", "8081")
    settings = load()
    assert (settings.limits.calls, settings.server.port) == (3, 8081)
