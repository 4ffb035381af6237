"""The log names places and kinds of errors; what was said, and is quoted in one, it leaves out."""

from __future__ import annotations

import logging

import pytest

from agent.engines.llm.openai import OpenAIChat
from agent.engines.protocols import Message
from agent.errors import EngineError, discreet
from agent.private_log import Discreet
from tests.scripted_llm import Answer, scripted_llm

SAID = "crocodiles in Venezuela"


def logged(error: BaseException) -> str:
    """A line of the log with this error's traceback."""
    record = logging.LogRecord(
        "agent", logging.ERROR, __file__, 1, "it failed", (), (type(error), error, error.__traceback__)
    )
    return Discreet("%(message)s").format(record)


def test_a_traceback_says_where_and_not_what() -> None:
    try:
        try:
            raise KeyError(SAID)
        except KeyError as error:
            raise ValueError(f"no {SAID}") from error
    except ValueError as raised:
        text = logged(raised)
    assert SAID not in text
    assert "KeyError" in text and "ValueError" in text and "which led to" in text
    assert "test_private_log.py" in text


def test_a_group_is_opened() -> None:
    text = logged(ExceptionGroup(SAID, [ValueError(SAID), OSError(28, "No space left on device")]))
    assert SAID not in text
    assert "ExceptionGroup of 2" in text and "ValueError" in text
    assert "No space left on device" in text


@pytest.mark.parametrize("error", [EngineError("asr", "work", "no answer"), OSError("gone"), TypeError("not a str")])
def test_errors_of_the_program_and_the_machine_are_told_in_full(error: Exception) -> None:
    assert str(error) in discreet(error)


async def test_a_server_that_quotes_the_conversation_is_not_quoted() -> None:
    prompt = [Message("system", "You are a lighthouse."), Message("user", f"There are {SAID}.")]
    for message, told in ((f"bad input: 'There are {SAID}.'", False), ("the model is not here", True)):
        async with scripted_llm(lambda _, message=message: Answer(status=400, message=message)) as llm:  # type: ignore[misc]
            chat = OpenAIChat(url=llm.url, model="scripted")
            with pytest.raises(EngineError) as failed:
                async for _ in chat.reply(prompt):
                    pass
            await chat.close()
        assert SAID not in str(failed.value)
        assert (message in str(failed.value)) == told
        assert "check the address" in str(failed.value), "the remedy stays"
