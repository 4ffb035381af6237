import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";

/** The connection's figures, for those who want to know. */
export function Quality({ client }: { client: VoiceClient }) {
  const stats = client.stats.value;
  const rows: readonly (readonly [string, string | null | undefined])[] = [
    [text.stats.rtt, stats?.rtt_ms == null ? null : text.milliseconds(stats.rtt_ms)],
    [text.stats.jitter, stats?.jitterBuffer_ms == null ? null : text.milliseconds(stats.jitterBuffer_ms)],
    [text.stats.loss, stats?.loss == null ? null : text.percent(stats.loss)],
    [text.stats.codec, stats?.codec],
    [text.stats.path, stats?.path],
  ];
  return (
    <details class="quality">
      <summary>{text.details}</summary>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value ?? text.unknown}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
