import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { at, LIMITS, type Patience, SILENCE_MS } from "../core/settings";
import { Amount, Group, Select, Switch } from "./fields";

const PATIENCES: readonly Patience[] = ["quick", "calm", "patient", "fixed"];

/** What ends a turn, and what speech does to an answer. */
export function TurnSettings({ client }: { client: VoiceClient }) {
  const { wishes } = client;
  const wanted = wishes.settings.value;
  const usual = at(client.state.value.usual, "audio", "input", "turn_detection");
  const { servers, patiences, turnEndings } = text.value;
  const timed = wanted.patience === undefined || wanted.patience === "fixed";
  return (
    <Group title={text.value.turnSettings}>
      <Select
        name="turn-ends"
        label={text.value.turnEnds}
        value={wishes.holds ? "hold" : "auto"}
        options={Object.entries(turnEndings)}
        onChange={(value) => wishes.change({ hold: value === "hold" })}
      />
      {!wishes.holds && (
        <>
          <Select
            name="patience"
            label={text.value.patience}
            value={wanted.patience ?? ""}
            options={[["", servers], ...PATIENCES.map((each) => [each, patiences[each]] as const)]}
            onChange={(each) => wishes.change({ patience: (each || undefined) as Patience | undefined })}
          />
          {wanted.patience === "fixed" && (
            <Amount
              name="silence"
              label={text.value.silence}
              value={wanted.silence_ms}
              limits={LIMITS.silence_ms}
              empty={String(SILENCE_MS)}
              onChange={(ms) => wishes.change({ silence_ms: ms === undefined ? undefined : Math.round(ms) })}
            />
          )}
          {timed && (
            <Amount
              name="idle"
              label={text.value.idle}
              value={wanted.idle_s}
              limits={LIMITS.idle_s}
              empty={servers}
              onChange={(idle_s) => wishes.change({ idle_s })}
            />
          )}
          <div class="switches">
            <Switch
              name="interruptible"
              label={text.value.interruptible}
              on={wanted.interruptible ?? at(usual, "interrupt_response") !== false}
              onChange={(interruptible) => wishes.change({ interruptible })}
            />
          </div>
        </>
      )}
    </Group>
  );
}
