import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { type Format, fileName, MEDIA_TYPES, transcript } from "../core/save";
import { SaveIcon } from "./icons";

const FORMATS: readonly Format[] = ["txt", "vtt", "srt", "json"];

/** The transcript as a file. */
export function Save({ client }: { client: VoiceClient }) {
  const save = (format: Format): void => {
    const { you, agent, unheard, room } = text.value;
    const names = { you, agent, unheard, somebody: room.somebody };
    const state = client.state.value;
    const content = new Blob([transcript(state, format, names)], { type: MEDIA_TYPES[format] });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(content);
    link.download = fileName(state, format);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the browser reads it after the click
  };
  return (
    <details class="save">
      <summary data-testid="save">
        <SaveIcon />
        {text.value.save}
      </summary>
      <div class="menu card">
        {FORMATS.map((format) => (
          <button
            key={format}
            type="button"
            class="quiet"
            data-testid={`save-${format}`}
            onClick={(event) => {
              save(format);
              event.currentTarget.closest("details")?.removeAttribute("open");
            }}
          >
            {text.value.saveAs[format]}
          </button>
        ))}
      </div>
    </details>
  );
}
