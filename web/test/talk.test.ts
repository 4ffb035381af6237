import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { chime } from "../src/core/chime";
import { Holding, type Line, TAIL_MS } from "../src/core/holding";
import type { SessionConfig } from "../src/core/settings";
import { UnheardSpeech } from "../src/core/unheard";

describe("Holding", () => {
  const automatic: SessionConfig = { type: "server_vad" };
  let sent: string[];
  let line: { heard: boolean | null; usual: SessionConfig | null; shared: boolean };
  let holding: Holding;

  beforeEach(() => {
    vi.useFakeTimers();
    sent = [];
    line = { heard: true, usual: automatic, shared: false };
    const call: Line = {
      send: (event) => {
        sent.push(
          event.type === "session.update"
            ? `turns ${JSON.stringify(event.session).includes("null") ? "by hand" : "by ear"}`
            : event.type,
        );
        return true;
      },
      yield: () => sent.push("yield"),
      gate: () => sent.push(holding.open ? "open" : "shut"),
      heard: () => line.heard,
      usually: () => line.usual,
      address: (on) => line.shared && sent.push(on ? "to the agent" : "to all") > 0,
    };
    holding = new Holding(call);
  });
  afterEach(() => vi.useRealTimers());

  it("takes the turn while it is held, has it answered, and gives turns back to the ear", () => {
    holding.begin();
    expect(sent).toEqual(["turns by hand", "yield", "open"]);
    holding.end();
    expect(holding.open).toBe(true); // the last word is still on its way
    vi.advanceTimersByTime(TAIL_MS);
    expect(sent.slice(3)).toEqual(["shut", "input_audio_buffer.commit", "response.create"]);
    holding.closed();
    expect(sent.at(-1)).toBe("turns by ear");
  });

  it("leaves turns to the hand where they are", () => {
    line.usual = null;
    holding.begin();
    holding.end();
    vi.advanceTimersByTime(TAIL_MS);
    holding.closed();
    expect(sent).toEqual(["yield", "open", "shut", "input_audio_buffer.commit", "response.create"]);
  });

  it("asks for no answer to nothing", () => {
    line.heard = false;
    holding.begin();
    holding.end();
    vi.advanceTimersByTime(TAIL_MS);
    expect(sent.slice(3)).toEqual(["shut", "input_audio_buffer.clear", "turns by ear"]);
  });

  it("is one turn when it slips for a moment", () => {
    holding.begin();
    holding.end();
    vi.advanceTimersByTime(TAIL_MS / 2);
    holding.begin();
    vi.advanceTimersByTime(10 * TAIL_MS);
    expect(sent).toEqual(["turns by hand", "yield", "open", "open"]);
  });

  it("in a room is for the agent while it is held, and takes nobody's turn", () => {
    line.shared = true;
    holding.begin();
    holding.end();
    vi.advanceTimersByTime(TAIL_MS);
    holding.closed();
    expect(sent).toEqual(["to the agent", "open", "shut", "to all"]);
  });

  it("is closed by what the server says", () => {
    holding.begin();
    holding.end();
    vi.advanceTimersByTime(TAIL_MS);
    holding.told({ event_id: "e", type: "antiphon.phase", phase: "hearing" });
    expect(sent.at(-1)).toBe("response.create");
    holding.told({ event_id: "e", type: "antiphon.phase", phase: "idle" });
    expect(sent.at(-1)).toBe("turns by ear");
  });

  it("forgets a key that is held when the call ends", () => {
    holding.begin();
    holding.forget();
    holding.end();
    vi.advanceTimersByTime(TAIL_MS);
    expect(sent).not.toContain("input_audio_buffer.commit");
  });
});

describe("UnheardSpeech", () => {
  const hear = (speech: UnheardSpeech, from_ms: number, to_ms: number, dbfs: number): boolean => {
    let shown = false;
    for (let at = from_ms; at < to_ms; at += 100) shown = speech.look(dbfs, at);
    return shown;
  };

  it("tells speech from a cough and from a room", () => {
    expect(hear(new UnheardSpeech(), 0, 10_000, -55)).toBe(false);
    const cough = new UnheardSpeech();
    hear(cough, 0, 300, -20);
    expect(hear(cough, 300, 2_000, -60)).toBe(false);
    expect(hear(cough, 2_000, 2_300, -20)).toBe(false);
    expect(hear(new UnheardSpeech(), 0, 1_000, -30)).toBe(true);
  });

  it("stays for a while, and goes", () => {
    const speech = new UnheardSpeech();
    hear(speech, 0, 1_000, -30);
    expect(hear(speech, 1_000, 3_000, -70)).toBe(true);
    expect(hear(speech, 3_000, 5_000, -70)).toBe(false);
  });

  it("forgets when the microphone is open again", () => {
    const speech = new UnheardSpeech();
    hear(speech, 0, 1_000, -30);
    speech.reset();
    expect(speech.look(-70, 1_100)).toBe(false);
  });
});

it("the test sound is a WAV file that is audible and does not clip", () => {
  const file = new DataView(chime().buffer);
  expect(String.fromCharCode(...chime().slice(0, 4))).toBe("RIFF");
  expect(file.getUint32(4, true)).toBe(file.byteLength - 8);
  const samples = new Int16Array(chime().buffer.slice(44));
  const peak = Math.max(...samples.map(Math.abs));
  expect(peak).toBeGreaterThan(4_000);
  expect(peak).toBeLessThan(16_000);
});
