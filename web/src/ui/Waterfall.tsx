import type { VoiceClient } from "../core/client";
import type { Timeline } from "../core/conversation";
import { text } from "../core/i18n";
import { mouthToEar, stages } from "../core/stages";

/** Turns that are shown. */
const TURNS = 4;

/** How long the last answers took to begin, and which stage took the time. */
export function Waterfall({ client }: { client: VoiceClient }) {
  const answered = client.state.value.timelines.filter((timeline) => mouthToEar(timeline) !== null);
  const last = answered.at(-1);
  const total_ms = last && mouthToEar(last);
  const shown = answered.slice(-TURNS).reverse();
  const longest_ms = Math.max(...shown.map((timeline) => mouthToEar(timeline) ?? 0));
  return (
    <section class="latency">
      <h2 class="label">{text.value.latency}</h2>
      <p class="number" data-testid="latency" data-audible-ms={last?.audible_ms} data-total-ms={total_ms}>
        {total_ms == null ? (
          <span class="soft small">{text.value.noLatency}</span>
        ) : (
          text.value.seconds(total_ms)
        )}
      </p>
      {last && (
        <>
          <ol class="turns" aria-label={text.value.turns}>
            {shown.map((timeline) => (
              <Turn key={timeline.response_id} timeline={timeline} longest_ms={longest_ms} />
            ))}
          </ol>
          <ul class="parts" data-testid="stages">
            {stages(last).map(({ name, from_ms, to_ms }) => (
              <li key={name}>
                <span class="part" data-stage={name} aria-hidden="true" />
                <span>{text.value.stages[name]}</span>
                <span class="figure">{text.value.milliseconds(to_ms - from_ms)}</span>
              </li>
            ))}
          </ul>
          <p class="soft small">{text.value.latencyHint}</p>
        </>
      )}
    </section>
  );
}

/** One turn as a bar: as long as it took, beside the longest that is shown. */
function Turn({ timeline, longest_ms }: { timeline: Timeline; longest_ms: number }) {
  const total_ms = mouthToEar(timeline) ?? 0;
  return (
    <li data-testid="turn">
      {/* Widths are grown, not written as a style attribute: the CSP allows none. */}
      <span class="bar" aria-hidden="true">
        {stages(timeline).map(({ name, from_ms, to_ms }) => (
          <span key={name} class="part" data-stage={name} style={{ flexGrow: to_ms - from_ms }} />
        ))}
        <span style={{ flexGrow: longest_ms - total_ms }} />
      </span>
      <span class="figure small">{text.value.seconds(total_ms)}</span>
    </li>
  );
}
