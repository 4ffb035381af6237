"""Every error Antiphon raises on purpose.

::

    AntiphonError
    ├── ConfigError              a setting is wrong, or two of them contradict each other
    ├── SignalingError           a request that is refused: HTTP status, OpenAI-shaped body
    ├── TransportError           the peer connection can not be made, or broke
    ├── EngineError              a model failed while it worked
    ├── ModelMissing             a model's files are not here and may not or can not be fetched
    ├── ModelCorrupt             a file is not the file that its checksum names
    └── AudioError               a file or buffer that is not the audio it claims to be

A message says what happened, where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping


class AntiphonError(Exception):
    """The root of the tree."""


class ConfigError(AntiphonError):
    """A setting is wrong. The message names the key and the remedy."""


class SignalingError(AntiphonError):
    """A request that is refused.

    Rendered as ``{"error": {"message", "type", "param", "code"}}`` with ``status``.
    """

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param

    def body(self) -> dict[str, dict[str, str | None]]:
        """The JSON body, in OpenAI's shape."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def no_such_call(call_id: str) -> SignalingError:
    """The refusal for a call that is over, or never was."""
    return SignalingError(404, f"There is no call {call_id[:60]}; it may have ended.", code="call_not_found")


def not_ready(waiting: Mapping[str, str]) -> SignalingError:
    """The refusal while something is not ready yet.

    :param waiting: what, and why.
    """
    reasons = ", ".join(f"{part}: {why}" for part, why in waiting.items())
    return SignalingError(503, f"The server is not ready yet ({reasons}); try again.", code="not_ready")


class TransportError(AntiphonError):
    """The peer connection can not be made, or broke."""


class EngineError(AntiphonError):
    """A model failed while it worked."""

    def __init__(self, engine: str, stage: str, message: str) -> None:
        super().__init__(f"{engine} failed at {stage}: {message}")
        self.engine = engine
        self.stage = stage


class ModelMissing(AntiphonError):
    """A model's files are not here; the message says how to get them."""

    def __init__(self, model: str, hint: str) -> None:
        super().__init__(f"model {model!r} is not on this machine: {hint}")
        self.model = model
        self.hint = hint


class ModelCorrupt(AntiphonError):
    """A model file's content is not what its checksum names."""

    def __init__(self, path: str, expected: str, actual: str) -> None:
        super().__init__(
            f"{path} is not the file it should be: sha256 {actual}, expected {expected}; "
            f"delete it and run `antiphon models pull`"
        )
        self.path = path
        self.expected = expected
        self.actual = actual


class AudioError(AntiphonError):
    """A file or buffer that is not the audio it claims to be."""


OUTSPOKEN = (AntiphonError, OSError, MemoryError, ImportError, NameError, AttributeError, TypeError)
"""kinds of errors whose messages speak of the program and the machine"""


def discreet(error: BaseException) -> str:
    """What a log line may say of an error. Whoever raises a ValueError tends to quote the value, and the values here
    are what people say."""
    return f"{type(error).__name__}: {error}" if isinstance(error, OUTSPOKEN) else type(error).__name__
