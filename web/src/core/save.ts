// The transcript as a file: to read, to lay under a recording, or to work with.

import type { CallState, Line } from "./conversation";
import { author } from "./people";
import { mouthToEar } from "./stages";

export type Format = "txt" | "vtt" | "srt" | "json";

/** How each side is called where it has no name of its own, and what stands before words that were not heard. */
export interface Names {
  readonly you: string;
  readonly agent: string;
  /** In a room: of whom nothing is known but that they spoke. */
  readonly somebody: string;
  readonly unheard: string;
}

/** The shortest time that a subtitle is shown. */
const SHORTEST_MS = 1_000;

export const MEDIA_TYPES: Record<Format, string> = {
  txt: "text/plain;charset=utf-8",
  vtt: "text/vtt;charset=utf-8",
  srt: "application/x-subrip;charset=utf-8",
  json: "application/json",
};

/** The words of a call, the text of a file of this format. */
export function transcript(state: CallState, format: Format, names: Names): string {
  const lines = state.lines.filter((line) => spoken(line));
  const who = (line: Line): string => speaker(line, state, names);
  const cues = (): readonly Cue[] => timed(lines, who);
  switch (format) {
    case "txt":
      return lines.map((line) => `${moment(line, state)}${who(line)}: ${words(line, names)}\n`).join("\n");
    case "vtt":
      return `WEBVTT\n\n${cues().map(vtt).join("\n")}`;
    case "srt":
      return cues().map(srt).join("\n");
    case "json":
      return `${JSON.stringify(
        lines.map((line) => entry(line, state, who(line))),
        null,
        2,
      )}\n`;
  }
}

/** Named after the moment at which the call's first word was said: `antiphon-2026-11-21-1405.txt`. */
export function fileName(state: CallState, format: Format): string {
  const at = new Date(first(state.lines) ?? Date.now());
  const day = [at.getFullYear(), digits(at.getMonth() + 1), digits(at.getDate())].join("-");
  return `antiphon-${day}-${digits(at.getHours())}${digits(at.getMinutes())}.${format}`;
}

function spoken(line: Line): boolean {
  return line.text !== "" && (line.kind === "user" || (line.kind === "agent" && line.sure > 0));
}

function first(lines: readonly Line[]): number {
  return lines.find((line) => line.from_ms !== null)?.from_ms ?? 0;
}

/** In a room everybody by name, also whoever saves it: the file is for others, too. */
function speaker(line: Line, { room }: CallState, names: Names): string {
  if (line.kind !== "user") return room?.agent || names.agent;
  return room ? author(room, line.id)?.name || names.somebody : names.you;
}

/** In a room: the time of day. */
function moment(line: Line, { room }: CallState): string {
  if (!room || line.from_ms === null) return "";
  const at = new Date(line.from_ms);
  return `[${[at.getHours(), at.getMinutes(), at.getSeconds()].map((each) => digits(each)).join(":")}] `;
}

function heard(line: Line): string {
  return line.cut ? line.text.slice(0, line.sure).trim() : line.text;
}

function words(line: Line, names: Names): string {
  const rest = line.cut ? line.text.slice(line.sure).trim() : "";
  return rest ? `${heard(line)} [${names.unheard} ${rest}]` : heard(line);
}

/** One subtitle. */
interface Cue {
  /** ms since the first word */
  readonly from_ms: number;
  readonly to_ms: number;
  readonly who: string;
  /** on one line */
  readonly text: string;
}

/** Each line from its first word to its last, not longer than until the next, and long enough to be read. */
function timed(lines: readonly Line[], who: (line: Line) => string): readonly Cue[] {
  const origin_ms = first(lines);
  return lines.map((line, place) => {
    const next = lines[place + 1];
    const from_ms = (line.from_ms ?? origin_ms) - origin_ms;
    const shortest_ms = from_ms + SHORTEST_MS;
    const until_ms = next?.from_ms
      ? Math.max(shortest_ms, next.from_ms - origin_ms)
      : Number.POSITIVE_INFINITY;
    const to_ms = Math.min(until_ms, Math.max(shortest_ms, (line.to_ms ?? origin_ms) - origin_ms));
    // An empty line would end the subtitle.
    return { from_ms, to_ms, who: who(line), text: heard(line).replaceAll(/\s*\n\s*/g, " ") };
  });
}

function vtt({ from_ms, to_ms, who, text }: Cue): string {
  return `${clock(from_ms, ".")} --> ${clock(to_ms, ".")}\n<v ${escaped(who)}>${escaped(text)}\n`;
}

function srt({ from_ms, to_ms, who, text }: Cue, place: number): string {
  return `${place + 1}\n${clock(from_ms, ",")} --> ${clock(to_ms, ",")}\n${who}: ${text}\n`;
}

/** Three characters mean something in WebVTT. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function clock(ms: number, point: string): string {
  const parts = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1000) % 60].map((each) => digits(each));
  return `${parts.join(":")}${point}${digits(Math.round(ms) % 1000, 3)}`;
}

function digits(value: number, count = 2): string {
  return String(Math.floor(value)).padStart(count, "0");
}

function entry(line: Line, state: CallState, name: string): Record<string, unknown> {
  const timeline = state.timelines.find((each) => each.response_id === line.responseId);
  return {
    who: line.kind,
    ...(state.room && { name, person: author(state.room, line.id)?.id ?? null }),
    text: line.text,
    heard: heard(line),
    cut: line.cut,
    language: line.lang || null,
    from: line.from_ms === null ? null : new Date(line.from_ms).toISOString(),
    to: line.to_ms === null ? null : new Date(line.to_ms).toISOString(),
    mouth_to_ear_ms: timeline ? mouthToEar(timeline) : null,
  };
}
