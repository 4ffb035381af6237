import { useEffect, useRef } from "preact/hooks";
import type { VoiceClient } from "../core/client";
import type { CallState } from "../core/conversation";
import { language, text } from "../core/i18n";
import type { Source } from "../core/levels";
import { mayTalk, type RoomState, speakers } from "../core/people";
import type { Talk } from "../core/talk";
import type { PhaseName } from "../core/wire";

/** Whose loudness moves the ring. */
const MOVED_BY: Record<PhaseName, Source | null> = {
  idle: "microphone",
  hearing: "microphone",
  paused: "microphone",
  thinking: null,
  speaking: "agent",
  yielding: "microphone",
};

/** The agent does nothing in these. */
const QUIET: readonly PhaseName[] = ["idle", "hearing", "paused"];

/** What is drawn in the ring: each phase has a shape of its own, so that colour is never the only sign. */
const SHAPES: Record<PhaseName, preact.JSX.Element> = {
  idle: (
    <path
      class="line"
      d="M60 36a7 7 0 0 0-7 7v16a7 7 0 0 0 14 0V43a7 7 0 0 0-7-7zM42 58v1a18 18 0 0 0 36 0v-1M60 77v9"
    />
  ),
  paused: <path class="line" d="M36 59v2M48 57v6M60 54v12M72 57v6M84 59v2" />,
  hearing: <path class="line" d="M36 54v12M48 44v32M60 36v48M72 44v32M84 54v12" />,
  thinking: (
    <g class="dots">
      <circle cx="42" cy="60" r="6" />
      <circle cx="60" cy="60" r="6" />
      <circle cx="78" cy="60" r="6" />
    </g>
  ),
  speaking: (
    <g>
      <path class="solid" d="M36 52h10l14-12v40l-14-12h-10z" />
      <path class="line" d="M70 50a14 14 0 0 1 0 20M79 41a27 27 0 0 1 0 38" />
    </g>
  ),
  yielding: <path class="solid" d="M44 42h11v36h-11zM65 42h11v36h-11z" />,
};

/** Whose loudness moves the ring now: that of others comes with the agent's. */
function mover({ phase, room }: CallState): Source | null {
  const own = !room || speakers(room)[0]?.id === room.you;
  return own || MOVED_BY[phase] === null ? MOVED_BY[phase] : "agent";
}

/** What is to be said about it: a microphone that is closed counts for more than an agent that listens. */
function words(client: VoiceClient): string {
  const { phase, room } = client.state.value;
  const { talk } = client;
  if (room) return wordsOf(room, phase, talk);
  if (phase !== "idle" || talk.holding.held.value) return text.value.phases[phase];
  return talk.muted.value ? text.value.muted : talk.holds ? text.value.hold : text.value.phases[phase];
}

/** The same in a room, where several can speak: who does. */
function wordsOf(room: RoomState, phase: PhaseName, talk: Talk): string {
  const { agent, policy, you } = room;
  const { room: say, phases, muted } = text.value;
  const held = talk.holding.held.value;
  if (phase === "thinking") return say.thinking(agent);
  if (phase === "speaking") return say.answering(agent);
  if (phase === "yielding") return say.yielding(agent);
  const speaking = speakers(room);
  if (speaking[0]?.id === you) return phases.hearing;
  if (speaking.length > 0) {
    const names = new Intl.ListFormat(language.value).format(speaking.map(({ name }) => name));
    return say.hearing(names, speaking.length);
  }
  if (talk.muted.value && !held && mayTalk(room)) return muted;
  if (policy === "scribe") return say.writing(agent);
  return policy === "moderated" && !held ? say.waiting(agent) : say.listening(agent);
}

/** Whose turn it is, as word, colour and shape. */
export function Phase({ client }: { client: VoiceClient }) {
  const { phase, room } = client.state.value;
  const halo = useRef<SVGCircleElement>(null);

  useEffect(
    () =>
      client.levels.watch(() => {
        const source = mover(client.state.value);
        const rms_dbfs = source ? client.levels.read(source).rms_dbfs : -100;
        // −60 dBFS is a quiet room, −15 dBFS a raised voice.
        const size = Math.min(1, Math.max(0, (rms_dbfs + 60) / 45));
        halo.current?.style.setProperty("transform", `scale(${1 + 0.22 * size})`);
      }),
    [client],
  );

  return (
    <div class="phase" data-testid="phase" data-phase={phase}>
      <svg viewBox="0 0 120 120" aria-hidden="true">
        <circle class="halo" ref={halo} cx="60" cy="60" r="46" />
        <circle class="ring" cx="60" cy="60" r="46" />
        {SHAPES[phase]}
      </svg>
      {/* In a room people speak one after the other, and each is heard: telling it as well would be too much. */}
      <p role="status" aria-live={room && QUIET.includes(phase) ? "off" : undefined}>
        {words(client)}
      </p>
    </div>
  );
}
