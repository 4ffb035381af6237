import { useSignal } from "@preact/signals";
import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { report } from "../core/report";

/** The connection's figures, for those who want to know. */
export function Quality({ client }: { client: VoiceClient }) {
  const stats = client.stats.value;
  const { stats: names, milliseconds, percent, unknown } = text.value;
  const rows: readonly (readonly [string, string | null | undefined])[] = [
    [names.rtt, stats?.rtt_ms == null ? null : milliseconds(stats.rtt_ms)],
    [names.jitter, stats?.jitterBuffer_ms == null ? null : milliseconds(stats.jitterBuffer_ms)],
    [names.loss, stats?.loss == null ? null : percent(stats.loss)],
    [names.codec, stats?.codec],
    [names.path, stats?.path],
  ];
  return (
    <details class="quality" data-testid="quality">
      <summary>{text.value.details}</summary>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value ?? unknown}</dd>
          </div>
        ))}
      </dl>
      <CopyReport client={client} />
    </details>
  );
}

/** What a bug report needs, for the clipboard; shown where the browser does not let pages write there. */
export function CopyReport({ client }: { client: VoiceClient }) {
  const copied = useSignal<"" | "yes" | "no">("");
  const shown = useSignal("");
  const copy = async (): Promise<void> => {
    shown.value = report(client);
    try {
      await navigator.clipboard.writeText(shown.value);
      copied.value = "yes";
    } catch {
      copied.value = "no";
    }
  };
  return (
    <div class="report">
      <button type="button" class="small" data-testid="copy-report" onClick={() => void copy()}>
        {text.value.copyReport}
      </button>
      <p class="soft small" role="status">
        {copied.value === "yes" ? text.value.copied : copied.value === "no" ? text.value.notCopied : ""}
      </p>
      {copied.value === "no" && (
        <textarea readOnly rows={4} aria-label={text.value.copyReport} value={shown.value} />
      )}
    </div>
  );
}
