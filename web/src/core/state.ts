// The conversation as the page shows it: a pure function of the server's events, and nothing else decides.
// No DOM, no clock, no I/O: (CallState, ServerEvent, Now) → CallState, so every rule here is tested without a browser.

import { type CallState, EMPTY, type Line, type LineKind, type Now, type Timeline } from "./conversation";
import { roomAfter } from "./people";
import { languageOf } from "./settings";
import type {
  CaptionEvent,
  ItemAddedEvent,
  PhaseName,
  ResponseDoneEvent,
  ServerEvent,
  TimelineEvent,
} from "./wire";

/** The state of a call that begins; of one that goes on, `known` is what this server will not say again. */
export function begun(known: Pick<CallState, "usual" | "room"> = EMPTY): CallState {
  const { usual, room } = known;
  return { ...EMPTY, usual, room };
}

/** The state after the last refusal was read. */
export function dismissed(state: CallState): CallState {
  return { ...state, refusal: null };
}

/** The state after the call: nobody's turn, and no line grows any more. */
export function over(state: CallState): CallState {
  const lines = state.lines.map((line) => {
    if (line.final) return line;
    const unheard = line.kind === "agent" && line.text.slice(line.sure).trim() !== "";
    return unheard ? { ...line, final: true, cut: true } : whole(line);
  });
  return { ...state, lines, phase: "idle" };
}

/** Refusals that mean "there was nothing to do": an interruption that came too late is not the user's problem. */
const HARMLESS = new Set(["response_cancel_not_active"]);

const UNKNOWN: Now = { at_ms: 0, network_ms: null };

/** The state after `event`. Types that this page does not know (an older page, a newer server) change nothing. */
export function reduce(state: CallState, event: ServerEvent, now: Now = UNKNOWN): CallState {
  return stamped(state.lines, step(state, event, now), now.at_ms);
}

function step(state: CallState, event: ServerEvent, now: Now): CallState {
  switch (event.type) {
    case "session.created": {
      // The server tells a client that has come back what was said so far.
      const { timelines, usual, room } = state;
      return { ...EMPTY, session: event.session, timelines, usual: usual ?? event.session, room };
    }
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
    case "response.output_text.delta": // a written answer: what is there can be read
      return change(state, event.item_id, "agent", (line) =>
        written({ ...line, responseId: event.response_id }, line.text + event.delta, false),
      );
    case "response.output_text.done":
      return change(state, event.item_id, "agent", (line) => whole({ ...line, text: event.text }));
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
      return { ...state, extended: true, timelines: merged(state.timelines, event, now) };

    case "antiphon.room.left":
      return roomChanged(silent(state, event.person_id), event);
    default:
      return roomChanged(state, event);
  }
}

/** Who is there, and whose words are whose: `people.ts` knows. */
function roomChanged(state: CallState, event: ServerEvent): CallState {
  const room = roomAfter(state.room, event);
  return room === state.room ? state : { ...state, room };
}

/** Somebody has left: nothing is added to what they said. */
function silent(state: CallState, personId: string): CallState {
  const theirs = (line: Line): boolean => state.room?.turns.get(line.id) === personId;
  return { ...state, lines: state.lines.map((line) => (!line.final && theirs(line) ? whole(line) : line)) };
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

const UNSPOKEN = {
  text: "",
  sure: 0,
  final: false,
  cut: false,
  responseId: null,
  from_ms: null,
  to_ms: null,
};

/** Applies `edit` to the line called `id`; an item never heard of before gets a line at the end. */
function change(state: CallState, id: string, kind: LineKind, edit: (line: Line) => Line): CallState {
  const place = state.lines.findIndex((line) => line.id === id);
  const old = state.lines[place];
  if (old) return { ...state, lines: state.lines.with(place, edit(old)) };
  const lang = languageOf(state.session);
  const fresh: Line = { ...UNSPOKEN, id, kind, lang };
  return { ...state, lines: [...state.lines, edit(fresh)] };
}

/** Dates the lines that have grown: an agent's counts from when it is heard. */
function stamped(before: readonly Line[], state: CallState, at_ms: number): CallState {
  if (state.lines === before) return state;
  const lines = state.lines.map((line, place) => {
    const old = before[place];
    if (old === line || (line.kind === "agent" && line.sure === 0)) return line;
    if (old?.to_ms && old.id === line.id && old.text === line.text && old.sure === line.sure) return line;
    return { ...line, from_ms: line.from_ms ?? at_ms, to_ms: at_ms };
  });
  return { ...state, lines };
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
  const said = item.content
    .map((part) =>
      part.type === "output_text" ? part.text : "transcript" in part ? (part.transcript ?? "") : "",
    )
    .join(" ");
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
function merged(timelines: readonly Timeline[], event: TimelineEvent, now: Now): readonly Timeline[] {
  const { event_id: _id, type: _type, ...times } = event;
  const place = timelines.findIndex((timeline) => timeline.response_id === times.response_id);
  const whole: Timeline = { ...timelines[place], ...times };
  const first = whole.audible_ms !== undefined && whole.network_ms === undefined && now.network_ms !== null;
  const dated = first ? { ...whole, network_ms: now.network_ms } : whole;
  return place < 0 ? [...timelines, dated] : timelines.with(place, dated);
}
