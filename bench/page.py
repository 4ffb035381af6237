"""Mouth to ear in a browser: `python -m bench.page [--launches 3] [--turns 5]`.

Chromium calls a server of its own with the page; a recording with the questions is its microphone. All is measured in
the page: an AnalyserNode is on the microphone's track, behind the browser's echo cancellation, noise suppression and
gain, another on the agent's stream, behind the jitter buffer, and both are read on one clock in steps of 10 ms. The
recording is found again in the microphone's track by the course of its loudness; a question ends at its last loud
10 ms, as in `bench.latency`, and the agent is heard at its first 10 ms above -50 dBFS. An answer is interrupted after
1.5 s of it, to come to the next question.

Beside it, once a second: the jitter buffer by `getStats`. And over the whole call: errors in the console, requests to
any other host.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
from playwright.async_api import Page, Playwright, async_playwright

from agent.audio import WIRE_RATE, write_wav
from agent.caller import AUDIBLE_DBFS
from bench.browser import CHROMIUM, HAS_CHROMIUM, KEEP_PEERS, STATS, flags
from bench.latency import STAGES
from bench.page_turns import STEP, Recording, latencies, recording
from bench.report import machine, quantile, save, table
from bench.server import Server
from bench.speech import questions

P50_BAR_MS, JITTER_BAR_MS = 450, 60
LIVE_S = 15.0
"""How long a call may take to be set up."""

LISTEN = """([step, audible]) => {
  const context = new AudioContext({ sampleRate: 48000 });
  const size = 8192;
  const ears = [antiphon.microphone.stream.value, antiphon.speaker.srcObject].map((stream) => {
    const source = context.createMediaStreamSource(stream);
    const analyser = new AnalyserNode(context, { fftSize: size });
    source.connect(analyser);
    return { source, analyser, heard: new Float32Array(size) };
  });
  const level = (samples) => {
    let sum = 0;
    for (const sample of samples) sum += sample * sample;
    return Math.max(-100, 10 * Math.log10(sum / samples.length || 1e-10));
  };
  const kept = { ears, levels: [], lost: 0 };
  window.bench = kept;
  let next = null;
  let speaksSince = null;
  setInterval(() => {
    const now = Math.round(context.currentTime * context.sampleRate);
    for (const { analyser, heard } of ears) analyser.getFloatTimeDomainData(heard);
    next ??= now;
    for (; next + step <= now; next += step) {
      const from = size - (now - next);
      if (from < 0) kept.lost += 1;
      const both = ears.map(({ heard }) => (from < 0 ? -100 : level(heard.subarray(from, from + step))));
      kept.levels.push(both);
      if (both[1] > audible) speaksSince ??= next;
      if (speaksSince !== null && next - speaksSince > 1.5 * context.sampleRate) {
        antiphon.interrupt();
        speaksSince = null;
      }
    }
  }, 20);
}"""
"""In the page: the levels of both sides in dBFS, step by step; silences an agent that has said enough."""


@dataclass(slots=True)
class Heard:
    """What was seen of one call."""

    turns_ms: list[float | None] = field(default_factory=list)
    """from the end of each question to the agent; None: there was no answer, or it came too early"""
    jitter_ms: list[float] = field(default_factory=list)
    """each second's mean"""
    jitter_mean_ms: float = 0.0
    browser_cpu_pct: float = 0.0
    """of one core, over the call"""
    lost_steps: int = 0
    timelines: list[dict[str, float]] = field(default_factory=list)
    """what the server says of the same turns"""
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def _browser_s() -> float:
    """CPU seconds that Chromium has taken so far, in all its processes."""
    spent = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.name().startswith("chrom"):
                times = process.cpu_times()
                spent += times.user + times.system
    return spent


async def call(library: Playwright, url: str, said: Recording, wav: Path) -> Heard:
    """One launch of the browser, one call."""
    heard = Heard()
    browser = await library.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=flags(wav))
    context = await browser.new_context()
    await context.add_init_script(KEEP_PEERS)
    page = await context.new_page()
    page.on("pageerror", lambda error: heard.errors.append(str(error)))
    page.on("console", lambda line: heard.errors.append(line.text) if line.type in ("error", "warning") else None)
    page.on("request", lambda request: _other(request.url, url, heard.foreign))
    await page.goto(url)
    await page.get_by_test_id("start").click()
    async with asyncio.timeout(LIVE_S):
        while await page.evaluate("antiphon.connection.value") != "live":  # noqa: ASYNC110 - it is in the page
            await asyncio.sleep(0.05)
    await page.evaluate(LISTEN, [STEP, AUDIBLE_DBFS])
    before_s, seconds = _browser_s(), len(said.pcm) / WIRE_RATE
    await _jitter(page, heard, seconds)
    heard.browser_cpu_pct = 100 * (_browser_s() - before_s) / seconds
    kept = await page.evaluate("({ levels: bench.levels, lost: bench.lost })")
    both = np.array(kept["levels"], np.float64)
    heard.lost_steps = kept["lost"]
    heard.turns_ms = latencies(said, both[:, 0], both[:, 1])
    heard.timelines = await page.evaluate("antiphon.state.value.timelines")
    await page.get_by_test_id("hangup").click()
    await page.get_by_test_id("start").wait_for()
    await browser.close()
    return heard


def _other(requested: str, url: str, foreign: list[str]) -> None:
    parts = urlsplit(requested)
    if parts.netloc and parts.netloc != urlsplit(url).netloc:
        foreign.append(requested)


async def _jitter(page: Page, heard: Heard, for_s: float) -> None:
    """Looks once a second at how long sound lay in the jitter buffer."""
    loop = asyncio.get_running_loop()
    ends, before = loop.time() + for_s, (0.0, 0.0)
    while loop.time() < ends:
        await asyncio.sleep(1.0)
        reports: list[dict[str, Any]] = (await page.evaluate(STATS))[-1]["stats"]
        voice = next(one for one in reports if one["type"] == "inbound-rtp" and one["kind"] == "audio")
        now = (voice["jitterBufferDelay"], voice["jitterBufferEmittedCount"])
        if now[1] > before[1]:
            heard.jitter_ms.append(1000 * (now[0] - before[0]) / (now[1] - before[1]))
            heard.jitter_mean_ms = 1000 * now[0] / now[1]
        before = now


async def measure(launches: int, turns: int) -> list[Heard]:
    """That many calls, one after the other, with that many questions each."""
    clips = questions()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        async with Server() as server, async_playwright() as library:
            for n in range(launches):
                said = recording([clips[(n * turns + k) % len(clips)] for k in range(turns)])
                wav = Path(folder) / f"{n}.wav"
                write_wav(wav, said.pcm, WIRE_RATE)
                found.append(await call(library, server.url, said, wav))
                await server.calls_over(5.0)
    return found


def show(calls: list[Heard]) -> dict[str, Any]:
    """Print the tables; the figures."""
    turns = [ms for one in calls for ms in one.turns_ms]
    heard = [ms for ms in turns if ms is not None] or [float("nan")]
    before = [ms - one.jitter_mean_ms for one in calls for ms in one.turns_ms if ms is not None] or heard
    timelines = [timeline for one in calls for timeline in one.timelines]
    stages = {stage: [one[f"{stage}_ms"] for one in timelines if f"{stage}_ms" in one] for stage in STAGES}
    figures: dict[str, Any] = {
        "turns": len(turns),
        "missed": turns.count(None),
        "p50_ms": _whole(quantile(heard, 0.5)),
        "p95_ms": _whole(quantile(heard, 0.95)),
        "before_buffer_p50_ms": _whole(quantile(before, 0.5)),
        "jitter_buffer_ms": round(max(one.jitter_mean_ms for one in calls)),
        "worst_second_ms": round(max(ms for one in calls for ms in one.jitter_ms)),
        "browser_cpu_pct": round(max(one.browser_cpu_pct for one in calls)),
        "errors": sum(len(one.errors) for one in calls),
        "foreign": sum(len(one.foreign) for one in calls),
    }
    print(table(list(figures), [list(figures.values())]))
    print("\nbefore_buffer: without what the jitter buffer took, to be compared with bench.latency.")
    print("jitter_buffer: the mean of the worst call. Of the same turns the server says, median ms:\n")
    medians = {stage: round(quantile(ms, 0.5)) for stage, ms in stages.items() if ms}
    print(table(list(medians), [list(medians.values())]))
    for one in calls:
        print(*one.errors, *one.foreign, sep="\n", end="")
    each = [{"ms": one.turns_ms, "jitter_ms": one.jitter_ms, "lost_steps": one.lost_steps} for one in calls]
    return {**figures, "stages": medians, "each": each}


def _whole(ms: float) -> int | None:
    return None if np.isnan(ms) else round(ms)


def main() -> None:
    """Measure, print, assert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--launches", type=int, default=3)
    parser.add_argument("--turns", type=int, default=5, help="in each of them")
    args = parser.parse_args()
    if not HAS_CHROMIUM:
        raise SystemExit(f"{CHROMIUM} is missing: apt-get install chromium")
    figures = show(asyncio.run(measure(args.launches, args.turns)))
    print(
        f"\nBars: p50 {P50_BAR_MS} ms, jitter buffer {JITTER_BAR_MS} ms, no error, no foreign request.\n\n{machine()}"
    )
    save("page", figures)
    if figures["missed"] or figures["errors"] or figures["foreign"]:
        raise SystemExit("the page misses a turn, logs errors or asks another host")
    if figures["p50_ms"] > P50_BAR_MS or figures["jitter_buffer_ms"] > JITTER_BAR_MS:
        raise SystemExit("the page is late")


if __name__ == "__main__":
    main()
