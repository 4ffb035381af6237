// A page that is loaded anew goes on with its call: the tab keeps the call's address meanwhile.

import type { SessionConfig } from "./settings";

const KEY = "antiphon.call";

/** A call that was let go of without hanging up. */
export interface Left {
  readonly location: string;
  /** "" for a call of one's own. */
  readonly room: string;
  readonly muted: boolean;
  /** The session as the server had it before anybody changed it. */
  readonly usual: SessionConfig | null;
}

/** Keeps a call for the page that comes next in this tab. */
export function leave(left: Left): void {
  sessionStorage.setItem(KEY, JSON.stringify({ ...left, at: Date.now() }));
}

/** The call that this tab has left, if it was in this room and not longer ago than this. To be asked once. */
export function comeBack(within_ms: number, room: string): Left | null {
  const kept = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  if (!kept) return null;
  const { at, ...left } = JSON.parse(kept) as Left & { at: number };
  return left.room === room && Date.now() - at < within_ms ? left : null;
}
