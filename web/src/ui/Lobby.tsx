import { useEffect, useRef } from "preact/hooks";
import type { VoiceClient } from "../core/client";
import { freshRoom } from "../core/entrance";
import { text } from "../core/i18n";
import { Devices } from "./Devices";
import { Others, Welcome } from "./Door";
import { MicrophoneIcon, PeopleIcon, SettingsIcon, SpeakerIcon } from "./icons";
import { dialog } from "./looks";
import { Meter } from "./Meter";
import { Save } from "./Save";
import { Transcript } from "./Transcript";

/** Before a call: one large button, and a way to see whether the microphone works. */
export function Lobby({ client }: { client: VoiceClient }) {
  const connection = client.connection.value;
  const waiting = connection !== "idle";
  const { room } = client;
  const spoken = client.state.value.lines.length > 0;
  const start = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    // Back from a call: the keyboard is where the next one begins, and not at the top of the page.
    if (client.state.value.lines.length > 0) start.current?.focus();
  }, [client]);

  return (
    <main class="lobby">
      <section class="welcome">
        {room.on ? (
          <Welcome client={client} />
        ) : (
          <>
            <h2>{text.value.tagline}</h2>
            <p class="soft">{text.value.promise}</p>
          </>
        )}
        <button
          type="button"
          class="primary large"
          data-testid="start"
          ref={start}
          disabled={waiting}
          onClick={() => void client.join()}
        >
          {client.listens ? <SpeakerIcon /> : <MicrophoneIcon />}
          <span role="status">
            {connection === "asking"
              ? text.value.asking
              : waiting
                ? text.value.connecting
                : client.listens
                  ? text.value.room.listen
                  : room.on
                    ? text.value.room.join
                    : text.value.start}
          </span>
        </button>
        {waiting ? (
          <button type="button" class="quiet" data-testid="cancel" onClick={() => client.leave()}>
            {text.value.cancel}
          </button>
        ) : (
          <>
            {!client.listens && <Check client={client} />}
            <div class="row centred">
              {!room.on && <TalkWithOthers />}
              <button
                type="button"
                class="quiet"
                data-testid="open-settings"
                onClick={() => {
                  dialog.value = "settings";
                }}
              >
                <SettingsIcon />
                {text.value.settings}
              </button>
            </div>
            {room.on && <Others client={client} />}
          </>
        )}
        <p class="soft small">{text.value.privacy(client.server.address)}</p>
      </section>
      {spoken && !waiting && <Past client={client} title={text.value.lastCall} />}
    </main>
  );
}

/** Makes a room: its address can then be sent to others. */
function TalkWithOthers() {
  return (
    <button
      type="button"
      class="quiet"
      data-testid="others"
      onClick={() => location.assign(`?room=${freshRoom()}`)}
    >
      <PeopleIcon />
      {text.value.room.others}
    </button>
  );
}

/** What was said in the call before. */
export function Past({ client, title }: { client: VoiceClient; title: string }) {
  return (
    <section class="card past">
      <div class="bar-of-talk">
        <h2 class="label">{title}</h2>
        <Save client={client} />
      </div>
      <Transcript client={client} />
    </section>
  );
}

function Check({ client }: { client: VoiceClient }) {
  const { microphone } = client;
  const open = microphone.stream.value !== null;
  return (
    <details
      class="card check"
      onToggle={(event) => {
        // The microphone is never open unseen: folding the check away closes it.
        if (!event.currentTarget.open) client.closeMicrophone();
      }}
    >
      <summary>{text.value.checkMicrophone}</summary>
      {open ? (
        <Meter client={client} source="microphone" />
      ) : (
        <button type="button" data-testid="try-microphone" onClick={() => void client.tryMicrophone()}>
          {text.value.openMicrophone}
        </button>
      )}
      <Devices client={client} />
    </details>
  );
}
