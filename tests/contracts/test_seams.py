"""Every engine of ours has the form of its seam: the type checker holds these tables, a test that they are whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.engines import registry
from agent.engines.asr.openai import OpenAIRecognizer
from agent.engines.asr.whisper import Whisper
from agent.engines.llm.embedded import Embedded
from agent.engines.llm.openai import OpenAIChat
from agent.engines.noise.webrtc_ns import WebRtcNs
from agent.engines.protocols import LanguageModel, NoiseSuppressor, Recognizer, Synthesizer, TurnDetector, Vad
from agent.engines.shared import SharedChat, SharedRecognizer, SharedSynthesizer, SharedTurnDetector
from agent.engines.tts.espeak import Espeak
from agent.engines.tts.hibari import Hibari
from agent.engines.tts.openai import OpenAISynthesizer
from agent.engines.turn.smart_turn import SmartTurn
from agent.engines.vad.silero import Silero
from tests.chaos.breakable import BreakableAsr, BreakableTts, BreakableVad

ASR: tuple[Callable[..., Recognizer], ...] = (Whisper, OpenAIRecognizer, SharedRecognizer, BreakableAsr)
LLM: tuple[Callable[..., LanguageModel], ...] = (Embedded, OpenAIChat, SharedChat)
NOISE: tuple[Callable[..., NoiseSuppressor], ...] = (WebRtcNs,)
TTS: tuple[Callable[..., Synthesizer], ...] = (Hibari, Espeak, OpenAISynthesizer, SharedSynthesizer, BreakableTts)
TURN: tuple[Callable[..., TurnDetector], ...] = (SmartTurn, SharedTurnDetector)
VAD: tuple[Callable[..., Vad], ...] = (Silero, BreakableVad)


@pytest.mark.parametrize(
    ("group", "held"), [("asr", ASR), ("llm", LLM), ("noise", NOISE), ("tts", TTS), ("turn", TURN), ("vad", VAD)]
)
def test_every_engine_that_comes_with_the_server_is_held_against_its_seam(
    group: str, held: tuple[Callable[..., object], ...]
) -> None:
    ours = [registry.engine(group, name) for name in registry.names(group)]
    assert {make for make in ours if make.__module__.startswith("agent.")} <= set(held)
