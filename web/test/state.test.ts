import { describe, expect, it } from "vitest";
import { type CallState, EMPTY, type Line, type Now } from "../src/core/conversation";
import { heardLength, over, reduce } from "../src/core/state";
import type { MessageItem, Response, ServerEvent } from "../src/core/wire";

/** An event as a test writes it: the id does not matter here. */
type Written = ServerEvent extends infer E ? (E extends ServerEvent ? Omit<E, "event_id"> : never) : never;

function play(...events: Written[]): CallState {
  return events.reduce((state, event) => reduce(state, { event_id: "e", ...event } as ServerEvent), EMPTY);
}

function line(state: CallState, id: string): Line {
  const found = state.lines.find((candidate) => candidate.id === id);
  if (!found) throw new Error(`no line ${id} in ${JSON.stringify(state.lines)}`);
  return found;
}

const phase = (name: CallState["phase"]): Written => ({ type: "antiphon.phase", phase: name });
const part = { response_id: "r1", item_id: "a1", output_index: 0, content_index: 0 };
const delta = (text: string): Written => ({
  type: "response.output_audio_transcript.delta",
  ...part,
  delta: text,
});
const caption = (
  id: string,
  role: "user" | "assistant",
  text: string,
  stable: number,
  final = false,
): Written => ({
  type: "antiphon.caption",
  item_id: id,
  role,
  text,
  stable,
  final,
});
const started: Written = {
  type: "input_audio_buffer.speech_started",
  audio_start_ms: 0,
  item_id: "u1",
};
const item = (id: string, role: "user" | "assistant", content: MessageItem["content"] = []): MessageItem => ({
  id,
  object: "realtime.item",
  type: "message",
  status: "in_progress",
  role,
  content,
});
const done = (status: Response["status"], message?: string): Written => ({
  type: "response.done",
  response: {
    object: "realtime.response",
    id: "r1",
    status,
    status_details: message
      ? { type: "failed", error: { type: "server_error", code: "llm", message } }
      : null,
    output: [],
    conversation_id: null,
    output_modalities: ["audio"],
    max_output_tokens: "inf",
    audio: { output: { format: { type: "audio/pcm", rate: 24000 }, voice: "v" } },
    usage: null,
    metadata: null,
  },
});

describe("whose turn it is", () => {
  it("follows the server's phases", () => {
    for (const name of ["hearing", "paused", "thinking", "speaking", "yielding", "idle"] as const) {
      expect(play(phase(name)).phase).toBe(name);
    }
  });

  it("is not guessed when the server says it", () => {
    expect(play(phase("yielding"), started).phase).toBe("yielding");
  });

  it("is guessed from the standard's events otherwise", () => {
    expect(play(started).phase).toBe("hearing");
    const stopped = { type: "input_audio_buffer.speech_stopped", audio_end_ms: 9, item_id: "u1" } as const;
    expect(play(started, stopped).phase).toBe("thinking");
    const speaking = { type: "output_audio_buffer.started", response_id: "r1" } as const;
    expect(play(speaking).phase).toBe("speaking");
    expect(play(speaking, { type: "output_audio_buffer.stopped", response_id: "r1" }).phase).toBe("idle");
  });
});

describe("the user's words", () => {
  it("keep the place where the user began to speak", () => {
    const state = play(started, delta("Yes."), caption("u1", "user", "Is it", 2));
    expect(state.lines.map(({ id }) => id)).toEqual(["u1", "a1"]);
  });

  it("grow, with a part that is certain", () => {
    const state = play(started, caption("u1", "user", "what time is", 4));
    expect(line(state, "u1")).toMatchObject({ text: "what time is", sure: 4, final: false });
  });

  it("are final once they are transcribed", () => {
    const completed: Written = {
      type: "conversation.item.input_audio_transcription.completed",
      item_id: "u1",
      content_index: 0,
      transcript: " What time is it? ",
      usage: { type: "duration", seconds: 1 },
    };
    const state = play(started, caption("u1", "user", "what time", 4), completed);
    expect(line(state, "u1")).toMatchObject({ text: "What time is it?", sure: 16, final: true });
  });

  it("that could not be recognised leave the reason", () => {
    const failed: Written = {
      type: "conversation.item.input_audio_transcription.failed",
      item_id: "u1",
      content_index: 0,
      error: { type: "server_error", message: "the recogniser stopped" },
    };
    expect(line(play(started, failed), "u1")).toMatchObject({
      kind: "user-failed",
      text: "the recogniser stopped",
    });
  });

  it("that were typed are there at once", () => {
    const typed = item("u2", "user", [{ type: "input_text", text: "Hello" }]);
    const state = play({ type: "conversation.item.added", previous_item_id: null, item: typed });
    expect(line(state, "u2")).toMatchObject({ kind: "user", text: "Hello", final: true });
  });
});

describe("the agent's words", () => {
  it("count as heard only when a caption says so", () => {
    const state = play(
      phase("thinking"),
      delta("It is noon."),
      delta(" Shall I"),
      caption("a1", "assistant", "It is", 5),
    );
    expect(line(state, "a1")).toMatchObject({
      text: "It is noon. Shall I",
      sure: 5,
      final: false,
      cut: false,
    });
  });

  it("all count as heard on a server without captions", () => {
    expect(line(play(delta("It is "), delta("noon.")), "a1")).toMatchObject({
      text: "It is noon.",
      sure: 11,
    });
  });

  it("keep what was not heard after a barge-in", () => {
    const state = play(
      phase("speaking"),
      delta("One two three four."),
      caption("a1", "assistant", "One two", 7),
      { type: "output_audio_buffer.cleared", response_id: "r1" },
      caption("a1", "assistant", "One two three", 13, true),
      { type: "conversation.item.truncated", item_id: "a1", content_index: 0, audio_end_ms: 900 },
    );
    const cut = line(state, "a1");
    expect(cut).toMatchObject({ final: true, cut: true });
    expect(cut.text.slice(cut.sure)).toBe(" four.");
  });

  it("are whole when the last caption covers them", () => {
    const state = play(phase("speaking"), delta("One two."), caption("a1", "assistant", "One two.", 8, true));
    expect(line(state, "a1")).toMatchObject({ final: true, cut: false, sure: 8 });
  });

  it("are whole when the buffer ran dry", () => {
    const stopped: Written = { type: "output_audio_buffer.stopped", response_id: "r1" };
    expect(line(play(phase("speaking"), delta("One."), stopped), "a1")).toMatchObject({
      sure: 4,
      final: true,
    });
  });

  it("of a cancelled answer are cut", () => {
    expect(line(play(phase("thinking"), delta("One."), done("cancelled")), "a1")).toMatchObject({
      cut: true,
      sure: 0,
    });
  });

  it("that never came leave the reason", () => {
    const state = play(phase("thinking"), done("failed", "the language model does not answer"));
    expect(line(state, "r1-failed")).toMatchObject({
      kind: "agent-failed",
      text: "the language model does not answer",
    });
  });

  it("belong to their response, for its latency", () => {
    const added: Written = {
      type: "response.output_item.added",
      response_id: "r1",
      output_index: 0,
      item: item("a1", "assistant"),
    };
    expect(line(play(added), "a1").responseId).toBe("r1");
  });
});

describe("a turn's times", () => {
  it("may arrive in parts", () => {
    const state = play(
      { type: "antiphon.timeline", response_id: "r1", endpoint_ms: 400, audible_ms: 710 },
      { type: "antiphon.timeline", response_id: "r1", done_ms: 4000 },
      { type: "antiphon.timeline", response_id: "r2", audible_ms: 650 },
    );
    expect(state.timelines).toEqual([
      { response_id: "r1", endpoint_ms: 400, audible_ms: 710, done_ms: 4000 },
      { response_id: "r2", audible_ms: 650 },
    ]);
  });
});

describe("everything else", () => {
  it("that is refused is shown, unless nothing was to be done", () => {
    const error = { type: "invalid_request_error", code: "x", message: "no", param: null, event_id: null };
    expect(play({ type: "error", error }).refusal).toEqual(error);
    expect(
      play({ type: "error", error: { ...error, code: "response_cancel_not_active" } }).refusal,
    ).toBeNull();
  });

  it("that is not known changes nothing", () => {
    const state = play(phase("idle"));
    expect(reduce(state, { type: "rate_limits.updated" } as unknown as ServerEvent)).toBe(state);
  });

  it("leaves the old state as it was", () => {
    const before = play(delta("One"));
    const copy = structuredClone(before);
    reduce(before, { event_id: "e", ...delta(" two") } as ServerEvent);
    expect(before).toEqual(copy);
  });
});

describe("heardLength", () => {
  it.each([
    ["One two three", "One two", 7],
    ["One  two three", "One two", 8],
    ["One two", "One two ", 7],
    ["Straße frei", "Straße", 6],
    ["😀 yes", "😀", 2],
    ["One two", "", 0],
    ["One two", "Once", 2],
  ])("of %j after hearing %j", (text, heard, length) => {
    expect(heardLength(text, heard)).toBe(length);
  });
});

describe("a written answer", () => {
  const text = (delta: string): Written => ({ type: "response.output_text.delta", ...part, delta });

  it("is all there, and final when it is done", () => {
    const growing = play(phase("thinking"), text("Hi "), text("the"));
    expect(line(growing, "a1")).toMatchObject({ text: "Hi the", sure: 6, final: false, responseId: "r1" });
    const whole = reduce(growing, {
      event_id: "e",
      type: "response.output_text.done",
      ...part,
      text: "Hi there.",
    });
    expect(line(whole, "a1")).toMatchObject({ text: "Hi there.", sure: 9, final: true, cut: false });
  });

  it("comes back with the conversation", () => {
    const before = item("a1", "assistant", [{ type: "output_text", text: "Hi there." }]);
    const state = play({ type: "conversation.item.added", previous_item_id: null, item: before });
    expect(line(state, "a1")).toMatchObject({ text: "Hi there.", final: true });
  });
});

describe("moments and languages", () => {
  const now = (at_ms: number, network_ms: number | null = null): Now => ({ at_ms, network_ms });
  const playAt = (...moments: [number, Written][]): CallState =>
    moments.reduce(
      (state, [at_ms, event]) => reduce(state, { event_id: "e", ...event } as ServerEvent, now(at_ms)),
      EMPTY,
    );

  it("a user's line begins when they speak, an agent's when it is heard", () => {
    const state = playAt(
      [100, phase("hearing")],
      [200, started],
      [900, caption("u1", "user", "Hello", 0)],
      [1_400, caption("u1", "user", "Hello.", 6, true)],
      [1_500, delta("Hi there. How are you?")],
      [2_000, caption("a1", "assistant", "Hi", 2)],
      [3_000, caption("a1", "assistant", "Hi there.", 9, true)],
      [9_000, phase("idle")],
    );
    expect(line(state, "u1")).toMatchObject({ from_ms: 200, to_ms: 1_400 });
    expect(line(state, "a1")).toMatchObject({ from_ms: 2_000, to_ms: 3_000 });
  });

  it("lines are in the language that the session expects", () => {
    const session = { audio: { input: { transcription: { language: "fr" } } } };
    expect(line(play({ type: "session.created", session }, started), "u1").lang).toBe("fr");
    expect(line(play(started), "u1").lang).toBe("");
  });

  it("the way there and back is taken when the answer is heard first, and stays", () => {
    const times = { type: "antiphon.timeline", response_id: "r1", event_id: "e" } as const;
    const first = reduce(EMPTY, { ...times, audible_ms: 600 }, now(1, 40));
    const later = reduce(first, { ...times, done_ms: 2_000 }, now(2, 900));
    expect(later.timelines).toEqual([{ response_id: "r1", audible_ms: 600, done_ms: 2_000, network_ms: 40 }]);
  });

  it("the session before anybody changed it is kept over updates and reconnections", () => {
    const usual = { instructions: "Be kind." };
    const state = play(
      { type: "session.created", session: usual },
      { type: "session.updated", session: { instructions: "Rhyme." } },
      { type: "session.created", session: { instructions: "Rhyme." } },
    );
    expect(state.usual).toEqual(usual);
    expect(state.session).toEqual({ instructions: "Rhyme." });
  });

  it("after the call no line grows, and what was not heard is struck through", () => {
    const state = over(
      play(
        started,
        caption("u1", "user", "No, to", 3),
        delta("To Bruges then."),
        caption("a1", "assistant", "To", 2),
      ),
    );
    expect(line(state, "u1")).toMatchObject({ final: true, sure: 6, cut: false });
    expect(line(state, "a1")).toMatchObject({ final: true, sure: 2, cut: true });
    expect(state.phase).toBe("idle");
  });
});
