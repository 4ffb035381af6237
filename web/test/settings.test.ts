import { describe, expect, it } from "vitest";
import { holds, restored, type Settings, turnDetection, updates } from "../src/core/settings";
import { Wishes } from "../src/core/wishes";

const usual = {
  instructions: "Be kind.",
  audio: {
    input: {
      transcription: { language: "en" },
      turn_detection: {
        type: "server_vad",
        silence_duration_ms: 300,
        idle_timeout_ms: null,
        interrupt_response: true,
      },
    },
    output: { voice: "hibari", speed: 1 },
  },
};

describe("updates", () => {
  it("are none where nothing is wanted", () => {
    expect(updates({}, {}, usual)).toEqual([]);
  });

  it("come one for each part, so that a refusal takes nothing else along", () => {
    const now: Settings = {
      voice: "alloy",
      speed: 1.25,
      language: "de",
      instructions: "Rhyme.",
      longest: 200,
      written: true,
    };
    expect(updates({}, now, usual)).toEqual([
      { type: "realtime", audio: { output: { voice: "alloy" } } },
      { type: "realtime", audio: { output: { speed: 1.25 } } },
      { type: "realtime", audio: { input: { transcription: { language: "de" } } } },
      { type: "realtime", instructions: "Rhyme." },
      { type: "realtime", max_output_tokens: 200 },
      { type: "realtime", output_modalities: ["text"] },
    ]);
  });

  it("tell what has changed, and lead back to what the server had", () => {
    const before: Settings = { voice: "alloy", language: "de", instructions: "Rhyme.", longest: 200 };
    expect(updates(before, { voice: "alloy" }, usual)).toEqual([
      { type: "realtime", audio: { input: { transcription: { language: "en" } } } },
      { type: "realtime", instructions: "Be kind." },
      { type: "realtime", max_output_tokens: "inf" },
    ]);
  });
});

describe("turnDetection", () => {
  const base = usual.audio.input.turn_detection;

  it.each<[Settings, object | null]>([
    [{}, base],
    [{ hold: true }, null],
    [{ patience: "quick" }, { type: "semantic_vad", eagerness: "high", interrupt_response: true }],
    [
      { patience: "patient", interruptible: false },
      { type: "semantic_vad", eagerness: "low", interrupt_response: false },
    ],
    [
      { patience: "fixed", silence_ms: 900, idle_s: 20 },
      { type: "server_vad", silence_duration_ms: 900, interrupt_response: true, idle_timeout_ms: 20_000 },
    ],
    [{ interruptible: false }, { ...base, interrupt_response: false }],
  ])("of %j", (wanted, detection) => {
    expect(turnDetection(wanted, usual)).toEqual(detection);
  });

  it("is a key's on a server that has none, until somebody wants another", () => {
    const manual = { audio: { input: { turn_detection: null } } };
    expect(holds({}, manual)).toBe(true);
    expect(turnDetection({}, manual)).toBeNull();
    expect(turnDetection({ hold: false }, manual)).toMatchObject({ type: "server_vad" });
  });
});

describe("Wishes", () => {
  it("remind a session that goes on, if a key was held when it broke", () => {
    const sent: unknown[] = [];
    const wishes = new Wishes(
      (event) => sent.push(event) > 0,
      () => usual,
    );
    wishes.remind(usual);
    expect(sent).toEqual([]);
    wishes.remind({ audio: { input: { turn_detection: null } } });
    const { turn_detection } = usual.audio.input;
    expect(sent).toEqual([
      { type: "session.update", session: { type: "realtime", audio: { input: { turn_detection } } } },
    ]);
  });
});

describe("restored", () => {
  it("takes back what was kept", () => {
    const kept: Settings = {
      voice: "alloy",
      speed: 1.1,
      language: "",
      patience: "fixed",
      silence_ms: 500,
      hold: true,
    };
    expect(restored(JSON.stringify(kept))).toEqual(kept);
  });

  it.each([
    null,
    "",
    "{",
    "7",
    "null",
    '{"speed":"fast","hold":1,"patience":"none","longest":-4,"idle_s":null}',
  ])("makes nothing of %j", (kept) => {
    expect(restored(kept)).toEqual({});
  });
});
