// The HTTP half of a call: the offer goes up, the answer and the call's address come down.

import { type ReadonlySignal, signal } from "@preact/signals-core";
import { iceServers } from "./ice";
import { CallError, type Problem } from "./problems";

/** A server that accepts a connection but never answers is as good as none. */
const ANSWER_WITHIN_MS = 20_000;
/** So long an invitation is asked for. */
const INVITED_MIN = 60;

/** What the server said to an offer. */
export interface Answer {
  readonly sdp: string;
  /** The call's own address, for hanging up; null from a server that names none. */
  readonly location: URL | null;
  /** Says to which offer candidates belong that are found later; null from a server that does not ask. */
  readonly tag: string | null;
}

/** Where a call goes that is not one of one's own. */
export interface Place {
  readonly room: string;
  /** "" lets the server choose one. */
  readonly name: string;
}

/** What a server gave to whoever wants to invite others. */
export interface Pass {
  /** Null where a server wants none, or gives none. */
  readonly token: string | null;
  /** ms since 1970; null without a token. */
  readonly expires_ms: number | null;
  /** The server hands out none to whoever asked. */
  readonly refused: boolean;
}

/** The routes of one server, found from where the page itself came from. */
export class Server {
  /** Sent as a bearer token where the server wants one. */
  token: string | null = null;
  /** The room that a call joins, and under which name; null for a call of one's own. */
  place: Place | null = null;
  readonly #base: URL;
  /** What is said in this server's rooms is recorded, as far as is known. */
  readonly records: ReadonlySignal<boolean>;
  readonly #records = signal(false);
  /** Which ways to the server /readyz has named; null before it was asked. */
  #ways: RTCIceTransportPolicy | "none" | null = null;

  constructor(base: string | URL) {
    this.#base = new URL(base);
    this.records = this.#records;
  }

  /** Where the routes begin, which is where the page is. */
  get base(): URL {
    return this.#base;
  }

  /** `https://host:port` as people write it. */
  get address(): string {
    return this.#base.host;
  }

  /** How to make a peer connection: with STUN and TURN servers, if the server has said that it has some. */
  async configuration(): Promise<RTCConfiguration> {
    if (this.#ways === null) await this.waiting();
    if (this.#ways === null || this.#ways === "none") return {};
    const url = new URL("v1/realtime/calls", this.#base);
    const response = await this.#fetch(url, { method: "OPTIONS", headers: this.#authorization() });
    if (!response.ok) return {}; // the offer will be told why
    return { iceServers: iceServers(response.headers.get("Link")), iceTransportPolicy: this.#ways };
  }

  /** Sends an SDP offer. Throws CallError: unreachable, full, loading, unauthorised, forbidden, room-full, refused, … */
  async offer(sdp: string): Promise<Answer> {
    const query = new URLSearchParams({ extensions: "antiphon", ...this.place });
    return this.#answer(new URL(`v1/realtime/calls?${query}`, this.#base), sdp);
  }

  /** Goes on with a call over a new connection: after a reload, or from another network. Throws CallError. */
  async goOn(location: URL, sdp: string): Promise<Answer> {
    return { ...(await this.#answer(location, sdp)), location };
  }

  async #answer(url: URL, sdp: string): Promise<Answer> {
    const response = await this.#fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/sdp", ...this.#authorization() },
      body: sdp,
    });
    if (!response.ok) throw new CallError(await this.#refusal(response));
    const location = response.headers.get("Location");
    return {
      sdp: await response.text(),
      location: location ? new URL(location, url) : null,
      tag: response.headers.get("ETag"),
    };
  }

  /** Sends candidates that were found after the offer. Never throws: those that it knew may do. */
  async trickle(location: URL, fragment: string, tag: string | null): Promise<void> {
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", ...this.#authorization() };
    try {
      await this.#fetch(location, {
        method: "PATCH",
        headers: tag ? { ...headers, "If-Match": tag } : headers,
        body: fragment,
      });
    } catch {
      return;
    }
  }

  /** Hangs up. Never throws: a server that can not be reached notices the silence by itself. */
  async hangUp(location: URL): Promise<void> {
    try {
      // keepalive: the request outlives the page that is being closed.
      await fetch(location, { method: "DELETE", headers: this.#authorization(), keepalive: true });
    } catch {
      return;
    }
  }

  /** Asks for a token with which others come into a room. Never throws: where nobody needs one, the address will do. */
  async invite(room: string): Promise<Pass> {
    const url = new URL(`v1/rooms/${encodeURIComponent(room)}/invitations`, this.#base);
    const headers = { "Content-Type": "application/json", ...this.#authorization() };
    const body = JSON.stringify({ minutes: INVITED_MIN });
    const response = await this.#fetch(url, { method: "POST", headers, body }).catch(() => null);
    const pass: unknown = response?.ok ? await response.json().catch(() => null) : null;
    const refused = response !== null && !response.ok && response.status !== 404; // 404: a server without invitations
    if (!isRecord(pass) || typeof pass.token !== "string") return { token: null, expires_ms: null, refused };
    const expires_s = pass.expires_at;
    return {
      token: pass.token,
      expires_ms: typeof expires_s === "number" ? 1000 * expires_s : null,
      refused,
    };
  }

  /** What the server still waits for, in words; empty when it is ready, or does not say. */
  async waiting(): Promise<readonly string[]> {
    const response = await this.#fetch(new URL("readyz", this.#base), { cache: "no-store" });
    const body: unknown = await response.json().catch(() => null);
    const ways = isRecord(body) ? body.ice : null;
    this.#ways = ways === "all" || ways === "relay" ? ways : "none";
    this.#records.value = isRecord(body) && body.recording === true;
    if (response.status !== 503) return [];
    if (!isRecord(body) || !Array.isArray(body.waiting)) return [];
    const reasons = isRecord(body.reasons) ? body.reasons : {};
    return body.waiting.map((name) => {
      const reason = reasons[String(name)];
      const told = typeof reason === "string" && reason !== "" && reason !== "loading";
      return told ? `${name} (${reason})` : String(name);
    });
  }

  /** The names of the agent's voices; none from a server that does not say. */
  async voices(): Promise<readonly string[]> {
    const url = new URL("v1/audio/voices", this.#base);
    const response = await this.#fetch(url, { headers: this.#authorization() }).catch(() => null);
    const body: unknown = response?.ok ? await response.json().catch(() => null) : null;
    if (!isRecord(body) || !Array.isArray(body.voices)) return [];
    return body.voices.flatMap((voice) =>
      isRecord(voice) && typeof voice.id === "string" ? [voice.id] : [],
    );
  }

  async #fetch(url: URL, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    } catch (cause) {
      throw new CallError({ kind: "unreachable" }, { cause });
    }
  }

  async #refusal(response: Response): Promise<Problem> {
    const body: unknown = await response.json().catch(() => null);
    const error = isRecord(body) && isRecord(body.error) ? body.error : {};
    const message = typeof error.message === "string" ? error.message : response.statusText;
    switch (response.status) {
      case 401:
        return { kind: "unauthorised", message: this.token ? message : "" }; // who has none is told so in their own words
      case 403:
        if (error.code === "room_full") return { kind: "room-full", message };
        if (error.code === "wrong_room") return { kind: "wrong-room", message };
        return { kind: "forbidden", message };
      case 503: {
        const waiting = await this.waiting();
        return waiting.length > 0 ? { kind: "loading", waiting } : { kind: "full", message };
      }
      default:
        return { kind: "refused", status: response.status, message };
    }
  }

  #authorization(): Record<string, string> {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
