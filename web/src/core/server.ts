// The HTTP half of a call: the offer goes up, the answer and the call's address come down.

import { CallError, type Problem } from "./problems";

/** A server that accepts a connection but never answers is as good as none. */
const ANSWER_WITHIN_MS = 20_000;

/** What the server said to an offer. */
export interface Answer {
  readonly sdp: string;
  /** The call's own address, for hanging up; null from a server that names none. */
  readonly location: URL | null;
}

/** The routes of one server, found from where the page itself came from. */
export class Server {
  /** Sent as a bearer token where the server wants one. */
  token: string | null = null;
  readonly #base: URL;

  constructor(base: string | URL) {
    this.#base = new URL(base);
  }

  /** `https://host:port` as people write it. */
  get address(): string {
    return this.#base.host;
  }

  /** Sends an SDP offer. Throws CallError: unreachable, full, loading, unauthorised, refused. */
  async offer(sdp: string): Promise<Answer> {
    return this.#answer(new URL("v1/realtime/calls?extensions=antiphon", this.#base), sdp);
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
    return { sdp: await response.text(), location: location ? new URL(location, url) : null };
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

  /** What the server still waits for, in words; empty when it is ready, or does not say. */
  async waiting(): Promise<readonly string[]> {
    const response = await this.#fetch(new URL("readyz", this.#base), { cache: "no-store" });
    if (response.status !== 503) return [];
    const body: unknown = await response.json().catch(() => null);
    if (!isRecord(body) || !Array.isArray(body.waiting)) return [];
    const reasons = isRecord(body.reasons) ? body.reasons : {};
    return body.waiting.map((name) => {
      const reason = reasons[String(name)];
      const told = typeof reason === "string" && reason !== "" && reason !== "loading";
      return told ? `${name} (${reason})` : String(name);
    });
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
      case 403:
        return { kind: "unauthorised", message };
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
