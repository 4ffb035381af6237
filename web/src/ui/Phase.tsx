import { useEffect, useRef } from "preact/hooks";
import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import type { Source } from "../core/levels";
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

/** What is to be said about it: a microphone that is closed counts for more than an agent that listens. */
function words(client: VoiceClient): string {
  const { phase } = client.state.value;
  const { talk } = client;
  if (phase !== "idle" || talk.holding.held.value) return text.value.phases[phase];
  return talk.muted.value
    ? text.value.muted
    : client.wishes.holds
      ? text.value.hold
      : text.value.phases[phase];
}

/** Whose turn it is, as word, colour and shape. */
export function Phase({ client }: { client: VoiceClient }) {
  const { phase } = client.state.value;
  const halo = useRef<SVGCircleElement>(null);

  useEffect(
    () =>
      client.levels.watch(() => {
        const source = MOVED_BY[client.state.value.phase];
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
      <p role="status">{words(client)}</p>
    </div>
  );
}
