import { describe, expect, it } from "vitest";
import { type CallState, EMPTY, type Line } from "../src/core/conversation";
import type { RoomState } from "../src/core/people";
import { fileName, transcript } from "../src/core/save";

const BEGAN = new Date(2026, 10, 21, 14, 5).getTime();
const names = { you: "You", agent: "Agent", somebody: "Somebody", unheard: "not heard:" };
const line = (fields: Partial<Line>): Line => {
  const text = fields.text ?? "";
  return {
    id: "i",
    kind: "user",
    text,
    sure: text.length,
    final: true,
    cut: false,
    responseId: null,
    lang: "en",
    from_ms: BEGAN,
    to_ms: BEGAN + 2_000,
    ...fields,
  };
};
const state: CallState = {
  ...EMPTY,
  lines: [
    line({ text: "Is 3 < 4 & 4 > 3?" }),
    line({ kind: "agent", text: "", sure: 0 }),
    line({
      kind: "agent",
      text: "Yes, it is. Shall I say more?",
      sure: 11,
      cut: true,
      responseId: "r1",
      from_ms: BEGAN + 2_700,
      to_ms: BEGAN + 3_661_500,
    }),
    line({ kind: "agent-failed", text: "The model is gone." }),
  ],
  timelines: [{ response_id: "r1", pause_ms: 90, audible_ms: 650, network_ms: 50 }],
};

describe("transcript", () => {
  it("as text says who said what, and what was not heard", () => {
    expect(transcript(state, "txt", names)).toBe(
      "You: Is 3 < 4 & 4 > 3?\n\nAgent: Yes, it is. [not heard: Shall I say more?]\n",
    );
  });

  it("as subtitles has times from the first word on, and only what was heard", () => {
    expect(transcript(state, "vtt", names)).toBe(
      [
        "WEBVTT",
        "",
        "00:00:00.000 --> 00:00:02.000",
        "<v You>Is 3 &lt; 4 &amp; 4 &gt; 3?",
        "",
        "00:00:02.700 --> 01:01:01.500",
        "<v Agent>Yes, it is.",
        "",
      ].join("\n"),
    );
  });

  it("as subtitles shows each line for a second at least", () => {
    const at_once = {
      ...EMPTY,
      lines: [line({ text: "A", to_ms: BEGAN }), line({ text: "B", to_ms: BEGAN })],
    };
    expect(transcript(at_once, "vtt", names)).toContain("00:00:00.000 --> 00:00:01.000\n<v You>A");
  });

  it("as SubRip has numbers, and names before the words", () => {
    expect(transcript(state, "srt", names)).toBe(
      [
        "1",
        "00:00:00,000 --> 00:00:02,000",
        "You: Is 3 < 4 & 4 > 3?",
        "",
        "2",
        "00:00:02,700 --> 01:01:01,500",
        "Agent: Yes, it is.",
        "",
      ].join("\n"),
    );
  });

  it("as data has everything", () => {
    const [, answer] = JSON.parse(transcript(state, "json", names));
    expect(answer).toEqual({
      who: "agent",
      text: "Yes, it is. Shall I say more?",
      heard: "Yes, it is.",
      cut: true,
      language: "en",
      from: new Date(BEGAN + 2_700).toISOString(),
      to: new Date(BEGAN + 3_661_500).toISOString(),
      mouth_to_ear_ms: 700,
    });
  });

  it("of an empty call is an empty file", () => {
    expect(transcript(EMPTY, "txt", names)).toBe("");
    expect(transcript(EMPTY, "srt", names)).toBe("");
    expect(transcript(EMPTY, "json", names)).toBe("[]\n");
  });
});

describe("the transcript of a room", () => {
  const person = (id: string, name: string) => ({
    id,
    name,
    role: "talk" as const,
    muted: false,
    speaking: false,
    here: true,
    colour: 0,
    gone: false,
  });
  const room: RoomState = {
    name: "kitchen",
    policy: "addressed",
    agent: "Jarvis",
    you: "person_a",
    capacity: 10,
    recording: false,
    people: [person("person_a", "Anna"), person("person_b", "<b>Ben & Co")],
    turns: new Map([
      ["u1", "person_a"],
      ["u2", "person_b"],
    ]),
    news: null,
  };
  const shared: CallState = {
    ...EMPTY,
    room,
    lines: [
      line({ id: "u1", text: "Jarvis, is it late?" }),
      line({ id: "u2", text: "I\nthink so.", from_ms: BEGAN + 1_500, to_ms: BEGAN + 3_000 }),
      line({ id: "u3", text: "Hm.", from_ms: BEGAN + 4_000, to_ms: BEGAN + 4_200 }),
      line({ id: "a1", kind: "agent", text: "It is.", from_ms: BEGAN + 65_000, to_ms: BEGAN + 66_500 }),
    ],
  };

  it("as text has names and the time of day", () => {
    expect(transcript(shared, "txt", names)).toBe(
      [
        "[14:05:00] Anna: Jarvis, is it late?\n",
        "[14:05:01] <b>Ben & Co: I\nthink so.\n",
        "[14:05:04] Somebody: Hm.\n",
        "[14:06:05] Jarvis: It is.\n",
      ].join("\n"),
    );
  });

  it("as subtitles has names, with nothing in them that means something there", () => {
    const vtt = transcript(shared, "vtt", names);
    expect(vtt).toContain("<v Anna>Jarvis, is it late?");
    expect(vtt).toContain("<v &lt;b&gt;Ben &amp; Co>I think so.");
    expect(transcript(shared, "srt", names)).toContain(
      "2\n00:00:01,500 --> 00:00:03,000\n<b>Ben & Co: I think so.\n\n3\n",
    );
  });

  it("as data has names and people", () => {
    const entries = JSON.parse(transcript(shared, "json", names));
    expect(entries.map((entry: { name: string; person: string }) => [entry.name, entry.person])).toEqual([
      ["Anna", "person_a"],
      ["<b>Ben & Co", "person_b"],
      ["Somebody", null],
      ["Jarvis", null],
    ]);
  });
});

it("a file is named after the call's beginning", () => {
  expect(fileName(state, "vtt")).toBe("antiphon-2026-11-21-1405.vtt");
});
