"""What a request says, held against what it may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agent.errors import SignalingError

Body = TypeVar("Body", bound=BaseModel)


def checked(kind: type[Body], given: Any) -> Body:
    """The request as an object.

    :raises SignalingError: 400 naming the first thing that is wrong.
    """
    if not isinstance(given, Mapping):
        raise SignalingError(400, "The body is not a JSON object.", code="invalid_json")
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        param = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            raise SignalingError(
                400, f"The parameter {param} is missing.", code="missing_required_parameter", param=param
            ) from error
        raise SignalingError(400, f"{param}: {first['msg']}.", code="invalid_value", param=param) from error
