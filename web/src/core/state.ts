// The conversation as the page shows it: a pure function of the server's events, and nothing else decides.
// No DOM, no clock, no I/O: (CallState, ServerEvent) → CallState, so every rule here is tested without a browser.

import type {
  CaptionEvent,
  ErrorBody,
  ItemAddedEvent,
  PhaseName,
  ResponseDoneEvent,
  ServerEvent,
  TimelineEvent,
} from "./wire";

/** What one line of the transcript is: words of either side, or the reason why there are none. */
export type LineKind = "user" | "agent" | "user-failed" | "agent-failed";

/** One line of the transcript: an item of the conversation. */
export interface Line {
  /** The item's id; a failure that has no item is called after its response. */
  readonly id: string;
  readonly kind: LineKind;
  /** All words known so far; of a failed line, the server's reason. */
  readonly text: string;
  /** Characters of `text` that are certain: recognised for good (user) or heard by the user (agent). */
  readonly sure: number;
  /** Nothing will be added. */
  readonly final: boolean;
  /** An answer that was cut off: what lies after `sure` was never heard. */
  readonly cut: boolean;
  /** The response that an agent's line belongs to. */
  readonly responseId: string | null;
}

/** One turn's stage times, ms since the user's last sound; a stage that was not reached is absent. */
export type Timeline = Omit<TimelineEvent, "event_id" | "type">;

/** Everything that the server's events have told. */
export interface CallState {
  readonly phase: PhaseName;
  /** The server speaks `antiphon.*`: phase and heard words come from it, and are not guessed. */
  readonly extended: boolean;
  readonly lines: readonly Line[];
  /** One per turn, oldest first. */
  readonly timelines: readonly Timeline[];
  /** The last client event that the server refused, until the next one is accepted or it is dismissed. */
  readonly refusal: ErrorBody | null;
  readonly session: Readonly<Record<string, unknown>> | null;
}

export const EMPTY: CallState = {
  phase: "idle",
  extended: false,
  lines: [],
  timelines: [],
  refusal: null,
  session: null,
};

/** Refusals that mean "there was nothing to do": an interruption that came too late is not the user's problem. */
const HARMLESS = new Set(["response_cancel_not_active"]);

/** The state after `event`. Types that this page does not know (an older page, a newer server) change nothing. */
export function reduce(state: CallState, event: ServerEvent): CallState {
  switch (event.type) {
    case "session.created":
      // The server tells a client that has come back what was said so far.
      return { ...EMPTY, session: event.session, timelines: state.timelines };
    case "session.updated":
      return { ...state, session: event.session };
    case "error":
      return HARMLESS.has(event.error.code ?? "") ? state : { ...state, refusal: event.error };

    // -- whose turn it is: from antiphon.phase, or from the standard's events where a server lacks it
    case "antiphon.phase":
      return { ...state, extended: true, phase: event.phase };
    case "input_audio_buffer.speech_started":
      return guess(
        change(state, event.item_id, "user", (line) => line),
        "hearing",
      );
    case "input_audio_buffer.speech_stopped":
      return guess(state, "thinking");
    case "output_audio_buffer.started":
      return guess(state, "speaking");

    // -- the user's words
    case "conversation.item.input_audio_transcription.completed":
      return change(state, event.item_id, "user", (line) =>
        whole({ ...line, text: event.transcript.trim() }),
      );
    case "conversation.item.input_audio_transcription.failed":
      return change(state, event.item_id, "user", (line) =>
        whole({ ...line, kind: "user-failed", text: event.error.message }),
      );
    case "conversation.item.added":
    case "conversation.item.done":
      return itemSeen(state, event.item);

    // -- the agent's words
    case "response.output_item.added":
      if (event.item.type !== "message") return state;
      return change(state, event.item.id, "agent", (line) => ({ ...line, responseId: event.response_id }));
    case "response.output_audio_transcript.delta":
      return change(state, event.item_id, "agent", (line) =>
        written({ ...line, responseId: event.response_id }, line.text + event.delta, state.extended),
      );
    case "response.output_audio_transcript.done":
      return change(state, event.item_id, "agent", (line) =>
        event.transcript.length > line.text.length ? written(line, event.transcript, state.extended) : line,
      );
    case "antiphon.caption":
      return { ...captioned(state, event), extended: true };
    case "output_audio_buffer.stopped":
      return guess(closed(state, event.response_id, false), "idle");
    case "output_audio_buffer.cleared":
      return guess(closed(state, event.response_id, true), "idle");
    case "conversation.item.truncated":
      return change(state, event.item_id, "agent", (line) => ({ ...line, final: true, cut: true }));
    case "response.done":
      return responseDone(state, event);

    case "antiphon.timeline":
      return { ...state, extended: true, timelines: merged(state.timelines, event) };
    default:
      return state;
  }
}

/** The characters of `text` that `heard` covers; differences in white space do not matter. */
export function heardLength(text: string, heard: string): number {
  let at = 0;
  for (const character of heard) {
    if (/\s/.test(character)) continue;
    while (at < text.length && /\s/.test(text.charAt(at))) at += 1;
    if (!text.startsWith(character, at)) break;
    at += character.length;
  }
  return at;
}

/** Applies `edit` to the line called `id`; an item never heard of before gets a line at the end. */
function change(state: CallState, id: string, kind: LineKind, edit: (line: Line) => Line): CallState {
  const at = state.lines.findIndex((line) => line.id === id);
  const old = state.lines[at];
  if (old) return { ...state, lines: state.lines.with(at, edit(old)) };
  const fresh: Line = { id, kind, text: "", sure: 0, final: false, cut: false, responseId: null };
  return { ...state, lines: [...state.lines, edit(fresh)] };
}

/** A line to which nothing will be added, all of it certain. */
function whole(line: Line): Line {
  return { ...line, sure: line.text.length, final: true };
}

/** An agent's line whose text is `text`. Without captions nobody knows what was heard: all of it counts. */
function written(line: Line, text: string, extended: boolean): Line {
  return { ...line, text, sure: extended ? line.sure : text.length };
}

/** A phase inferred from a standard event; a server that sends phases is not second-guessed. */
function guess(state: CallState, phase: PhaseName): CallState {
  return state.extended ? state : { ...state, phase };
}

/** A typed message has its words at once, and so has what was said before this client came back. */
function itemSeen(state: CallState, item: ItemAddedEvent["item"]): CallState {
  if (item.type !== "message" || item.role === "system") return state;
  const typed = item.content
    .map((part) => (part.type === "input_text" ? part.text : ""))
    .join(" ")
    .trim();
  const said = item.content.map((part) => ("transcript" in part ? (part.transcript ?? "") : "")).join(" ");
  return change(state, item.id, item.role === "user" ? "user" : "agent", (line) => {
    if (typed) return whole({ ...line, text: typed });
    if (said.trim() === "" || line.text !== "") return line;
    return whole({ ...line, text: said.trim(), cut: item.status === "incomplete" });
  });
}

function captioned(state: CallState, event: CaptionEvent): CallState {
  if (event.role === "user") {
    return change(state, event.item_id, "user", (line) => {
      const next = { ...line, text: event.text, sure: Math.min(event.stable, event.text.length) };
      return event.final ? whole(next) : { ...next, final: line.final };
    });
  }
  return change(state, event.item_id, "agent", (line) => {
    const text = line.text.length < event.text.length ? event.text : line.text; // the caption overtook the deltas
    const sure = heardLength(text, event.text);
    const unheard = text.slice(sure).trim() !== "";
    return {
      ...line,
      text,
      sure,
      final: event.final || line.final,
      cut: line.cut || (event.final && unheard),
    };
  });
}

/** The response's audio came to its end (all of it was heard) or was thrown away. */
function closed(state: CallState, responseId: string, cut: boolean): CallState {
  const lines = state.lines.map((line) => {
    if (line.responseId !== responseId) return line;
    if (cut) return { ...line, final: true, cut: true };
    return line.cut ? line : whole(line);
  });
  return { ...state, lines };
}

function responseDone(state: CallState, event: ResponseDoneEvent): CallState {
  const { id, status, status_details } = event.response;
  if (status === "cancelled") return guess(closed(state, id, true), "idle");
  if (status !== "failed") return state;
  const reason = status_details?.error?.message ?? "";
  const ended = guess(closed(state, id, true), "idle");
  return change(ended, `${id}-failed`, "agent-failed", (line) =>
    whole({ ...line, responseId: id, text: reason }),
  );
}

/** A turn's stages may arrive in parts, the end of its answer long after its beginning. */
function merged(timelines: readonly Timeline[], event: TimelineEvent): readonly Timeline[] {
  const { event_id: _id, type: _type, ...times } = event;
  const at = timelines.findIndex((timeline) => timeline.response_id === times.response_id);
  return at < 0 ? [...timelines, times] : timelines.with(at, { ...timelines[at], ...times });
}
