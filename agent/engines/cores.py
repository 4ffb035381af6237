"""How the recogniser, the language model and the synthesiser share the cores: the one place that decides it.

Measured with SmolLM2-135M (Q4_1) in llama.cpp on 2 cores, second turn of a conversation (about 20 new
tokens), median of 6, in milliseconds; "busy" is one other process that keeps one core at work:

==============================  =============  ==============  ==============  ==============
threads: one token / a prompt   1 / 1          1 / 2           2 / 2           what
==============================  =============  ==============  ==============  ==============
quiet, pools spin                131 and 12.3   74 and 12.3     76 and 8.5      first token, per token
busy, pools spin                 268 and 24     4368 and 24     2746 and 1171
quiet, pools sleep               133 and 12     84 and 12       138 and 15.6
busy, pools sleep                271 and 24     226 and 25      175 and 23
==============================  =============  ==============  ==============  ==============

What follows from it:

- A thread pool that spins at its barriers collapses as soon as one of its threads has to wait for a core: the
  others burn theirs meanwhile. `SLEEPY_POOLS` ends that for OpenMP (it is spinning that does the harm, not
  two threads), and `agent.engines.tts.hibari` and the VAD end it for ONNX Runtime.
- One that sleeps at once loses what the second thread gains, where little is to be read: of a question whose last
  nine tokens are new, the first token came after 98 ms with one thread, 92 with two, and after 73 with two that spin
  400 times before they sleep; beside a process that keeps one core at work after 98. From 600 on it is 128 there, with
  20000 turns it is 325.
- A prompt is read with twice the language model's threads: 50 ms sooner, in the pause in which nobody
  recognises or synthesises for that caller. Tokens come ten times faster than they are spoken, so they get
  one thread.
- Nearly all of a prompt is read while the caller still speaks (`LanguageModel.prefill`), so that little is left of
  the first token's time: 27 ms when all words had been read, 80 when four were missing, 150 without (medians of
  32 turns, one other process at work).
- Whisper base is as fast on one thread as on two (its decoder, about 8 ms a token, is the larger part), and
  the synthesiser is a hundred times faster than speech on one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SLEEPY_POOLS: Mapping[str, str] = MappingProxyType({"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "400"})
"""Environment of a process whose OpenMP threads shall sleep when they wait, but for the few microseconds that a barrier
between threads that both have a core takes; read once, when OpenMP is loaded."""
MOST_ASR_THREADS = 4
"""beyond, Whisper's small layers only wait for each other"""
MOST_LLM_THREADS = 8
"""beyond, memory bandwidth is what a token waits for"""


@dataclass(frozen=True, slots=True)
class Share:
    """Threads for each engine; each at least 1."""

    asr: int
    llm: int
    """for one token after another; a prompt is read with up to twice as many"""
    tts: int
    vad: int


def available() -> int:
    """Cores that this process may run on: container and `taskset` limits count, the machine's size does
    not."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def share(cores: int | None = None) -> Share:
    """Threads per engine on this many cores (default: `available`).

    From 3 cores on, the threads of recogniser, language model and synthesiser stay within them; on fewer each has
    one and the kernel takes turns. Voice activity is a tenth of a millisecond on the loop's own thread.
    """
    cores = available() if cores is None else cores
    return Share(
        asr=min(MOST_ASR_THREADS, max(1, cores // 4)),
        llm=min(MOST_LLM_THREADS, max(1, cores // 2)) if cores >= 4 else 1,
        tts=1,
        vad=1,
    )


def prompt_threads(llm: int, cores: int | None = None) -> int:
    """Threads for reading a prompt when one token after another gets ``llm``."""
    return max(llm, min(2 * llm, available() if cores is None else cores))
