import { useSignal } from "@preact/signals";
import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";

/** Writing instead of speaking. */
export function TextBox({ client }: { client: VoiceClient }) {
  const words = useSignal("");
  const { room, type, typeHere, send } = text.value;
  const shared = client.state.value.room !== null;
  return (
    <form
      class="textbox"
      onSubmit={(event) => {
        event.preventDefault();
        if (client.say(words.value)) words.value = "";
      }}
    >
      <input
        type="text"
        data-testid="textbox"
        aria-label={shared ? room.write : type}
        placeholder={shared ? room.writeHere : typeHere}
        autocomplete="off"
        enterkeyhint="send"
        value={words.value}
        onInput={(event) => {
          words.value = event.currentTarget.value;
        }}
      />
      <button type="submit" data-testid="send" disabled={words.value.trim() === ""}>
        {send}
      </button>
    </form>
  );
}
