// Where a turn's time went: the marks of an `antiphon.timeline` in the order in which they were reached, and the way.

import type { Timeline } from "./conversation";

/** The marks between the user's last sound and the agent's first, as the server names them. */
const MARKS = [
  "pause",
  "judged",
  "endpoint",
  "transcript",
  "first_delta",
  "first_clause",
  "first_audio",
  "audible",
] as const;

export type StageName = (typeof MARKS)[number] | "network";

/** The time that led to one mark: from the mark before it. */
export interface Stage {
  readonly name: StageName;
  /** ms since the user's last sound. */
  readonly from_ms: number;
  /** ms since the user's last sound. */
  readonly to_ms: number;
}

/**
 * From the user's mouth to the user's ear, ms: the server's part and the way. Null of a turn that was not answered, and of
 * what answers no speech: a greeting, a written line.
 */
export function mouthToEar({ pause_ms, audible_ms, network_ms }: Timeline): number | null {
  return pause_ms === undefined || audible_ms === undefined ? null : audible_ms + (network_ms ?? 0);
}

/**
 * The stages of one turn, without gaps, from 0 to the agent's first sound at the user's ear. Marks are sorted by time, not by name:
 * work done ahead of its turn (a draft begun during the pause) lies before the decision that released it.
 */
export function stages(timeline: Timeline): readonly Stage[] {
  const reached = MARKS.flatMap((name) => {
    const at = timeline[`${name}_ms`];
    return at === undefined ? [] : [{ name, to_ms: Math.max(0, at) }];
  }).sort((a, b) => a.to_ms - b.to_ms);
  const limit = timeline.audible_ms ?? Number.POSITIVE_INFINITY;
  let from_ms = 0;
  const found: Stage[] = [];
  for (const { name, to_ms } of reached) {
    if (to_ms > from_ms && to_ms <= limit) {
      found.push({ name, from_ms, to_ms });
      from_ms = to_ms;
    }
  }
  const total_ms = mouthToEar(timeline);
  if (total_ms !== null && total_ms > from_ms) found.push({ name: "network", from_ms, to_ms: total_ms });
  return found;
}
