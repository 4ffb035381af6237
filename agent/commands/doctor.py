"""`antiphon doctor`: what is in force, what is missing, and the fix for each."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path

from agent.errors import AntiphonError
from agent.settings import Settings, load


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser("doctor", help="check settings, models, the language model and the network")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (antiphon.toml)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every check; 1 if one failed."""
    settings = load(args.config)
    print("Settings in force:")
    for line in settings.model_dump_json(indent=2).splitlines()[1:-1]:
        print(line)
    checks: list[tuple[str, Callable[[Settings], str]]] = [
        ("models", _models),
        ("language model", _language_model),
        ("ICE candidates", _candidates),
    ]
    return max([_checked(name, check, settings) for name, check in checks])


def _checked(name: str, check: Callable[[Settings], str], settings: Settings) -> int:
    try:
        print(f"ok    {name}: {check(settings)}")
    except AntiphonError as error:
        print(f"FAIL  {name}: {error}")
        return 1
    return 0


def _models(settings: Settings) -> str:
    from agent.engines.asr.by_language import ENGLISH, MULTILINGUAL
    from agent.engines.catalogue import Catalogue
    from agent.engines.local import AUTO

    catalogue = Catalogue.load()
    ears = [ENGLISH, MULTILINGUAL] if settings.asr.model == AUTO else [settings.asr.model]
    needed = ["silero-vad", *ears] + ([] if settings.llm.url else ["smollm2"])
    if settings.turn.detector == "smart-turn":
        needed.append("smart-turn-v3.2")
    for model in needed:
        catalogue.folder(model)
    return ", ".join(needed)


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


def _candidates(settings: Settings) -> str:
    from aiortc import RTCConfiguration, RTCPeerConnection

    from agent.errors import TransportError
    from agent.transports.aiortc_private import gather_only
    from agent.worker import is_loopback

    async def gather() -> list[str]:
        gather_only(settings.ice.addresses or (["127.0.0.1"] if is_loopback(settings.server.host) else []))
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        try:
            pc.createDataChannel("doctor")
            await pc.setLocalDescription(await pc.createOffer())
            lines = pc.localDescription.sdp.splitlines()
        finally:
            await pc.close()
        return [" ".join(line.split()[4:8:3]) for line in lines if line.startswith("a=candidate")]

    found = asyncio.run(gather())
    if not found:
        raise TransportError("no candidate: this machine has no usable network address; set ice.addresses")
    return ", ".join(found)
