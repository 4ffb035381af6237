"""Settings: `antiphon.toml` in the working directory, or `ANTIPHON__SECTION__KEY` in the environment.

Every duration has its unit in its name. `antiphon doctor` prints what is in force.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from agent import misspelt
from agent.errors import ConfigError

INSTRUCTIONS = (
    "You are a friendly voice assistant on a phone call. Answer in one or two short spoken sentences. "
    "Use plain words only: no lists, no markdown, no emoji."
)


class Section(BaseModel):
    """A table of the settings; an unknown key is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Key = Annotated[SecretStr, Field(min_length=16)]


class ServerSettings(Section):
    """Where the server listens."""

    host: str = "127.0.0.1"
    """address; anything but loopback wants `server.keys`"""
    port: int = Field(8080, ge=0, le=65535)
    """TCP port; 0 takes a free one"""
    processes: int = Field(1, ge=1, le=64)
    """that hold the calls; more than one keeps the calls of a machine with many cores from waiting for each other. The
    models are loaded once, whatever their number"""
    hosts: list[str] = []
    """names under which browsers may call, beside loopback's: that of a proxy in front, such as voice.example.org"""
    origins: list[str] = []
    """other sites whose pages may call, such as https://shop.example.org"""
    keys: list[Key] = []
    """API keys, at least 16 characters each, sent as `Authorization: Bearer`; with any, nobody calls without one or a
    token that was made with one (`antiphon token`). The first one signs the tokens"""
    certificate: Path | None = None
    """PEM file with the TLS certificate and what it was signed with; browsers give the microphone only to https, or to
    the own machine"""
    private_key: Path | None = None
    """PEM file with the certificate's key"""


class AgentSettings(Section):
    """Who answers."""

    instructions: str = INSTRUCTIONS
    """the system prompt, until a client sets its own"""
    greeting: str = ""
    """said when the line is open; "" lets the caller speak first"""
    greeting_interruption: Literal["cut", "keep", "after"] = "cut"
    """what speech does to the greeting, as `turn.interruption`"""
    reprompt: str = "Are you still there?"
    """said when nobody has said anything for `turn.reprompt_s`"""
    apology: str = "Sorry, something went wrong. Please say that again."
    """said when an engine failed"""
    goodbye: str = "I have to go now. Goodbye."
    """said before the agent hangs up: the server stops, or the call has reached its limit"""
    filler: str = "One moment."
    """said when a tool takes longer than `tools.filler_ms`; "" for nothing"""
    cut_in: str = "Sorry to interrupt."
    """said before the answer to somebody who has not paused for `turn.most_turn_s`"""


class EngineSettings(Section):
    """A seam's table: which engine, and in a table of the engine's own name what that engine takes."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, dict[str, Any]]

    def options(self, engine: str) -> dict[str, Any]:
        """The engine's own settings, its constructor's keyword arguments."""
        return dict((self.__pydantic_extra__ or {}).get(engine, {}))


class NoiseSettings(EngineSettings):
    """Noise suppression on the way in, before anything listens."""

    engine: str = ""
    """webrtc-ns (needs `antiphon[webrtc-ns]`); "" for none: recognition does not gain from it (docs/media.md)"""


class VadSettings(EngineSettings):
    """Voice activity detection."""

    engine: str = "silero"


class AsrSettings(EngineSettings):
    """Speech recognition."""

    engine: str = "whisper"
    """whisper, or openai: a server's, of which `asr.openai` tells (docs/rest.md)"""
    model: str = "auto"
    """a catalogue id, or the name that a server knows; auto: whisper-tiny.en for English, whisper-base for every other
    language"""
    language: str = "en"
    """ISO 639-1; "" detects it in each utterance"""


class LlmSettings(EngineSettings):
    """The language model."""

    model: str = "auto"
    """without a URL an embedded one: smollm2, qwen2.5-0.5b or auto; with a URL, the name that server knows"""
    url: str = ""
    """base URL of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1; "" runs the embedded one"""
    api_key: SecretStr = SecretStr("")
    history_chars: int = Field(0, ge=0)
    """of the conversation that the model is given; past it the older half is forgotten. 0 chooses: 1600 for the
    embedded one, whose every token costs more the longer its prompt is, 24000 for a server's"""


class TtsSettings(EngineSettings):
    """Speech synthesis."""

    engine: str = "hibari"
    """hibari, espeak, or openai: a server's, of which `tts.openai` tells (docs/rest.md)"""
    voice: str = ""
    """the engine's name for a voice; "" is its default"""
    language: str = "en"
    """ISO 639-1"""


class McpSettings(Section):
    """An MCP server: where it is, or the program that it is."""

    url: str = ""
    """of a server that speaks streamable HTTP"""
    command: str = ""
    """of a server that speaks on stdin and stdout; it is started with ours, and ends with it"""
    args: list[str] = []
    """of the command"""
    env: dict[str, SecretStr] = {}
    """of the command, beside HOME, PATH and the like"""
    authorization: SecretStr = SecretStr("")
    """the header, such as Bearer and a token"""
    allowed_tools: list[str] | None = None
    """names of those that may be called; None for all"""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """``https://…`` and ``stdio:program argument …``."""
        if not isinstance(value, str):
            return value
        if value.startswith("stdio:"):
            command, *args = shlex.split(value.removeprefix("stdio:")) or [""]
            return {"command": command, "args": args}
        return {"url": value}

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.command) == bool(self.url) or (self.url and not self.url.startswith(("http://", "https://"))):
            raise ValueError("write an address, https://…, or stdio: and a command line")
        return self

    @property
    def name(self) -> str:
        """What the log calls it: without arguments, which may be secrets."""
        return self.url.partition("?")[0] or self.command


class ToolsSettings(Section):
    """What the language model can call of the server's own: docs/tools.md."""

    functions: list[str] = []
    """Python functions, such as my_module:look_up; modules of the working directory, too"""
    mcp: list[McpSettings] = []
    """MCP servers, such as https://example.org/mcp or stdio:my-server --flag (needs `antiphon[mcp]`)"""
    timeout_s: float = Field(20.0, gt=0)
    """a call that has not answered by then has failed, and the model is told so"""
    result_chars: int = Field(8000, ge=100)
    """of a result; the rest is cut off"""
    rounds: int = Field(5, ge=1, le=50)
    """of calls before one answer; then the model must answer with what it has"""
    filler_ms: int = Field(800, ge=0)
    """a tool that takes longer is bridged with `agent.filler`, unless the model has said something itself"""
    shown: bool = True
    """clients are told of calls and results; false: they only hear the answer"""


class TurnSettings(EngineSettings):
    """Turn-taking. Silence is counted from the last sound, speech from its first."""

    mode: Literal["auto", "manual"] = "auto"
    """manual: a client says when a turn is over (push to talk), and speech does not interrupt"""
    detector: str = "smart-turn"
    """the engine that judges by the sound whether a pause is the end; "" for none: pauses are then only timed"""
    reader: bool = True
    """the embedded language model judges by the words, too, whether a pause is the end; beside a server's model
    (`llm.url`) it runs for that alone, if it is on this machine"""
    pause_ms: int = Field(96, ge=32, le=2000)
    """silence after which a pause is noticed and judged"""
    sure_ms: int = Field(250, ge=32, le=5000)
    """silence that ends a turn which is surely over; people pause for 200 between two clauses"""
    endpointing_ms: int = Field(650, ge=100, le=10000)
    """silence that ends a turn which is probably over; without a detector, every turn"""
    limit_ms: int = Field(1700, ge=100, le=20000)
    """silence that ends a turn which sounds unfinished; a speaker who pauses for longer is given longer"""
    thinking_ms: int = Field(0, ge=0, le=3000)
    """speech that withdraws an answer which is not audible yet; meanwhile it is held back"""
    yield_ms: int = Field(200, ge=0, le=3000)
    """speech over the agent's, ducked from its beginning, until the agent falls silent to listen"""
    insist_ms: int = Field(900, ge=0, le=10000)
    """speech after that until it is an interruption although no words were made out"""
    interruption: Literal["cut", "keep", "after"] = "cut"
    """what speech does to an answer: cut it; nothing, but keep what was said for the next turn; answer it afterwards"""
    most_turn_s: float = Field(60.0, ge=0)
    """after so long without a pause the agent cuts in, politely; 0 for never"""
    reprompt_s: float = Field(0.0, ge=0)
    """after so much silence on the line the agent asks whether anybody is there; 0 for never"""
    drafts: bool = True
    """prepare the answer in the pause, before it is sure that the turn is over"""
    partials: bool = True
    """recognise while the person still speaks: for interruptions by words, captions, and an LLM that reads along"""


class RoomSettings(Section):
    """Rooms: several people and one agent in one conversation. A call without a room's name is a room of one person."""

    policy: Literal["one_to_one", "addressed", "moderated", "scribe"] = "addressed"
    """whom the agent answers: who speaks to it (addressed), who holds the button (moderated), everybody (one_to_one),
    nobody (scribe: it listens and writes)"""
    agent_name: str = Field("Antiphon", min_length=1, max_length=40)
    """by which people speak to it"""
    capacity: int = Field(10, ge=1)
    """people of one room; one more is refused with 403"""
    recording: str = ""
    """folder for recordings of rooms; "" records nothing"""
    recording_notice: str = "This conversation is recorded."
    """said to everybody who joins a room that is; they see it, too"""


class LimitsSettings(Section):
    """What a call may take."""

    calls: int = Field(16, ge=1)
    """calls at once; one more is refused with 503"""
    calls_per_key: int = Field(0, ge=0)
    """with one key or token; 0 for no limit of its own. One more is refused with 429"""
    calls_per_address: int = Field(0, ge=0)
    """from one IP address, which behind a proxy is the proxy's; 0 for no limit of its own"""
    events_per_s: int = Field(200, ge=0)
    """of one client, and twice as many at once; more are dropped, and it is told so. Sound that comes in events is not
    counted. 0 for no limit"""
    event_bytes_per_s: int = Field(2_000_000, ge=0)
    """what these may weigh, and twice as much at once; the same again for sound in events, and ten minutes of it at
    once. 0 for no limit"""
    longest_s: float = Field(0.0, ge=0)
    """the longest call; 0 for no limit"""
    idle_s: float = Field(0.0, ge=0)
    """a call in which nobody has said anything for so long ends; 0 for never"""
    drain_s: float = Field(5.0, ge=0)
    """calls in progress may go on for so long after SIGTERM; then the agent says goodbye and hangs up"""
    request_s: float = Field(15.0, gt=0)
    """a client may take so long to send the headers of a request, and as long again for its body; then 408"""
    upload_s: float = Field(300.0, gt=0)
    """and so long for a recording, over REST"""
    connect_s: float = Field(10.0, gt=0)
    """a call that has not connected by then ends"""
    peer_gone_s: float = Field(6.0, gt=0)
    """a client that nothing was heard of for so long is lost"""
    reconnect_s: float = Field(30.0, ge=0)
    """a client that was lost may come back for so long; then the call ends"""
    stuck_s: float = Field(12.0, gt=0)
    """an answer that has made no progress for so long is given up, with an apology; so is a transcript"""


class IceSettings(Section):
    """How peers reach us."""

    addresses: list[str] = []
    """gather candidates on these addresses only; none means: loopback for a loopback server, else all"""
    servers: list[str] = []
    """STUN and TURN servers, such as stun:stun.example.org:3478 or turn:turn.example.org:3478?transport=tcp; none is
    asked unless it stands here"""
    turn_username: str = ""
    """for TURN servers with fixed passwords"""
    turn_credential: SecretStr = SecretStr("")
    turn_secret: SecretStr = SecretStr("")
    """for TURN servers whose short-lived passwords are made from it, as with coturn's `use-auth-secret`"""
    turn_ttl_s: int = Field(600, ge=60, le=86400)
    """how long such a password is good"""
    relay_only: bool = False
    """tell nobody our own addresses; everything goes by TURN"""
    public_address: str = ""
    """told in place of our own addresses, where a network translates it to them"""
    ports: str = Field("", pattern=r"^(\d+-\d+)?$")
    """UDP ports for calls, such as 50000-50100; "" takes any"""


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
    noise: NoiseSettings = NoiseSettings()
    vad: VadSettings = VadSettings()
    asr: AsrSettings = AsrSettings()
    llm: LlmSettings = LlmSettings()
    tts: TtsSettings = TtsSettings()
    tools: ToolsSettings = ToolsSettings()
    turn: TurnSettings = TurnSettings()
    room: RoomSettings = RoomSettings()
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
        settings = chosen(**flags)  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()
        )
        raise ConfigError(f"settings: {wrong} (see docs/settings.md for the keys)") from error
    except ValueError as error:
        raise ConfigError(f"settings: {error}") from error
    _refuse_misspelt(settings)
    return settings


def _refuse_misspelt(settings: Settings) -> None:
    wrong = list(misspelt.sections(os.environ, str(settings.model_config["env_prefix"]), Settings.model_fields))
    for name, section in settings:
        if isinstance(section, EngineSettings):
            wrong += misspelt.tables(name, section.__pydantic_extra__ or ())
    if wrong:
        raise ConfigError(f"settings: {'; '.join(wrong)} (see docs/settings.md for the keys)")
