"""What the settings make of a room's agent: its patience, its manners, and whom it listens to."""

from __future__ import annotations

import asyncio

from agent.company import Company
from agent.events import Phrase
from agent.ledger import Patience
from agent.policies import policy
from agent.reply import Manners
from agent.settings import Settings

AMONG_OTHERS = (
    "You are {agent}. Several people talk with each other and with you; each line begins with the name of who says it. "
    "Answer who has spoken to you last. Never begin with a name and a colon."
)
"""what the language model is told of a room"""


def company(settings: Settings, *, among_others: bool) -> Company:
    """The people of a room, or of a call."""
    names, clock = [settings.room.agent_name], asyncio.get_running_loop().time
    rule = policy(settings.room.policy if among_others else "one_to_one")
    return Company(rule, names, clock, several=among_others)


def manners(settings: Settings) -> Manners:
    """What the agent says and bears beside answering."""
    agent = settings.agent
    phrases = {
        Phrase.GREETING: agent.greeting,
        Phrase.REPROMPT: agent.reprompt,
        Phrase.APOLOGY: agent.apology,
        Phrase.CUT_IN: agent.cut_in,
        Phrase.FILLER: agent.filler,
        Phrase.NOTICE: settings.room.recording_notice,
    }
    return Manners(phrases, settings.limits.stuck_s, settings.tools.filler_ms / 1000)


def patience(settings: Settings) -> Patience:
    """How long the settings let the machine wait."""
    turn = settings.turn
    return Patience(
        endpoint_s=(turn.limit_ms if turn.detector else turn.endpointing_ms) / 1000,
        thinking_s=turn.thinking_ms / 1000,
        yield_s=turn.yield_ms / 1000,
        insist_s=turn.insist_ms / 1000,
        most_turn_s=turn.most_turn_s,
        reprompt_s=turn.reprompt_s,
        drafts=turn.drafts,
        manual=turn.mode == "manual",
    )
