// The connection's quality, from `getStats()`: https://www.w3.org/TR/webrtc-stats/

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
