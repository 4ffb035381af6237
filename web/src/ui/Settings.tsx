import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { VoiceClient } from "../core/client";
import { nameOf, text } from "../core/i18n";
import { at, LIMITS, languageOf } from "../core/settings";
import { Devices } from "./Devices";
import { Dialog } from "./Dialog";
import { Amount, Group, Select, Switch, Text } from "./fields";
import { PageSettings } from "./PageSettings";
import { TurnSettings } from "./TurnSettings";

/** Languages that people are likely to speak to an agent; a server says which of them it knows. */
const SPOKEN = "ar cs da de el en es fi fr he hi hu id it ja ko nl no pl pt ro ru sv th tr uk vi zh".split(
  " ",
);
const SPEEDS = [0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5];

/** Everything that can be chosen; each choice holds at once. */
export function SettingsDialog({ client }: { client: VoiceClient }) {
  const refusal = client.state.value.refusal;
  const { room } = client;
  return (
    <Dialog name="settings" title={text.value.settings}>
      {refusal && (
        <p class="banner" role="alert">
          <span lang="en">{refusal.message}</span>
        </p>
      )}
      {room.on ? (
        <p data-testid="settings-of-all">{text.value.room.settings}</p>
      ) : (
        <>
          <AgentSettings client={client} />
          <TurnSettings client={client} />
        </>
      )}
      <Group title={text.value.soundSettings}>
        <Devices client={client} />
      </Group>
      <PageSettings />
      <p class="soft small">{text.value.kept}</p>
      {!room.on && (
        <button type="button" data-testid="reset" onClick={() => client.wishes.reset()}>
          {text.value.reset}
        </button>
      )}
    </Dialog>
  );
}

function AgentSettings({ client }: { client: VoiceClient }) {
  const { wishes } = client;
  const wanted = wishes.settings.value;
  const { usual } = client.state.value;
  const voices = useSignal<readonly string[]>([]);
  const { servers, anyLanguage, times } = text.value;

  useEffect(() => {
    void client.server.voices().then((found) => {
      voices.value = found;
    });
  }, [client, voices]);

  const named = voices.value.length > 0 ? voices.value : wanted.voice ? [wanted.voice] : [];
  const spoken = languageOf(usual);
  const languages = SPOKEN.map((code) => [code, nameOf(code)] as const).sort(([, a], [, b]) =>
    a.localeCompare(b),
  );
  return (
    <Group title={text.value.agentSettings}>
      {named.length > 0 && (
        <Select
          name="voice"
          label={text.value.voice}
          value={wanted.voice ?? ""}
          options={[["", servers], ...named.map((name) => [name, name] as const)]}
          onChange={(voice) => wishes.change({ voice: voice || undefined })}
        />
      )}
      <Select
        name="speed"
        label={text.value.speed}
        value={String(wanted.speed ?? 1)}
        options={SPEEDS.map((speed) => [String(speed), times(speed)])}
        onChange={(speed) => wishes.change({ speed: speed === "1" ? undefined : Number(speed) })}
      />
      <Select
        name="language"
        label={text.value.spokenLanguage}
        value={wanted.language ?? "server"}
        options={[
          ["server", spoken ? `${servers}: ${nameOf(spoken)}` : servers],
          ["", anyLanguage],
          ...languages,
        ]}
        onChange={(code) => wishes.change({ language: code === "server" ? undefined : code })}
      />
      <Text
        name="instructions"
        label={text.value.instructions}
        hint={text.value.instructionsHint}
        value={wanted.instructions}
        empty={String(at(usual, "instructions") ?? servers)}
        most={20_000}
        onChange={(instructions) => wishes.change({ instructions })}
      />
      <Amount
        name="longest"
        label={text.value.longest}
        value={wanted.longest}
        limits={LIMITS.longest}
        empty={servers}
        onChange={(longest) =>
          wishes.change({ longest: longest === undefined ? undefined : Math.round(longest) })
        }
      />
      <div class="switches">
        <Switch
          name="written"
          label={text.value.written}
          on={wanted.written ?? String(at(usual, "output_modalities")) === "text"}
          onChange={(written) => wishes.change({ written })}
        />
      </div>
    </Group>
  );
}
