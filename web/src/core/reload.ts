// A page that is loaded anew goes on with its call: the tab keeps the call's address meanwhile.

import type { SessionConfig } from "./settings";

const KEY = "antiphon.call";

/** A call that was let go of without hanging up. */
interface Left {
  readonly location: string;
  /** The session as the server had it before anybody changed it. */
  readonly usual: SessionConfig | null;
}

/** Keeps the call's address for the page that comes next in this tab. */
export function leave(location: URL, usual: SessionConfig | null): void {
  sessionStorage.setItem(KEY, JSON.stringify({ location, usual, at: Date.now() }));
}

/** The call that this tab has left, if that was not longer ago than this. To be asked once. */
export function comeBack(within_ms: number): Left | null {
  const kept = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  if (!kept) return null;
  const { at, ...left } = JSON.parse(kept) as Left & { at: number };
  return Date.now() - at < within_ms ? left : null;
}
