import { useSignal } from "@preact/signals";
import type { VoiceClient } from "../core/client";
import { language, text } from "../core/i18n";
import type { Invited } from "../core/room";
import { InviteIcon } from "./icons";

/** Copies an address that lets others in. `shown`: it can be read then, too; else only where it was not copied. */
export function Invite({ client, shown }: { client: VoiceClient; shown: boolean }) {
  const { room } = client;
  const made = useSignal<Invited | null>(null);
  const copied = useSignal(false);
  const words = text.value.room;
  const invite = async (): Promise<void> => {
    const invited = await room.invite();
    try {
      await navigator.clipboard.writeText(invited.link);
      copied.value = true;
    } catch {
      copied.value = false;
    }
    made.value = invited;
  };
  return (
    <div class="invite">
      <button type="button" data-testid="invite" onClick={() => void invite()}>
        <InviteIcon />
        <span>{words.invite}</span>
      </button>
      <p class="soft small told" role="status">
        {made.value && (copied.value ? told(made.value) : text.value.notCopied)}
      </p>
      {made.value && (shown || !copied.value) && (
        <input
          type="text"
          class="small"
          data-testid="invitation"
          readOnly
          aria-label={words.link}
          value={made.value.link}
          onFocus={(event) => event.currentTarget.select()}
        />
      )}
    </div>
  );
}

function told({ expires_ms, refused }: Invited): string {
  const words = text.value.room;
  if (refused) return words.uninvited;
  const until = expires_ms === null ? null : new Date(expires_ms);
  return words.invited(until?.toLocaleTimeString(language.value, { timeStyle: "short" }) ?? null);
}
