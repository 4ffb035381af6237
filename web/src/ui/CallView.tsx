import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { HangUpIcon, InterruptIcon, MicrophoneIcon, MutedIcon } from "./icons";
import { Latency } from "./Latency";
import { Meter } from "./Meter";
import { Phase } from "./Phase";
import { Quality } from "./Quality";
import { TextBox } from "./TextBox";
import { Transcript } from "./Transcript";

/** A call: whose turn it is, what was said, how long it took. */
export function CallView({ client }: { client: VoiceClient }) {
  return (
    <main class="call">
      <section class="stage card">
        <Phase client={client} />
        <div class="meters">
          <Meter client={client} source="microphone" />
          <Meter client={client} source="agent" />
        </div>
        <Latency client={client} />
        <Quality client={client} />
      </section>
      <section class="talk card">
        <Banners client={client} />
        <Transcript client={client} />
        <TextBox client={client} />
      </section>
      <Controls client={client} />
    </main>
  );
}

function Banners({ client }: { client: VoiceClient }) {
  const { refusal } = client.state.value;
  return (
    <>
      {client.connection.value === "interrupted" && (
        <p class="banner" role="alert">
          {text.interrupted}
        </p>
      )}
      {client.silenced.value && (
        <p class="banner" role="alert">
          {text.silenced}
          <button type="button" onClick={() => void client.unsilence()}>
            {text.unsilence}
          </button>
        </p>
      )}
      {refusal && (
        <p class="banner" role="alert" data-testid="refusal">
          {refusal.message}
          <button type="button" onClick={() => client.dismissRefusal()}>
            {text.close}
          </button>
        </p>
      )}
    </>
  );
}

function Controls({ client }: { client: VoiceClient }) {
  const muted = client.muted.value;
  const { phase } = client.state.value;
  const answering = phase === "thinking" || phase === "speaking" || phase === "yielding";
  return (
    <div class="controls">
      <button type="button" data-testid="mute" data-on={muted} onClick={() => client.mute(!muted)}>
        {muted ? <MutedIcon /> : <MicrophoneIcon />}
        {muted ? text.unmute : text.mute}
      </button>
      <button
        type="button"
        data-testid="interrupt"
        disabled={!answering}
        aria-keyshortcuts="Escape"
        onClick={() => client.interrupt()}
      >
        <InterruptIcon />
        {text.interrupt} <kbd>{text.interruptKey}</kbd>
      </button>
      <button type="button" class="danger" data-testid="hangup" onClick={() => client.leave()}>
        <HangUpIcon />
        {text.hangup}
      </button>
    </div>
  );
}
