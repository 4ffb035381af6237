"""What `bench.turns` does while the agent speaks: a sound is played over its story, and what follows is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from agent.audio import I16, TICK_S, TICK_SAMPLES
from agent.caller import Caller
from bench import verdicts
from bench.interjections import ECHO_MS, Interjection, echo
from bench.speech import spoken
from bench.turn_cases import levelled

TOLD = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "output_audio_buffer.cleared",
    "output_audio_buffer.stopped",
    verdicts.COMPLETED,
    "antiphon.phase",
)
QUESTION = "Please tell me a long story about the sea."
ANSWER_S = 8.0
"""an answer that takes longer counts as one that never came"""
REST_S = 0.5
"""of silence before the next turn: the brief answer is over, and no second one came"""
LISTEN_S = (1.0, 1.2, 1.4, 1.6, 1.8)
"""how long the voice is listened to before something is played over it, in turn"""
STORY_S = 36.0
"""after which a story is not played over any more: it might end meanwhile"""
STEADY_S = 1.0
"""after a harmless sound, until a voice that is back is believed to stay"""
ECHO_S = 4.0
ECHO_STEP = 3
"""packets that are sent back at once"""


@dataclass(slots=True)
class Line:
    """One call and what is known about it."""

    caller: Caller
    story_at: float = float("-inf")
    """`loop.time()` at which the present story was first heard"""
    played: int = 0


async def over(line: Line, sound: Interjection) -> dict[str, Any]:
    """One sound over the agent's speech, and what it did; once more if the story ended meanwhile."""
    while True:
        await telling(line)
        caller, loop = line.caller, asyncio.get_running_loop()
        await asyncio.sleep(LISTEN_S[line.played % len(LISTEN_S)])
        line.played += 1
        after, since = len(caller.events), loop.time() - 1.5
        if sound.echo:
            began = await send_back(caller)
        else:
            await caller.say(sound.pcm)
            began = caller.began_at
        out = loop.time()
        heard = [frame for frame in caller.ear.frames if frame.at > since]
        if sound.cut:
            found = await interruption(line, after, began)
            return {**asdict(found), "missed": found.missed, "said": told(caller.events[after:], began)}
        await back(caller, verdicts.level_dbfs([frame for frame in heard if frame.at <= began]), out)
        if any(event["type"] == "output_audio_buffer.stopped" for event in caller.events[after:]):
            line.story_at = float("-inf")
            continue
        heard = [frame for frame in caller.ear.frames if since < frame.at <= out + verdicts.BACK_WITHIN_S]
        verdict = verdicts.judge_over(caller.events[after:], heard, began, out)
        if verdict.false_cut:
            line.story_at = float("-inf")
        return {**asdict(verdict), "false_cut": verdict.false_cut, "said": told(caller.events[after:], began)}


def told(events: Sequence[verdicts.Event], began: float) -> list[str]:
    """What the server told of it, and when."""
    return [
        f"{e['at'] - began:.2f} s {e['type']} {e.get('transcript', '') or e.get('phase', '')}"
        for e in events
        if e["type"] in TOLD
    ]


async def interruption(line: Line, after: int, began: float) -> verdicts.InterruptionVerdict:
    """Wait for what follows an interruption, the next story as a rule, and judge."""
    caller, loop = line.caller, asyncio.get_running_loop()
    await asyncio.sleep(max(0.0, began + verdicts.CUT_WITHIN_S + verdicts.SETTLE_S - loop.time()))
    cleared = next((n for n, e in enumerate(caller.events[after:]) if e["type"] == "output_audio_buffer.cleared"), None)
    line.story_at = float("-inf")
    if cleared is not None:
        settled = caller.events[after + cleared]["at"] + 3 * verdicts.SETTLE_S
        try:
            line.story_at = (await caller.hears(max(settled, loop.time()), within_s=2.5)).at
            # Its first packets may be here before the news of it, and without that they would be the old reply's.
            await caller.event("output_audio_buffer.started", after=after + cleared, within_s=1.0)
        except TimeoutError:
            pass  # "stop" need not be answered
    return verdicts.judge_interruption(caller.events[after:], caller.ear.frames, began)


async def telling(line: Line) -> None:
    """Make sure that the agent is in the middle of a story.

    :raises TimeoutError: if it does not begin one, however often it is asked.
    """
    caller, loop = line.caller, asyncio.get_running_loop()
    last = caller.ear.last_loud(loop.time() - 0.4)
    if last is not None and loop.time() - line.story_at < STORY_S:
        return
    for attempt in range(3):
        if line.played or attempt:
            caller.send({"type": "response.cancel"})
            await rest(caller)
        await caller.say(levelled(spoken(QUESTION).pcm))
        try:
            line.story_at = (await caller.hears(loop.time(), within_s=ANSWER_S)).at
        except TimeoutError:
            continue
        return
    raise TimeoutError("the agent was asked three times and said nothing; see the server's log")


async def rest(caller: Caller) -> None:
    """Wait until the agent has said what it had to say."""
    try:
        await caller.hears_silence(REST_S, within_s=ANSWER_S)
    except TimeoutError:
        caller.send({"type": "response.cancel"})
        await asyncio.sleep(REST_S)


async def back(caller: Caller, before_dbfs: float, out: float) -> None:
    """Wait until the voice is back and stays, or can not be in time any more."""
    loop = asyncio.get_running_loop()
    while loop.time() < out + verdicts.BACK_WITHIN_S:
        await asyncio.sleep(5 * TICK_S)
        frames = [frame for frame in caller.ear.frames if frame.at > out - verdicts.LEVEL_WINDOW_S]
        if loop.time() > out + STEADY_S and verdicts.is_back(frames, before_dbfs, out):
            return


async def send_back(caller: Caller) -> float:
    """Send what is heard back, late and quiet, as a loudspeaker and a microphone do; when it began."""
    late = round(ECHO_MS / 1000 / TICK_S)
    at = len(caller.ear.frames) - late
    began = 0.0
    for _ in range(round(ECHO_S / TICK_S / ECHO_STEP)):
        # The room's reverberation reaches from one piece into the next, so each is made with what was before.
        pcm = ear_between(caller, at - late, at + ECHO_STEP)
        at += ECHO_STEP
        await caller.say(echo(pcm)[-ECHO_STEP * TICK_SAMPLES :])
        began = began or caller.began_at
    return began


def ear_between(caller: Caller, first: int, last: int) -> I16:
    """Int16 ((last - first) · TICK_SAMPLES,): those packets as they were heard; silence for what did not come."""
    pcm = np.zeros((last - first) * TICK_SAMPLES, np.int16)
    heard = np.concatenate([frame.pcm for frame in caller.ear.frames[max(0, first) : last]] or [pcm[:0]])[: len(pcm)]
    pcm[: len(heard)] = heard
    return pcm
