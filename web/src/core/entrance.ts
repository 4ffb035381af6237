// What the page's address says: which room, who invited to it, and with which token. Pure.

import { cleaned } from "./people";
import { at } from "./settings";

/** What the server takes for a room's name: not of dots alone. */
const ROOM = /^(?!\.+$)[A-Za-z0-9._-]{1,64}$/;

/** The way in. */
export interface Entrance {
  /** "" for a call of one's own. */
  readonly room: string;
  /** What the address names as a room, and can be none; null where nothing is wrong. */
  readonly unfit: string | null;
  /** Who invited, as the invitation says; "" if it does not. */
  readonly from: string;
  /** The token is for this room alone. */
  readonly bound: boolean;
  /** The name under which the token lets somebody in; "" where that is up to them. */
  readonly given: string;
  readonly token: string | null;
}

/** Where nobody was invited to, and nobody else is. */
export const ALONE: Entrance = { room: "", unfit: null, from: "", bound: false, given: "", token: null };

/** Reads an address such as `/?room=kitchen#token=ek_…&from=Anna`; `kept` is the token that this tab has already. */
export function entrance({ search, hash }: Pick<URL, "search" | "hash">, kept: string | null): Entrance {
  const behind = new URLSearchParams(hash.slice(1));
  const token = behind.get("token") || kept;
  const claims = claimsOf(token);
  const told = (claim: string): string => {
    const value = at(claims, claim);
    return typeof value === "string" ? value : "";
  };
  const named = new URLSearchParams(search).get("room");
  const room = named !== null && ROOM.test(named) ? named : "";
  const unfit = room === "" ? named : null;
  const bound = room !== "" && told("room") === room;
  const given = bound ? cleaned(told("name")) : "";
  return { room, unfit, from: cleaned(behind.get("from") ?? ""), bound, given, token };
}

/** Whether a token is for hearing others, and not for being heard. */
export function forListening(token: string | null): boolean {
  return at(claimsOf(token), "role") === "listen";
}

/** The address of a room, as a person can send it to another. The token stands where no server and no log sees it. */
export function invitation(page: string | URL, room: string, from: string, token: string | null): string {
  const link = new URL(page);
  link.search = new URLSearchParams({ room }).toString();
  const behind = { ...(token && { token }), ...(from && { from }) };
  link.hash = new URLSearchParams(behind).toString();
  return link.href;
}

/** A name for a room that nobody guesses. */
export function freshRoom(): string {
  const letters = "abcdefghijkmnpqrstuvwxyz23456789"; // 32, without those that look alike
  return [...crypto.getRandomValues(new Uint8Array(10))].map((byte) => letters[byte % 32]).join("");
}

/** What a token says of itself. The server checks it; this page only shows it. */
function claimsOf(token: string | null): unknown {
  try {
    const part = token?.split(".")[1] ?? "";
    const bytes = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
  } catch {
    return null; // an API key, or something that is no token
  }
}
