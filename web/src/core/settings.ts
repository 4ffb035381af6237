// What a person can change about the agent, as `session.update` carries it. Pure: what is absent is as the server has it.

/** The session object, as `session.created` shows it. */
export type SessionConfig = Readonly<Record<string, unknown>>;

/** How long the agent waits in a pause before it answers. */
export type Patience = "quick" | "calm" | "patient" | "fixed";

/** One person's wishes. Absent: as the server has it. */
export interface Settings {
  readonly voice?: string | undefined;
  /** Of the voice, 1 its own. */
  readonly speed?: number | undefined;
  /** That is spoken to the agent, ISO 639-1; "" to find out. */
  readonly language?: string | undefined;
  readonly instructions?: string | undefined;
  /** Answers are written, not spoken. */
  readonly written?: boolean | undefined;
  /** Tokens that one answer may have. */
  readonly longest?: number | undefined;
  readonly patience?: Patience | undefined;
  /** Silence that ends a turn where `patience` is "fixed". */
  readonly silence_ms?: number | undefined;
  /** Silence after which the agent speaks again. */
  readonly idle_s?: number | undefined;
  /** Speech interrupts an answer. */
  readonly interruptible?: boolean | undefined;
  /** Turns end when a key is let go, and not by themselves. */
  readonly hold?: boolean | undefined;
}

/** The limits of the session's numbers; the server refuses what lies outside. */
export const LIMITS = {
  speed: { min: 0.5, max: 1.5, step: 0.05 },
  longest: { min: 16, max: 4096, step: 16 },
  silence_ms: { min: 100, max: 5000, step: 50 },
  idle_s: { min: 3, max: 600, step: 1 },
} as const;

/** Used where the length of the silence is fixed, and not yet said. */
export const SILENCE_MS = 700;

const EAGERNESS = { quick: "high", calm: "medium", patient: "low" } as const;

/** The parts of the session that are told apart: one that a server refuses does not take the others along. */
const PARTS: Record<string, (wanted: Settings, usual: SessionConfig | null) => SessionConfig> = {
  instructions: ({ instructions }, usual) => ({ instructions: instructions ?? usual?.instructions ?? "" }),
  voice: ({ voice }) => ({ audio: { output: { voice: voice ?? null } } }),
  speed: ({ speed }) => ({ audio: { output: { speed: speed ?? 1 } } }),
  longest: ({ longest }) => ({ max_output_tokens: longest ?? "inf" }),
  written: ({ written }, usual) => ({
    output_modalities:
      written === undefined ? (usual?.output_modalities ?? ["audio"]) : [written ? "text" : "audio"],
  }),
  language: ({ language }, usual) => {
    const whole = at(usual, "audio", "input", "transcription", "language");
    return { audio: { input: { transcription: { language: language ?? whole ?? null } } } };
  },
  turns: (wanted, usual) => turns(turnDetection(wanted, usual)),
};

const PART_OF: Record<keyof Settings, string> = {
  voice: "voice",
  speed: "speed",
  language: "language",
  instructions: "instructions",
  longest: "longest",
  written: "written",
  patience: "turns",
  silence_ms: "turns",
  idle_s: "turns",
  interruptible: "turns",
  hold: "turns",
};

/** The `session` of each update that leads from what was wanted before to what is wanted now. */
export function updates(
  before: Settings,
  now: Settings,
  usual: SessionConfig | null,
): readonly SessionConfig[] {
  const keys = Object.keys(PART_OF) as (keyof Settings)[];
  const parts = new Set(keys.filter((key) => before[key] !== now[key]).map((key) => PART_OF[key]));
  return [...parts].map((part) => ({ type: "realtime", ...PARTS[part]?.(now, usual) }));
}

/** The change of a session that lets this decide when a turn is over. */
export function turns(turn_detection: SessionConfig | null): SessionConfig {
  return { type: "realtime", audio: { input: { turn_detection } } };
}

/** Turns end when a key is let go: as it is wanted, or as the server has it. */
export function holds(wanted: Settings, usual: SessionConfig | null): boolean {
  return wanted.hold ?? at(usual, "audio", "input", "turn_detection") === null;
}

/** What decides when a turn is over; null where a key does. */
export function turnDetection(wanted: Settings, usual: SessionConfig | null): SessionConfig | null {
  if (holds(wanted, usual)) return null;
  const theirs = at(usual, "audio", "input", "turn_detection");
  const base: SessionConfig =
    typeof theirs === "object" && theirs !== null ? { ...theirs } : { type: "server_vad" };
  const interrupt_response = wanted.interruptible ?? base.interrupt_response ?? true;
  const { patience } = wanted;
  if (patience !== undefined && patience !== "fixed") {
    return { type: "semantic_vad", eagerness: EAGERNESS[patience], interrupt_response };
  }
  const idle_timeout_ms = wanted.idle_s === undefined ? (base.idle_timeout_ms ?? null) : 1000 * wanted.idle_s;
  if (patience === undefined) return { ...base, interrupt_response, idle_timeout_ms };
  const silence_duration_ms = wanted.silence_ms ?? SILENCE_MS;
  return { type: "server_vad", silence_duration_ms, interrupt_response, idle_timeout_ms };
}

/** The language that the session expects, which the agent answers in; "" when it finds out by itself. */
export function languageOf(session: SessionConfig | null): string {
  const language = at(session, "audio", "input", "transcription", "language");
  return typeof language === "string" ? language : "";
}

/** What was kept of an earlier visit, as far as it makes sense: an older page may have written it. */
export function restored(kept: string | null): Settings {
  let found: unknown;
  try {
    found = JSON.parse(kept ?? "{}");
  } catch {
    return {};
  }
  const number = (key: keyof typeof LIMITS): number | undefined => {
    const value = at(found, key);
    const { min, max } = LIMITS[key];
    return typeof value === "number" && value >= min && value <= max ? value : undefined;
  };
  const text = (key: string): string | undefined => {
    const value = at(found, key);
    return typeof value === "string" ? value : undefined;
  };
  const flag = (key: string): boolean | undefined => {
    const value = at(found, key);
    return typeof value === "boolean" ? value : undefined;
  };
  const patience = at(found, "patience");
  return clean({
    voice: text("voice"),
    language: text("language"),
    instructions: text("instructions"),
    speed: number("speed"),
    longest: number("longest"),
    silence_ms: number("silence_ms"),
    idle_s: number("idle_s"),
    patience: patience === "fixed" || at(EAGERNESS, String(patience)) ? (patience as Patience) : undefined,
    interruptible: flag("interruptible"),
    hold: flag("hold"),
    written: flag("written"),
  });
}

/** Without what is absent. */
export function clean(settings: Settings): Settings {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** What lies at a path of an object; undefined if nothing does. */
export function at(found: unknown, ...path: readonly string[]): unknown {
  let value = found;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
