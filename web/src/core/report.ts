// What a bug report needs, and nothing that was said: figures, settings, what went wrong.

import type { VoiceClient } from "./client";
import { PROCESSES } from "./devices";
import { mouthToEar } from "./stages";

/** Turns that are told of. */
const TURNS = 5;

/** The report as text; nothing in it is in the page's language, because its reader may have another. */
export function report(client: VoiceClient, at: Date = new Date()): string {
  const { microphone, connection, problem, state, wishes, looks, speaker } = client;
  const { instructions, ...settings } = wishes.settings.value;
  const off = microphone.off.value;
  const facts: Record<string, unknown> = {
    at: at.toISOString(),
    server: client.server.address,
    browser: navigator.userAgent,
    languages: navigator.languages,
    connection: connection.value,
    phase: state.value.phase,
    problem: problem.value,
    refusal: state.value.refusal,
    extended: state.value.extended,
    lines: state.value.lines.length,
    room: state.value.room && {
      policy: state.value.room.policy,
      people: state.value.room.people.length,
      capacity: state.value.room.capacity,
    },
    microphone: {
      origin: microphone.origin.value,
      open: microphone.stream.value !== null,
      track: microphone.stream.value?.getAudioTracks()[0]?.getSettings() ?? null,
      off: PROCESSES.filter((process) => off.includes(process)),
      muted: client.talk.muted.value,
      level: client.levels.read("microphone"),
    },
    speaker: {
      chosen: speaker.chosen.value !== "",
      silenced: speaker.silenced.value,
      level: client.levels.read("agent"),
    },
    settings: {
      ...settings,
      instructions: instructions === undefined ? undefined : `${instructions.length} characters`,
    },
    turns: state.value.timelines
      .slice(-TURNS)
      .map((timeline) => ({ ...timeline, mouth_to_ear_ms: mouthToEar(timeline) })),
    stats: looks.recent,
  };
  return JSON.stringify(facts, null, 1);
}
