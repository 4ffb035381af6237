// A page that is loaded anew goes on with its call: the tab keeps the call's address meanwhile.

import type { CallState } from "./conversation";
import type { RoomState } from "./people";

const KEY = "antiphon.call";

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
export function leave(location: string, place: string, muted: boolean, state: Known): void {
  const { usual, room } = state;
  const known = room && { ...room, turns: [...room.turns] };
  const kept: Kept = { location, place, muted, usual, room: known, at: Date.now() };
  sessionStorage.setItem(KEY, JSON.stringify(kept));
}

/** The call that this tab has left, if it was in this room and not longer ago than this. To be asked once. */
export function comeBack(within_ms: number, place: string): Left | null {
  const found = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  if (!found) return null;
  const { at, room, ...left } = JSON.parse(found) as Kept;
  if (left.place !== place || Date.now() - at > within_ms) return null;
  return { ...left, room: room && { ...room, turns: new Map(room.turns) } };
}
