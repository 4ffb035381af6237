import { useEffect, useRef } from "preact/hooks";
import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { CLIP_DBFS, SILENCE_DBFS, type Source } from "../core/levels";

/** The quiet end of the scale; the loud end is 0 dBFS. */
const FLOOR_DBFS = -60;
/** How often assistive technology, and eyes that read figures, may be told. */
const TELL_MS = 500;

/** How loud one side is, with the peak of the last second. */
export function Meter({ client, source }: { client: VoiceClient; source: Source }) {
  const meter = useRef<HTMLDivElement>(null);
  const fill = useRef<HTMLDivElement>(null);
  const peak = useRef<HTMLDivElement>(null);
  const figure = useRef<HTMLSpanElement>(null);

  useEffect(() => {
    let told_ms = 0;
    return client.levels.watch(() => {
      const level = client.levels.read(source);
      const clipped = level.peak_dbfs >= CLIP_DBFS;
      fill.current?.style.setProperty("transform", `scaleX(${share(level.rms_dbfs)})`);
      peak.current?.style.setProperty("left", `${100 * share(level.peak_dbfs)}%`);
      meter.current?.toggleAttribute("data-clipped", clipped);
      const now_ms = performance.now();
      if (now_ms - told_ms < TELL_MS) return;
      told_ms = now_ms;
      const shown = Math.max(FLOOR_DBFS, level.rms_dbfs);
      const words = clipped ? text.value.clipped : text.value.decibels(shown);
      meter.current?.setAttribute("aria-valuenow", shown.toFixed(0));
      meter.current?.setAttribute("aria-valuetext", words);
      if (figure.current) figure.current.textContent = words;
    });
  }, [client, source]);

  const shared = source === "agent" && client.state.value.room !== null;
  const label = shared ? text.value.room.rest : text.value.levels[source];
  const held = source === "microphone" && client.connection.value !== "idle" && !client.talk.open;
  return (
    <div class="meter">
      <span class="label">{label}</span>
      {/* biome-ignore lint/a11y/useSemanticElements: <meter> draws no peak and can not be read out at its own pace */}
      <div
        class="track"
        ref={meter}
        role="meter"
        aria-label={label}
        aria-valuemin={FLOOR_DBFS}
        aria-valuemax={0}
        aria-valuenow={SILENCE_DBFS}
        data-source={source}
        data-held-back={held}
      >
        <div class="fill" ref={fill} />
        <div class="peak" ref={peak} />
      </div>
      <span class="figure small" ref={figure} aria-hidden="true" />
    </div>
  );
}

/** Where a level lies on the scale, 0 to 1. */
function share(dbfs: number): number {
  return Math.min(1, Math.max(0, 1 - dbfs / FLOOR_DBFS));
}
