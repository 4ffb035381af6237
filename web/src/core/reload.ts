// A page that is loaded anew goes on with its call: the tab keeps the call's address for as long as the call is on, for a
// page that crashes says no goodbye.

import type { CallState } from "./conversation";
import { keep, recall } from "./kept";
import type { RoomState } from "./people";

const KEY = "antiphon.call";
const BEAT_MS = 1_000;
/** So long the page before may take to be gone. */
const GONE_MS = 500;

/** What the server will not say again. */
type Known = Pick<CallState, "usual" | "room">;

/** A call that was let go of without hanging up. */
export interface Left extends Known {
  readonly location: string;
  /** "" for a call of one's own. */
  readonly place: string;
  readonly muted: boolean;
}

/** As it is kept: a Map is nothing to JSON. */
type Kept = Omit<Left, "room"> & {
  readonly room: (Omit<RoomState, "turns"> & { readonly turns: readonly [string, string][] }) | null;
  readonly at: number;
};

/** Keeps a call for the page that comes next in this tab. */
export function leave({ room, ...left }: Left): void {
  const known = room && { ...room, turns: [...room.turns] };
  const kept: Kept = { ...left, room: known, at: Date.now() };
  keep(KEY, JSON.stringify(kept), "tab");
}

/**
 * The call that this tab has left, if it was in this room and not longer ago than this. To be asked once. A tab that was
 * duplicated has what the first one keeps, and not its call: that is the first one's for as long as it lives.
 */
export async function comeBack(within_ms: number, place: string): Promise<Left | null> {
  const found = recall(KEY, "tab");
  if (!found) return null;
  const { at, room, ...left } = JSON.parse(found) as Kept;
  const wanted = left.place === place && Date.now() - at <= within_ms;
  const letGo = wanted ? await own(left.location) : null;
  letGo?.();
  keep(KEY, null, "tab"); // not before: the page may be loaded anew while it waits
  return letGo && { ...left, room: room && { ...room, turns: new Map(room.turns) } };
}

/** A call that is on: kept from second to second, and this tab's alone. */
export class Keeping {
  #beat: ReturnType<typeof setInterval> | undefined;
  #letGo: (() => void) | null = null;
  #round = 0;
  #kept = false;

  /** From now on; `known` is asked for what there is to keep. */
  async begin(known: () => Left): Promise<void> {
    this.rest();
    const round = this.#round;
    this.#kept = true;
    leave(known());
    this.#beat = setInterval(() => leave(known()), BEAT_MS);
    const letGo = await own(known().location);
    if (round === this.#round) this.#letGo = letGo;
    else letGo?.();
  }

  /** No call is on, or it is being found again: what was kept last stays. */
  rest(): void {
    this.#round += 1;
    clearInterval(this.#beat);
    this.#letGo?.();
    this.#letGo = null;
  }

  /** It is over, and nobody is to go on with it. What the page before has left is not this one's to forget. */
  forget(): void {
    this.rest();
    if (this.#kept) keep(KEY, null, "tab");
    this.#kept = false;
  }
}

/** Holds a call against other tabs, by a lock that ends with the page, until the function is called; null: one has it. */
async function own(location: string): Promise<(() => void) | null> {
  if (typeof navigator === "undefined" || !navigator.locks) return () => undefined;
  return new Promise((resolve) => {
    const had = (): Promise<void> => new Promise((letGo) => resolve(letGo));
    navigator.locks
      .request(`${KEY} ${location}`, { signal: AbortSignal.timeout(GONE_MS) }, had)
      .catch(() => resolve(null));
  });
}
