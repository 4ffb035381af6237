// The transcript as a file: to read, to lay under a recording, or to work with.

import type { CallState, Line } from "./conversation";
import { mouthToEar } from "./stages";

export type Format = "txt" | "vtt" | "json";

/** How each side is called, and what stands before words that were not heard. */
export interface Names {
  readonly you: string;
  readonly agent: string;
  readonly unheard: string;
}

/** The shortest time that a subtitle is shown. */
const SHORTEST_MS = 1_000;

export const MEDIA_TYPES: Record<Format, string> = {
  txt: "text/plain;charset=utf-8",
  vtt: "text/vtt;charset=utf-8",
  json: "application/json",
};

/** The words of a call, the text of a file of this format. */
export function transcript(state: CallState, format: Format, names: Names): string {
  const lines = state.lines.filter((line) => spoken(line));
  switch (format) {
    case "txt":
      return lines.map((line) => `${who(line, names)}: ${words(line, names)}\n`).join("\n");
    case "vtt":
      return `WEBVTT\n\n${lines.map((line, at) => cue(line, lines[at + 1], first(lines), names)).join("\n")}`;
    case "json":
      return `${JSON.stringify(
        lines.map((line) => entry(line, state)),
        null,
        2,
      )}\n`;
  }
}

/** Named after the moment at which the call's first word was said: `antiphon-2026-11-21-1405.txt`. */
export function fileName(state: CallState, format: Format): string {
  const at = new Date(first(state.lines) ?? Date.now());
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `antiphon-${day}-${two(at.getHours())}${two(at.getMinutes())}.${format}`;
}

function spoken(line: Line): boolean {
  return line.text !== "" && (line.kind === "user" || (line.kind === "agent" && line.sure > 0));
}

function first(lines: readonly Line[]): number {
  return lines.find((line) => line.from_ms !== null)?.from_ms ?? 0;
}

function who(line: Line, names: Names): string {
  return line.kind === "user" ? names.you : names.agent;
}

function heard(line: Line): string {
  return line.cut ? line.text.slice(0, line.sure).trim() : line.text;
}

function words(line: Line, names: Names): string {
  const rest = line.cut ? line.text.slice(line.sure).trim() : "";
  return rest ? `${heard(line)} [${names.unheard} ${rest}]` : heard(line);
}

function cue(line: Line, next: Line | undefined, origin_ms: number, names: Names): string {
  const from_ms = (line.from_ms ?? origin_ms) - origin_ms;
  const until_ms = next?.from_ms
    ? Math.max(from_ms + SHORTEST_MS, next.from_ms - origin_ms)
    : Number.POSITIVE_INFINITY;
  const to_ms = Math.min(until_ms, Math.max(from_ms + SHORTEST_MS, (line.to_ms ?? origin_ms) - origin_ms));
  // Three characters mean something in a cue; an empty line would end it.
  const text = heard(line)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll(/\s*\n\s*/g, " ");
  return `${clock(from_ms)} --> ${clock(to_ms)}\n<v ${who(line, names)}>${text}\n`;
}

function clock(ms: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const rest = String(Math.round(ms) % 1000).padStart(3, "0");
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}.${rest}`;
}

function entry(line: Line, state: CallState): Record<string, unknown> {
  const timeline = state.timelines.find((each) => each.response_id === line.responseId);
  return {
    who: line.kind,
    text: line.text,
    heard: heard(line),
    cut: line.cut,
    language: line.lang || null,
    from: line.from_ms === null ? null : new Date(line.from_ms).toISOString(),
    to: line.to_ms === null ? null : new Date(line.to_ms).toISOString(),
    mouth_to_ear_ms: timeline ? mouthToEar(timeline) : null,
  };
}
