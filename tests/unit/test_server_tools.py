"""Tools that the server runs itself: what models read of them, their limits, and what becomes of them in a call."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from agent.engines.protocols import ANY, Call, CallDelta, Ending, Message, Piece, Scope, Tool
from agent.errors import ConfigError
from agent.events import EndOfTurn, Interrupt, Partial, Respond, SpeechEnded, SpeechStarted, Transcript
from agent.settings import McpSettings, ToolsSettings, load
from agent.tools.functions import Function
from agent.tools.toolbox import Toolbox
from agent.tools.work import CANCELLED
from tests.unit.test_drafted_calls import Watcher, ask, conversing, until

pytestmark = [pytest.mark.timeout(20)]
HERE = "tests.unit.test_server_tools"
ANSWERED = ["reply_started", "working", "worked", "written", "reply_ended", "reply_started", "told"]


def look_up(order: str, days: Annotated[int, Field(ge=1, description="how far back")] = 7) -> dict[str, Any]:
    """Where an order is.

    :param order: its number.
    """
    assert threading.current_thread() is not threading.main_thread(), "on the loop"
    return {"order": order, "where": "Oslo"}


async def wait(seconds: float = 0.0) -> str:
    await asyncio.sleep(seconds)
    return "waited"


def shout() -> str:
    return "A" * 1000


def fails() -> None:
    raise LookupError("no such order")


def nameless(order: str, /) -> str:
    return order


def loaded(*names: str, **settings: Any) -> Toolbox:
    return Toolbox.load(ToolsSettings(functions=[f"{HERE}:{name}" for name in names], **settings))


async def box(*names: str, **settings: Any) -> Toolbox:
    return await asyncio.to_thread(lambda: loaded(*names, **settings))


def test_a_schema_is_made_of_type_hints_and_the_docstring() -> None:
    tool = Function(f"{HERE}:look_up").tool
    assert (tool.name, tool.description) == ("look_up", "Where an order is.\n\n:param order: its number.")
    assert tool.parameters is not None
    assert tool.parameters["required"] == ["order"]
    assert tool.parameters["properties"]["days"] | {"title": ""} == {
        "default": 7,
        "description": "how far back",
        "minimum": 1,
        "title": "",
        "type": "integer",
    }


@pytest.mark.parametrize(
    ("functions", "says"),
    [
        (["nowhere:look_up"], "working directory"),
        ([f"{HERE}:nothing"], "working directory"),
        ([HERE], "module:function"),
        ([f"{HERE}:HERE"], "no function"),
        ([f"{HERE}:nameless"], "without names"),
        ([f"{HERE}:shout", f"{HERE}:shout"], "rename"),
    ],
)
def test_what_can_not_be_called_is_said_at_the_start(functions: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Toolbox.load(ToolsSettings(functions=functions))


@pytest.mark.parametrize("server", ["", "stdio:", "example.org/mcp", {"url": "http://x/", "command": "y"}])
def test_an_mcp_server_is_an_address_or_a_command(server: Any) -> None:
    with pytest.raises(ConfigError, match=r"tools\.mcp.*stdio: and a command line"):
        load(tools={"mcp": [server]})


def test_an_mcp_server_is_written_as_a_text_or_a_table() -> None:
    table = {"url": "https://example.org/mcp?key=secret", "authorization": "Bearer secret", "allowed_tools": ["a"]}
    program, there = load(tools={"mcp": ["stdio:my-server --flag 'two words'", table]}).tools.mcp
    assert (program.command, program.args, program.name) == ("my-server", ["--flag", "two words"], "my-server")
    assert there.name == "https://example.org/mcp"
    assert "secret" not in repr(there.authorization)


def test_mcp_that_is_not_installed_is_said_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "agent.tools.mcp_server", None)
    with pytest.raises(ConfigError, match=r"pip install 'antiphon\[mcp\]'"):
        Toolbox.load(ToolsSettings(mcp=[McpSettings(command="x")]))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "arguments", "fate", "text"),
    [
        ("look_up", '{"order": "7"}', "answered", '{"order":"7","where":"Oslo"}'),
        ("wait", "{}", "answered", "waited"),
        ("look_up", '{"days": 0}', "failed", "Error: order: Missing required argument; days: Input should be"),
        ("fails", "{}", "failed", "Error: no such order"),
        ("shout", "{}", "answered", "A" * 100 + " … (cut off: 1000 characters in all)"),
        ("gone", "{}", "failed", "Error: there is no tool gone any more"),
        ("wait", '{"seconds": 60}', "late", "Error: no answer within 0.2 s."),
    ],
)
async def test_whatever_a_tool_does_the_model_reads_a_text(name: str, arguments: str, fate: str, text: str) -> None:
    tools = await box("look_up", "wait", "fails", "shout", timeout_s=0.2, result_chars=100)
    result = await tools.call(Call("1", name, arguments))
    tools.close()
    assert result.fate == fate
    assert result.text.startswith(text)


@pytest.mark.asyncio
async def test_no_word_of_a_tool_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tools = await box("fails", "look_up")
    await asyncio.gather(*(tools.call(Call(name, name, '{"order": "secret"}')) for name in ("fails", "look_up")))
    tools.close()
    assert "a tool failed tool=fails error=" in caplog.text
    assert not {"secret", "no such order"} & set(caplog.text.replace("'", " ").split())


@pytest.mark.asyncio
async def test_functions_that_block_run_side_by_side_and_one_that_hangs_is_given_up() -> None:
    tools = await box("stand", timeout_s=0.3)
    results = await asyncio.gather(*(tools.call(Call(str(n), "stand", "{}")) for n in range(2)))
    GO.set()
    tools.close()
    assert [result.fate for result in results] == ["late", "late"]


GO = threading.Event()


def stand() -> str:
    GO.wait(10)
    return "stood"


def test_a_client_s_tool_of_the_same_name_is_the_client_s() -> None:
    tools = loaded("look_up", "shout")
    scope = tools.offered(Scope((Tool("shout", "theirs"),), choice="required"))
    assert [(tool.name, tool.description[:6]) for tool in scope.tools] == [("shout", "theirs"), ("look_up", "Where ")]
    assert tools.names(Scope((Tool("shout"),))) == {"look_up"}
    assert tools.offered(Scope(choice="required"), last=True).choice == "none"
    assert Toolbox().offered(ANY) is ANY


@pytest.mark.asyncio
async def test_the_example_of_the_documentation_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = await asyncio.to_thread(documented, tmp_path, monkeypatch)
    results = [await tools.call(Call("1", "where_is_my_order", '{"number": "A-17"}'))]
    results.append(await tools.call(Call("2", "opening_hours", "{}")))
    tools.close()
    assert [result.text for result in results] == [
        "Order A-17 left Oslo this morning.",
        '{"opens":"nine","closes":"six"}',
    ]
    assert [server.name for server in tools.servers][1:] == [
        "my-mcp-server",
        "https://intern.example.org/mcp",
        "another-server",
    ]


def documented(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Toolbox:
    """What docs/tools.md makes of a working directory."""
    page = (Path(__file__).parents[2] / "docs" / "tools.md").read_text()
    for name, language in (("my_tools.py", "python"), ("antiphon.toml", "toml")):
        (folder / name).write_text(page.split(f"```{language}\n")[1].split("```")[0])
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return Toolbox.load(load().tools)


# -- in a conversation ---------------------------------------------------------------------------------------


class Model:
    """Calls what it is told to, once a question or always, and then says what came of it."""

    def __init__(self, *calls: Call, always: bool = False, said: str = "") -> None:
        self.prompts: list[Sequence[Message]] = []
        self.scopes: list[Scope] = []
        self._calls, self._always, self._said = calls, always, said

    async def prefill(self, messages: Sequence[Message], scope: Scope = ANY) -> None:
        """Read nothing."""

    async def reply(self, messages: Sequence[Message], scope: Scope = ANY) -> AsyncGenerator[Piece, None]:
        """Calls; or, where the last message is their result, a text."""
        self.prompts.append(messages)
        self.scopes.append(scope)
        if messages[-1].role == "tool" and not (self._always and scope.choice != "none"):
            yield f"It is {messages[-1].text}."
        elif messages[-1].text == "Never mind.":
            yield "Very well."
        else:
            if self._said:
                yield self._said
            for call in self._calls:
                yield CallDelta(call.id, call.name, call.arguments)
                yield call
        yield Ending()


def asked(conversation: Any) -> None:
    """Say something, and be done with it."""
    ask(conversation)
    conversation.post(EndOfTurn("caller", 1, 0.0))


class Booking:
    """What became of the one that runs."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.ended: list[str] = []


BOOKINGS: list[Booking] = []


@pytest.fixture
async def booking() -> Booking:
    BOOKINGS.append(Booking())
    return BOOKINGS[-1]


async def book(hours: int = 0) -> str:
    """Takes until it is cancelled."""
    BOOKINGS[-1].started.set()
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        BOOKINGS[-1].ended.append("cancelled")
        raise
    return "late"


def roles(conversation: Any) -> list[str]:
    return [f"{entry.role}{' calls' if entry.call else ''}" for entry in conversation.history.entries]


@pytest.mark.asyncio
async def test_a_tool_is_run_and_the_model_goes_on_with_its_answer() -> None:
    model, watcher = Model(Call("1", "look_up", '{"order": "7"}')), Watcher()
    async with conversing(model, watcher, await box("look_up")) as conversation:
        asked(conversation)
        await until(watcher, "audible")
        told = [name for name in watcher.names if name in {*ANSWERED, "calling", "called"}]
        assert told[: len(ANSWERED)] == ANSWERED
        assert "calling" not in told, "nobody else is to call it"
    assert model.prompts[1][-1] == Message("tool", '{"order":"7","where":"Oslo"}', call_id="1")
    assert [tool.name for tool in model.scopes[0].tools] == ["weather", "look_up"]


@pytest.mark.asyncio
async def test_nothing_is_called_in_a_draft_and_a_released_draft_calls_once() -> None:
    CALLS.clear()
    model, watcher = Model(Call("1", "count", "{}")), Watcher()
    async with conversing(model, watcher, await box("count")) as conversation:
        ask(conversation)
        while not model.prompts:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)  # nothing is what is waited for
        assert not CALLS
        conversation.post(SpeechStarted("caller", 1, 1.5))
        conversation.post(SpeechEnded("caller", 1, 2.0))
        conversation.post(Transcript("caller", 1, "How is the weather in Oslo?", "en"))
        conversation.post(EndOfTurn("caller", 1, 0.0))
        await until(watcher, "audible")
    assert CALLS == ["count"], "the first draft was dropped, the second was the answer"


CALLS: list[str] = []


async def count() -> str:
    CALLS.append("count")
    return "one"


@pytest.mark.asyncio
@pytest.mark.parametrize(("said", "fillers"), [("", 1), ("Let me see.", 0)])
async def test_a_slow_tool_is_bridged_unless_the_model_has_said_something(said: str, fillers: int) -> None:
    model, watcher = Model(Call("1", "wait", '{"seconds": 0.2}'), said=said), Watcher()
    async with conversing(model, watcher, await box("wait"), filler_s=0.02) as conversation:
        asked(conversation)
        while watcher.names.count("reply_ended") < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        first = watcher.names[: watcher.names.index("reply_ended")]
        assert first.count("told") == 1
        assert (first.index("told") > first.index("working")) == bool(fillers)
        expected = ["user", *["assistant"] * bool(said), "assistant calls", "tool", "assistant"]
        assert roles(conversation) == expected, "a model that reads fillers says them"


@pytest.mark.asyncio
async def test_the_rest_is_thought_of_while_the_filler_is_heard() -> None:
    model, watcher = Model(Call("1", "wait", '{"seconds": 0.05}')), Watcher()
    async with conversing(model, watcher, await box("wait"), filler_s=0.01) as conversation:
        asked(conversation)
        while len(model.prompts) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert "reply_ended" not in watcher.names
        assert conversation.playout.queued
        while watcher.names.count("audible") < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert len(model.prompts) == 2


@pytest.mark.asyncio
async def test_the_rest_that_is_thought_of_is_dropped_with_the_filler() -> None:
    model, watcher = Model(Call("1", "wait", '{"seconds": 0.05}')), Watcher()
    async with conversing(model, watcher, await box("wait"), filler_s=0.01) as conversation:
        asked(conversation)
        while len(model.prompts) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        conversation.post(Interrupt())
        await until(watcher, "reply_ended")
        await asyncio.sleep(0.05)  # nothing is what is waited for
        assert watcher.names.count("reply_started") == 1
        assert roles(conversation) == ["user", "assistant calls", "tool"]


@pytest.mark.asyncio
async def test_an_interruption_cancels_the_tool_and_the_model_is_told(booking: Booking) -> None:
    model, watcher = Model(Call("1", "book", "{}")), Watcher()
    async with conversing(model, watcher, await box("book")) as conversation:
        asked(conversation)
        await booking.started.wait()
        conversation.post(SpeechStarted("caller", 2, 3.0))
        await asyncio.sleep(0.5)  # two words are not said sooner
        conversation.post(Partial("caller", 2, "Never mind."))
        conversation.post(SpeechEnded("caller", 2, 4.0))
        conversation.post(Transcript("caller", 2, "Never mind.", "en"))
        conversation.post(EndOfTurn("caller", 2, 0.0))
        while watcher.names.count("reply_ended") < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert booking.ended == ["cancelled"]
        assert roles(conversation) == ["user", "assistant calls", "tool", "user", "assistant"]
    assert model.prompts[1][-2:] == [Message("tool", CANCELLED.text, call_id="1"), Message("user", "Never mind.")]


@pytest.mark.asyncio
async def test_a_cough_does_not_cancel_a_tool(booking: Booking) -> None:
    model, watcher = Model(Call("1", "book", "{}")), Watcher()
    async with conversing(model, watcher, await box("book")) as conversation:
        asked(conversation)
        await booking.started.wait()
        conversation.post(SpeechStarted("caller", 2, 3.0))
        conversation.post(SpeechEnded("caller", 2, 3.2))
        conversation.post(Transcript("caller", 2, "mhm", "en"))
        await asyncio.sleep(0.1)  # nothing is what is waited for
        assert not booking.ended
        assert conversation.replying
    assert booking.ended == ["cancelled"], "the call is over"


@pytest.mark.asyncio
async def test_a_model_that_calls_without_end_must_answer() -> None:
    model, watcher = Model(Call("1", "wait", "{}"), always=True), Watcher()
    async with conversing(model, watcher, await box("wait", rounds=3)) as conversation:
        asked(conversation)
        await until(watcher, "audible")
    assert [scope.choice for scope in model.scopes] == ["auto", "auto", "auto", "none"]


@pytest.mark.asyncio
async def test_calls_of_both_run_and_the_client_says_when_it_goes_on() -> None:
    model, watcher = Model(Call("1", "wait", '{"seconds": 0.1}'), Call("2", "weather", "{}")), Watcher()
    async with conversing(model, watcher, await box("wait")) as conversation:
        asked(conversation)
        await until(watcher, "written")
        assert "worked" not in watcher.names, "the client need not wait for our tools"
        assert watcher.names.count("called") == 1
        conversation.respond()
        await until(watcher, "audible")
        assert watcher.names.index("worked") < watcher.names.index("reply_ended")
        assert conversation.history.entries[-1].role == "tool"
    assert len(model.prompts) == 2
    assert model.prompts[1][-1].text == "waited", "its own answer waited for our tool"


@pytest.mark.asyncio
async def test_a_typed_question_stops_a_tool(booking: Booking) -> None:
    model, watcher = Model(Call("1", "book", "{}")), Watcher()
    async with conversing(model, watcher, await box("book")) as conversation:
        asked(conversation)
        await booking.started.wait()
        conversation.post(Respond())
        while len(model.prompts) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert model.prompts[1][-1].text == CANCELLED.text
