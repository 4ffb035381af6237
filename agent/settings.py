"""Settings: `antiphon.toml` in the working directory, or `ANTIPHON__SECTION__KEY` in the environment.

Every duration has its unit in its name. `antiphon doctor` prints what is in force.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from agent.errors import ConfigError

INSTRUCTIONS = (
    "You are a friendly voice assistant on a phone call. Answer in one or two short spoken sentences. "
    "Use plain words only: no lists, no markdown, no emoji."
)


class Section(BaseModel):
    """A table of the settings; an unknown key is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(Section):
    """Where the server listens."""

    host: str = "127.0.0.1"
    """address; anything but loopback needs a token, which this version does not have yet"""
    port: int = Field(8080, ge=0, le=65535)
    """TCP port; 0 takes a free one"""
    hosts: list[str] = []
    """names under which browsers may call, beside loopback's: that of a proxy in front, such as voice.example.org"""


class AgentSettings(Section):
    """Who answers."""

    instructions: str = INSTRUCTIONS
    """the system prompt, until a client sets its own"""


class EngineSettings(Section):
    """A seam's table: which engine, and in a table of the engine's own name what that engine takes."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, dict[str, Any]]

    def options(self, engine: str) -> dict[str, Any]:
        """The engine's own settings, its constructor's keyword arguments."""
        return dict((self.__pydantic_extra__ or {}).get(engine, {}))


class VadSettings(EngineSettings):
    """Voice activity detection."""

    engine: str = "silero"


class AsrSettings(EngineSettings):
    """Speech recognition."""

    engine: str = "whisper"
    model: str = "whisper-base"
    """a catalogue id"""
    language: str = "en"
    """ISO 639-1; "" detects it in each utterance"""


class LlmSettings(EngineSettings):
    """The language model."""

    model: str = "auto"
    """without a URL an embedded one: smollm2, qwen2.5-0.5b or auto; with a URL, the name that server knows"""
    url: str = ""
    """base URL of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1; "" runs the embedded one"""
    api_key: SecretStr = SecretStr("")


class TtsSettings(EngineSettings):
    """Speech synthesis."""

    engine: str = "hibari"
    voice: str = ""
    """the engine's name for a voice; "" is its default"""
    language: str = "en"
    """ISO 639-1"""


class TurnSettings(Section):
    """Turn-taking."""

    pause_ms: int = Field(128, ge=60, le=2000)
    """silence after which a pause is noticed, and recognition starts"""
    endpointing_ms: int = Field(500, ge=100, le=5000)
    """silence after which the turn is over"""
    yield_ms: int = Field(300, ge=0, le=3000)
    """speech over the agent's until the agent stops"""
    drafts: bool = True
    """prepare the answer in the pause, before it is sure that the turn is over"""


class LimitsSettings(Section):
    """What a call may take."""

    calls: int = Field(16, ge=1)
    """calls at once; one more is refused with 503"""
    connect_s: float = Field(10.0, gt=0)
    """a call that has not connected by then ends"""
    peer_gone_s: float = Field(10.0, gt=0)
    """a call whose packets have stopped for so long ends"""


class IceSettings(Section):
    """How peers reach us."""

    addresses: list[str] = []
    """gather candidates on these addresses only; none means: loopback for a loopback server, else all"""


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        env_prefix="ANTIPHON__",
        env_nested_delimiter="__",
        extra="forbid",
        toml_file="antiphon.toml",
        frozen=True,
    )

    server: ServerSettings = ServerSettings()
    agent: AgentSettings = AgentSettings()
    vad: VadSettings = VadSettings()
    asr: AsrSettings = AsrSettings()
    llm: LlmSettings = LlmSettings()
    tts: TtsSettings = TtsSettings()
    turn: TurnSettings = TurnSettings()
    limits: LimitsSettings = LimitsSettings()
    ice: IceSettings = IceSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags first, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(config: Path | None = None, **flags: dict[str, Any]) -> Settings:
    """The settings in force.

    :param config: a TOML file instead of `antiphon.toml`.
    :param flags: tables that command-line flags set, such as ``server={"port": 8081}``.
    :raises ConfigError: naming each wrong key and what is wrong with it.
    """
    chosen: type[Settings] = Settings
    if config is not None:
        if not config.is_file():
            raise ConfigError(f"there is no settings file {config}; give --config an existing TOML file")
        chosen = type("Settings", (Settings,), {"model_config": {**Settings.model_config, "toml_file": config}})
    try:
        return chosen(**flags)  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()
        )
        raise ConfigError(f"settings: {wrong} (see docs/settings.md for the keys)") from error
    except ValueError as error:
        raise ConfigError(f"settings: {error}") from error
