// What is known of a conversation: its lines, its turns, whose turn it is. Changed by `state.ts` alone.

import type { RoomState } from "./people";
import type { SessionConfig } from "./settings";
import type { ErrorBody, PhaseName, TimelineEvent } from "./wire";

/** Where a call stands. */
export type Connection =
  /** No call. */
  | "idle"
  /** The browser is asking for the microphone. */
  | "asking"
  /** The offer is under way, or ICE and DTLS are. */
  | "connecting"
  /** Voice and events flow. */
  | "live"
  /** The path broke; it may come back. */
  | "interrupted";

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
  /** BCP 47; "" when nobody knows. */
  readonly lang: string;
  /** When its first word was said or heard, ms since 1970; null before. */
  readonly from_ms: number | null;
  /** When its last word so far was. */
  readonly to_ms: number | null;
}

/** One turn's stage times, ms since the user's last sound; a stage that was not reached is absent. */
export type Timeline = Omit<TimelineEvent, "event_id" | "type"> & {
  /** What the way there and back added, as the browser measured it when the answer began, ms. */
  readonly network_ms?: number;
};

/** What an event does not tell of its moment. */
export interface Now {
  /** ms since 1970 */
  readonly at_ms: number;
  /** The way to the server and back, and the wait in this side's jitter buffer, ms; null while it is not known. */
  readonly network_ms: number | null;
}

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
  readonly session: SessionConfig | null;
  /** The session as it was before anybody changed it: what "as the server has it" means. */
  readonly usual: SessionConfig | null;
  /** Who else is there; null in a call of one's own. */
  readonly room: RoomState | null;
}

export const EMPTY: CallState = {
  phase: "idle",
  extended: false,
  lines: [],
  timelines: [],
  refusal: null,
  session: null,
  usual: null,
  room: null,
};

/** The agent is making or speaking an answer. */
export function answering({ phase }: CallState): boolean {
  return phase === "thinking" || phase === "speaking" || phase === "yielding";
}

/** The server hears a turn of the user's; null from a server that does not say. */
export function heard({ extended, phase }: CallState): boolean | null {
  return extended ? phase === "hearing" || phase === "paused" || phase === "yielding" : null;
}
