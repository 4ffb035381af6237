import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { stages } from "../core/stages";

/** How long the last answer took to begin, and which stage took the time. */
export function Latency({ client }: { client: VoiceClient }) {
  const last = client.state.value.timelines.findLast((timeline) => timeline.audible_ms !== undefined);
  const total_ms = last?.audible_ms;
  const parts = last ? stages(last) : [];
  return (
    <section class="latency">
      <h2 class="label">{text.latency}</h2>
      <p class="number" data-testid="latency" data-audible-ms={total_ms}>
        {total_ms === undefined ? <span class="soft small">{text.noLatency}</span> : text.seconds(total_ms)}
      </p>
      {parts.length > 0 && (
        <>
          {/* Widths are grown, not written as a style attribute: the CSP allows none. */}
          <div class="bar" aria-hidden="true">
            {parts.map(({ name, from_ms, to_ms }) => (
              <span key={name} class="part" data-stage={name} style={{ flexGrow: to_ms - from_ms }} />
            ))}
          </div>
          <ul class="parts">
            {parts.map(({ name, from_ms, to_ms }) => (
              <li key={name}>
                <span class="part" data-stage={name} aria-hidden="true" />
                <span>{text.stages[name]}</span>
                <span class="figure">{text.milliseconds(to_ms - from_ms)}</span>
              </li>
            ))}
          </ul>
          <p class="soft small">{text.latencyHint}</p>
        </>
      )}
    </section>
  );
}
