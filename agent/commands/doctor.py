"""`antiphon doctor`: what is in force, what is missing, and the fix for each."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.errors import AntiphonError
from agent.settings import Settings, load

LANGUAGE_MODEL = "language model"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says."""

    name: str
    text: str
    """what is there, or what is wrong and the fix"""
    good: bool = field(default=True, kw_only=True)
    details: list[str] = field(default_factory=list, kw_only=True)

    def __str__(self) -> str:
        first = f"{'ok   ' if self.good else 'FAIL '} {self.name}: {self.text}"
        return "\n".join([first, *(f"        {detail}" for detail in self.details)])


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("doctor", help="check settings, models, the language model and the network")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (antiphon.toml)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every check; 1 if one failed."""
    settings = load(args.config)
    print("Settings in force:")
    in_force = json.dumps(_masked(settings.model_dump(mode="json")), indent=2, ensure_ascii=False)
    for line in in_force.splitlines()[1:-1]:
        print(line)
    status = 0
    for finding in _findings(settings):
        print(finding, flush=True)
        status = max(status, int(not finding.good))
    return status


def _findings(settings: Settings) -> Iterator[Finding]:
    engines = list(_engines(settings))
    yield from engines
    if all(finding.name != LANGUAGE_MODEL for finding in engines):
        try:
            yield Finding(LANGUAGE_MODEL, _language_model(settings))
        except AntiphonError as error:
            yield Finding(LANGUAGE_MODEL, str(error), good=False)
    if settings.tools.functions or settings.tools.mcp:
        yield from tools(settings)
    from agent.commands.connectivity import findings

    yield from findings(settings)


def tools(settings: Settings) -> Iterator[Finding]:
    """What the language model could call of the server's own; a server's own complaints go to the terminal."""
    from agent.tools.toolbox import Toolbox

    try:
        toolbox = Toolbox.load(settings.tools)
    except AntiphonError as error:
        yield Finding("tools", str(error), good=False)
        return
    toolbox.close()
    if not settings.llm.url:
        fix = "set llm.url (doctor does not see the flags of serve)"
        yield Finding("tools", f"the embedded language models call none; {fix}", good=False)
    if toolbox.tools:
        yield Finding("tools", ", ".join(tool.name for tool in toolbox.tools))
    if settings.tools.mcp:
        from agent.tools.mcp_server import McpServer, reason

        async def listed(server: McpServer) -> str:
            async with server.connected():
                return ", ".join(tool.name for tool in server.tools) or "no tools"

        for chosen in settings.tools.mcp:
            server = McpServer(chosen, sys.stderr)
            try:
                yield Finding(f"mcp {server.name}", asyncio.run(listed(server)))
            except Exception as error:  # foreign code, over a network
                yield Finding(f"mcp {server.name}", reason(error), good=False)


def _masked(table: Any) -> Any:
    """An engine's own table may hold a key, too; the settings mask only those that they know."""
    if not isinstance(table, dict):
        return table
    return {key: "**********" if key == "api_key" and value else _masked(value) for key, value in table.items()}


def _engines(settings: Settings) -> Iterator[Finding]:
    """The models that the engines work with, and each engine that could not be loaded."""
    from agent.commands.engines_chosen import chosen, models

    here: list[str] = []
    wrong: list[Finding] = []
    for group, name, options in chosen(settings):
        try:
            here += models(group, name, options)
        except AntiphonError as error:
            wrong.append(Finding(LANGUAGE_MODEL if group == "llm" else f"{group} engine", str(error), good=False))
    yield Finding("models", ", ".join(here) or "none is needed here")
    yield from wrong


def _language_model(settings: Settings) -> str:
    if not settings.llm.url:
        return f"embedded ({settings.llm.model})"
    from agent.engines.llm.openai import OpenAIChat
    from agent.engines.protocols import Message

    async def ask() -> None:
        chat = OpenAIChat(
            url=settings.llm.url,
            model=settings.llm.model,
            api_key=settings.llm.api_key.get_secret_value(),
            warm_s=5.0,
        )
        try:
            await chat.warm([Message("user", "Hello")])
        finally:
            await chat.close()

    asyncio.run(ask())
    return f"{settings.llm.model} answers at {settings.llm.url}"
