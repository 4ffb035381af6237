import { describe, expect, it } from "vitest";
import { text } from "../src/core/i18n";
import { diagnose, diagnoseMicrophone, type Problem } from "../src/core/problems";
import { mouthToEar, stages } from "../src/core/stages";
import { StatsReader } from "../src/core/stats";

describe("stages", () => {
  it("lie end to end and add up to the answer's time", () => {
    const found = stages({
      response_id: "r",
      pause_ms: 100,
      judged_ms: 130,
      endpoint_ms: 420,
      transcript_ms: 400,
      first_delta_ms: 520,
      first_clause_ms: 600,
      first_audio_ms: 690,
      audible_ms: 710,
      done_ms: 3000,
      network_ms: 60,
    });
    expect(found.map(({ name }) => name)).toEqual([
      "pause",
      "judged",
      "transcript",
      "endpoint",
      "first_delta",
      "first_clause",
      "first_audio",
      "audible",
      "network",
    ]);
    expect(found.reduce((sum, { from_ms, to_ms }) => sum + to_ms - from_ms, 0)).toBe(770);
  });

  it("leave out what was not reached, and what took no time", () => {
    const found = stages({
      response_id: "r",
      pause_ms: -3,
      endpoint_ms: 200,
      transcript_ms: 200,
      cut_ms: 300,
    });
    expect(found).toEqual([{ name: "endpoint", from_ms: 0, to_ms: 200 }]);
  });

  it("are nobody's mouth to ear where nobody spoke, or nobody answered", () => {
    const spoken = { response_id: "r", pause_ms: 90, endpoint_ms: 200 };
    expect(mouthToEar({ ...spoken, audible_ms: 400, network_ms: 30 })).toBe(430);
    expect(mouthToEar(spoken)).toBeNull();
    expect(mouthToEar({ response_id: "r", endpoint_ms: 0, audible_ms: 400 })).toBeNull();
  });
});

describe("problems", () => {
  it.each([
    ["NotAllowedError", "Permission denied", "denied"],
    ["NotAllowedError", "Permission dismissed", "dismissed"],
    ["NotAllowedError", "Permission denied by system", "denied-by-system"],
    ["NotFoundError", "Requested device not found", "no-microphone"],
    ["NotReadableError", "Could not start audio source", "microphone-busy"],
  ])("%s %j is %s", (name, message, kind) => {
    expect(diagnoseMicrophone(new DOMException(message, name)).kind).toBe(kind);
  });

  it("that nobody foresaw keep their words", () => {
    expect(diagnose(new TypeError("x is not a function"))).toEqual({
      kind: "unexpected",
      message: "x is not a function",
    });
  });

  it("each have a title, a sentence and a remedy", () => {
    const all: Record<Problem["kind"], Problem> = {
      insecure: { kind: "insecure" },
      unsupported: { kind: "unsupported" },
      denied: { kind: "denied" },
      dismissed: { kind: "dismissed" },
      "denied-by-system": { kind: "denied-by-system" },
      "no-microphone": { kind: "no-microphone" },
      "microphone-busy": { kind: "microphone-busy" },
      "nothing-shared": { kind: "nothing-shared" },
      "no-sound-shared": { kind: "no-sound-shared" },
      unreachable: { kind: "unreachable" },
      full: { kind: "full", message: "" },
      loading: { kind: "loading", waiting: ["asr"] },
      unauthorised: { kind: "unauthorised", message: "" },
      "room-full": { kind: "room-full", message: "" },
      "wrong-room": { kind: "wrong-room", message: "" },
      "no-room": { kind: "no-room", room: "a b" },
      forbidden: { kind: "forbidden", message: "" },
      refused: { kind: "refused", status: 415, message: "" },
      "no-path": { kind: "no-path" },
      lost: { kind: "lost" },
      ended: { kind: "ended", message: "" },
      unexpected: { kind: "unexpected", message: "x" },
    };
    const titles = Object.values(all).map((problem) => {
      const { title, what, remedy } = text.value.problem(problem, "host:8080");
      expect(what).not.toBe("");
      expect(remedy.length).toBeGreaterThan(0);
      return title;
    });
    expect(new Set(titles).size).toBe(titles.length);
  });
});

describe("StatsReader", () => {
  const look = (emitted: number, delay_s: number, received: number, lost: number) =>
    Object.entries({
      t: { type: "transport", selectedCandidatePairId: "p" },
      p: { type: "candidate-pair", currentRoundTripTime: 0.024, localCandidateId: "l" },
      l: { type: "local-candidate", candidateType: "host" },
      c: { type: "codec", mimeType: "audio/opus" },
      v: {
        type: "inbound-rtp",
        kind: "audio",
        codecId: "c",
        jitterBufferDelay: delay_s,
        jitterBufferEmittedCount: emitted,
        packetsReceived: received,
        packetsLost: lost,
      },
    });

  it("reads what happened since the last look", () => {
    const reader = new StatsReader();
    reader.read(look(48_000, 4_800, 50, 0));
    expect(reader.read(look(96_000, 6_720, 95, 5))).toEqual({
      rtt_ms: 24,
      jitterBuffer_ms: 40,
      loss: 0.1,
      codec: "opus",
      path: "host",
    });
  });

  it("says null where the browser says nothing", () => {
    expect(new StatsReader().read([])).toEqual({
      rtt_ms: null,
      jitterBuffer_ms: null,
      loss: null,
      codec: null,
      path: null,
    });
  });
});
