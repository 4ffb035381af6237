"""The parts that OpenAI Realtime events are made of: what all have, items, responses, the session object.

Clients validate strictly and drop what does not fit, each in its own way; so optional fields are absent when
unset, and null is written only where the service itself writes null (`Wire.nulls`).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from agent.history import new_id


class Wire(BaseModel):
    """Whatever travels: immutable, strict, absent rather than null."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    nulls: ClassVar[frozenset[str]] = frozenset()
    """fields written as null when they are None; all others are left out"""

    @model_serializer(mode="wrap")
    def _leave_out(self, inner: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = inner(self)
        return {key: value for key, value in written.items() if value is not None or key in self.nulls}


class ServerEvent(Wire):
    """What all events of the server have."""

    event_id: str = Field(default_factory=lambda: new_id("event"))


# -- items ---------------------------------------------------------------------------------------------------

Status = Literal["completed", "incomplete", "in_progress"]


class InputText(Wire):
    """A typed user message's content."""

    type: Literal["input_text"] = "input_text"
    text: str


class InputAudio(Wire):
    """A spoken user message's content; the transcript is null until it is known."""

    nulls: ClassVar[frozenset[str]] = frozenset({"transcript"})
    type: Literal["input_audio"] = "input_audio"
    transcript: str | None = None


class OutputAudio(Wire):
    """A spoken answer's content."""

    type: Literal["output_audio"] = "output_audio"
    transcript: str


class OutputText(Wire):
    """A written answer's content."""

    type: Literal["output_text"] = "output_text"
    text: str


Content = Annotated[InputText | InputAudio | OutputAudio | OutputText, Field(discriminator="type")]


class MessageItem(Wire):
    """One message of the conversation."""

    id: str
    object: Literal["realtime.item"] = "realtime.item"
    type: Literal["message"] = "message"
    status: Status
    role: Literal["system", "user", "assistant"]
    content: list[Content]


class FunctionCall(Wire):
    """A function that the agent wants called; the client does so when it is completed."""

    id: str
    object: Literal["realtime.item"] = "realtime.item"
    type: Literal["function_call"] = "function_call"
    status: Status
    call_id: str
    name: str
    arguments: str
    """a JSON object; "" while it is in progress"""


class FunctionCallOutput(Wire):
    """What a called function gave, as the client says it."""

    id: str
    object: Literal["realtime.item"] = "realtime.item"
    type: Literal["function_call_output"] = "function_call_output"
    status: Status
    call_id: str
    output: str


Item = Annotated[MessageItem | FunctionCall | FunctionCallOutput, Field(discriminator="type")]


class AudioPart(Wire):
    """A spoken part of an answer as `response.content_part.*` shows it."""

    type: Literal["audio"] = "audio"
    transcript: str


class TextPart(Wire):
    """The same, of a written answer."""

    type: Literal["text"] = "text"
    text: str


Part = Annotated[AudioPart | TextPart, Field(discriminator="type")]


# -- responses -----------------------------------------------------------------------------------------------


class ResponseError(Wire):
    """Why a response failed."""

    type: str
    code: str
    message: str


class StatusDetails(Wire):
    """How a response ended, when it did not simply complete."""

    type: Literal["completed", "cancelled", "incomplete", "failed"]
    reason: Literal["turn_detected", "client_cancelled", "max_output_tokens", "content_filter"] | None = None
    error: ResponseError | None = None


class CachedTokens(Wire):
    """Tokens of the prompt that the language model did not have to read again."""

    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0


class InputTokens(Wire):
    """The prompt's tokens by kind."""

    text_tokens: int
    audio_tokens: int = 0
    image_tokens: int = 0
    cached_tokens: int = 0
    cached_tokens_details: CachedTokens = CachedTokens()


class OutputTokens(Wire):
    """The answer's tokens by kind."""

    text_tokens: int
    audio_tokens: int = 0


class Usage(Wire):
    """What a response cost."""

    total_tokens: int
    input_tokens: int
    output_tokens: int
    input_token_details: InputTokens
    output_token_details: OutputTokens


INPUT_TOKEN_MS, OUTPUT_TOKEN_MS = 100, 50
"""of sound in an audio token"""


def usage(prompt: int, cached: int, reply: int, heard_ms: int, voice_ms: int) -> Usage:
    """Text tokens as the language model counts them, and sound as the API does: clients need numbers.

    :param heard_ms: of the user's speech since the answer before.
    :param voice_ms: of the answer's own.
    """
    heard, voice = -(-heard_ms // INPUT_TOKEN_MS), -(-voice_ms // OUTPUT_TOKEN_MS)
    cached_tokens = CachedTokens(text_tokens=cached)
    return Usage(
        total_tokens=prompt + heard + reply + voice,
        input_tokens=prompt + heard,
        output_tokens=reply + voice,
        input_token_details=InputTokens(
            text_tokens=prompt, audio_tokens=heard, cached_tokens=cached, cached_tokens_details=cached_tokens
        ),
        output_token_details=OutputTokens(text_tokens=reply, audio_tokens=voice),
    )


class RateLimit(Wire):
    """How much of one thing a client may still ask for."""

    name: Literal["requests", "tokens"]
    limit: int
    remaining: int
    reset_seconds: float


class PcmFormat(Wire):
    """24 kHz, 16-bit, mono, little-endian."""

    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[24000] = 24000


class PcmuFormat(Wire):
    """G.711 mu-law, 8 kHz."""

    type: Literal["audio/pcmu"] = "audio/pcmu"


class PcmaFormat(Wire):
    """G.711 A-law, 8 kHz."""

    type: Literal["audio/pcma"] = "audio/pcma"


Format = Annotated[PcmFormat | PcmuFormat | PcmaFormat, Field(discriminator="type")]


class ResponseAudioOutput(Wire):
    """The voice of a response."""

    format: Format = PcmFormat()
    voice: str


class ResponseAudio(Wire):
    """A response's audio settings."""

    output: ResponseAudioOutput


ResponseStatus = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]


class Response(Wire):
    """One answer of the agent."""

    nulls: ClassVar[frozenset[str]] = frozenset({"status_details", "usage", "metadata", "conversation_id"})
    object: Literal["realtime.response"] = "realtime.response"
    id: str
    status: ResponseStatus
    status_details: StatusDetails | None = None
    output: list[Item] = []
    conversation_id: str | None = None
    output_modalities: list[Literal["text", "audio"]] = ["audio"]
    max_output_tokens: int | Literal["inf"] = "inf"
    audio: ResponseAudio
    usage: Usage | None = None
    metadata: dict[str, str] | None = None


class DurationUsage(Wire):
    """What a transcription cost."""

    type: Literal["duration"] = "duration"
    seconds: float


class ErrorBody(Wire):
    """The inside of an `error` event."""

    nulls: ClassVar[frozenset[str]] = frozenset({"code", "param", "event_id"})
    type: str
    code: str | None = None
    message: str
    param: str | None = None
    event_id: str | None = None
