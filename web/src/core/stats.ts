// The connection's quality, from `getStats()`: https://www.w3.org/TR/webrtc-stats/

import { type ReadonlySignal, signal } from "@preact/signals-core";

/** One look at the connection. What the browser does not say is null. */
export interface CallStats {
  readonly rtt_ms: number | null;
  /** Mean time that the voice waited in the jitter buffer since the last look. */
  readonly jitterBuffer_ms: number | null;
  /** Packets lost of those expected since the last look, 0 to 1. */
  readonly loss: number | null;
  /** For instance `opus`. */
  readonly codec: string | null;
  /** How this side is reached: `host`, `srflx`, `prflx` or `relay`. */
  readonly path: string | null;
}

/** What the way there and back adds to an answer, with the wait in the jitter buffer, ms; null while it is not known. */
export function network_ms(stats: CallStats | null): number | null {
  if (!stats || (stats.rtt_ms === null && stats.jitterBuffer_ms === null)) return null;
  return (stats.rtt_ms ?? 0) + (stats.jitterBuffer_ms ?? 0);
}

const LOOK_MS = 1_000;
/** Looks that a report shows. */
const RECENT = 20;

/** Looks at a call's connection once a second. */
export class Looks {
  /** The last one; null without a call. */
  readonly stats: ReadonlySignal<CallStats | null>;
  /** The last of them, oldest first, also after the call. */
  readonly recent: CallStats[] = [];
  readonly #stats = signal<CallStats | null>(null);
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    this.stats = this.#stats;
  }

  /** Looks at `peer` from now on. */
  begin(peer: RTCPeerConnection): void {
    this.rest();
    const reader = new StatsReader();
    const timer = setInterval(() => void look(), LOOK_MS);
    const look = async (): Promise<void> => {
      const reports = (await peer.getStats()) as unknown as ReadonlyMap<string, Report>;
      if (this.#timer !== timer) return;
      this.#stats.value = reader.read(reports);
      this.recent.push(this.#stats.value);
      if (this.recent.length > RECENT) this.recent.shift();
    };
    this.#timer = timer;
  }

  /** There is nothing to look at. */
  rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stats.value = null;
  }
}

/** The counters that a look is a difference of. */
interface Counters {
  readonly delay_s: number;
  readonly emitted: number;
  readonly lost: number;
  readonly received: number;
}

type Report = Readonly<Record<string, unknown>>;

/** Looks at one peer connection, again and again. */
export class StatsReader {
  #before: Counters = { delay_s: 0, emitted: 0, lost: 0, received: 0 };

  /** The quality since the last call. `reports` is what `getStats()` resolved to. */
  read(reports: Iterable<readonly [string, Report]>): CallStats {
    const all = new Map(reports);
    const find = (wanted: (report: Report) => boolean): Report | undefined => [...all.values()].find(wanted);
    const transport = find((report) => report.type === "transport");
    const pair = all.get(String(transport?.selectedCandidatePairId));
    const voice = find((report) => report.type === "inbound-rtp" && report.kind === "audio");
    const now: Counters = {
      delay_s: number(voice?.jitterBufferDelay) ?? 0,
      emitted: number(voice?.jitterBufferEmittedCount) ?? 0,
      lost: number(voice?.packetsLost) ?? 0,
      received: number(voice?.packetsReceived) ?? 0,
    };
    const before = this.#before;
    this.#before = now;
    const emitted = now.emitted - before.emitted;
    const lost = now.lost - before.lost;
    const expected = lost + now.received - before.received;
    const rtt_s = number(pair?.currentRoundTripTime);
    const mime = text(all.get(String(voice?.codecId))?.mimeType);
    return {
      rtt_ms: rtt_s === null ? null : Math.round(rtt_s * 1000),
      jitterBuffer_ms: emitted > 0 ? Math.round((1000 * (now.delay_s - before.delay_s)) / emitted) : null,
      loss: expected > 0 ? Math.max(0, lost / expected) : null,
      codec: mime?.split("/")[1] ?? null,
      path: text(all.get(String(pair?.localCandidateId))?.candidateType),
    };
  }
}

function number(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
