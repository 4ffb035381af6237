"""llama.cpp's OpenAI-compatible server, in a process of its own: ``python -m agent.engines.llm.llama_child``.

A crash in native code then ends a child, not the calls, and its threads do not hold this interpreter's lock.
The parent, `agent.engines.llm.embedded`, speaks to it in three ways:

- stdin: one line of JSON, the fields of `ChildSettings`, then nothing. The pipe stays open; its end means
  that the parent is gone, and the child exits at once.
- stdout: one line of JSON, ``{"url": "http://127.0.0.1:…/v1"}``, when the model has loaded and run once.
- stderr: llama.cpp's log.

SIGTERM ends it. Ctrl-C does not: the terminal sends that to the whole group, and the parent decides.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import asdict, dataclass
from typing import Self

POLL = 0
"""llama.cpp's own idle threads sleep at once instead of spinning first (its default is 50 of 100); the
OpenMP ones are told by `agent.engines.cores.SLEEPY_POOLS`, in the environment, because OpenMP reads it when
it is loaded."""
LOG_WARNINGS = 2
"""llama.cpp's verbosity: errors and warnings"""
SPARE_HTTP_THREADS = 2
"""for /health and for refusals, beside a reply and a prefill per slot"""
STEP_TOKENS = 32
"""of prompts that are read in one step. Between steps, replies of other conversations get their next tokens, and
a prompt that nobody waits for any more is given up. A cold prompt of 420 tokens takes 2.8 s with it, 2.5 s with
llama.cpp's 2048."""


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """What the child is told on stdin."""

    model: str
    """path of a GGUF file"""
    api_key: str
    """a secret that requests must carry: web pages, too, can reach a loopback port"""
    threads: int
    """for one token after another"""
    batch_threads: int
    """for reading a prompt"""
    context_tokens: int
    """KV cache in tokens, shared by all slots"""
    parallel: int
    """slots: prompts kept and replies generated side by side"""
    spill_mib: int
    """MiB of ordinary memory for the prompts of conversations that lost their slot; 0 keeps none"""

    def line(self) -> bytes:
        """As the child reads it."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """The other direction."""
        return cls(**json.loads(line))


def main() -> None:
    """Serve until stdin ends or SIGTERM comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    line = sys.stdin.buffer.readline()
    if not line:
        return
    settings = ChildSettings.parse(line)
    orphaned = threading.Thread(target=_exit_with_parent, daemon=True)
    orphaned.start()
    # Native code prints to descriptor 1 as it likes; the announcement needs it clean.
    announce = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        server = _serve(settings)
    except RuntimeError as error:
        sys.exit(f"{settings.model} can not be loaded ({error}); check it with `antiphon models`, or pull it again")
    print(json.dumps({"url": f"{server.listening_address}/v1"}), file=announce, flush=True)
    orphaned.join()


def _serve(settings: ChildSettings):  # type: ignore[no-untyped-def]  # xllamacpp is untyped
    """Load the model and listen on a free loopback port."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings.model
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings.api_key]
    params.ui = False
    params.endpoint_slots = False
    params.offline = True
    params.verbosity = LOG_WARNINGS
    params.n_threads_http = 2 * settings.parallel + SPARE_HTTP_THREADS
    for pool, count in (
        (params.cpuparams, settings.threads),
        (params.cpuparams_batch, settings.batch_threads),
    ):
        pool.n_threads = count
        pool.poll = POLL
    params.n_gpu_layers = 0
    params.fit_params = False
    params.n_ctx = settings.context_tokens
    params.n_parallel = settings.parallel
    params.kv_unified = True
    params.n_batch = params.n_ubatch = STEP_TOKENS
    params.cache_prompt = True
    # Each keeps its prompt (agent.engines.llm.slots says which); else every request would empty the idle ones.
    params.cache_idle_slots = False
    params.cache_ram_mib = settings.spill_mib
    return xllamacpp.Server(params)


def _exit_with_parent() -> None:
    """Wait for the end of stdin, then leave without ceremony: there is nothing to save."""
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
