import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { MicrophoneIcon } from "./icons";
import { Meter } from "./Meter";
import { Transcript } from "./Transcript";

/** Before a call: one large button, and a way to see whether the microphone works. */
export function Lobby({ client }: { client: VoiceClient }) {
  const connection = client.connection.value;
  const waiting = connection !== "idle";
  const spoken = client.state.value.lines.length > 0;
  return (
    <main class="lobby">
      <section class="welcome">
        <h2>{text.tagline}</h2>
        <p class="soft">{text.promise}</p>
        <button
          type="button"
          class="primary large"
          data-testid="start"
          disabled={waiting}
          onClick={() => void client.join()}
        >
          <MicrophoneIcon />
          <span role="status">
            {connection === "asking" ? text.asking : waiting ? text.connecting : text.start}
          </span>
        </button>
        {waiting ? (
          <button type="button" class="quiet" data-testid="cancel" onClick={() => client.leave()}>
            {text.cancel}
          </button>
        ) : (
          <MicrophoneCheck client={client} />
        )}
        <p class="soft small">{text.privacy(client.server.address)}</p>
      </section>
      {spoken && !waiting && (
        <section class="card past">
          <h2 class="label">{text.lastCall}</h2>
          <Transcript client={client} />
        </section>
      )}
    </main>
  );
}

function MicrophoneCheck({ client }: { client: VoiceClient }) {
  const { microphone } = client;
  const open = microphone.stream.value !== null;
  return (
    <details
      class="card check"
      onToggle={(event) => {
        // The microphone is never open unseen: folding the check away closes it.
        if (!event.currentTarget.open && client.connection.value === "idle") microphone.close();
      }}
    >
      <summary>{text.checkMicrophone}</summary>
      {open ? (
        <Meter client={client} source="microphone" />
      ) : (
        <button type="button" data-testid="try-microphone" onClick={() => void client.tryMicrophone()}>
          {text.openMicrophone}
        </button>
      )}
      {microphone.devices.value.length > 0 && (
        <label class="field">
          <span>{text.device}</span>
          <select
            data-testid="device"
            value={microphone.chosen.value}
            onChange={(event) => void client.chooseMicrophone(event.currentTarget.value)}
          >
            <option value="">{text.defaultDevice}</option>
            {microphone.devices.value.map((device) => (
              <option key={device.id} value={device.id}>
                {device.label}
              </option>
            ))}
          </select>
        </label>
      )}
    </details>
  );
}
