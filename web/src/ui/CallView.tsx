import { useEffect, useRef } from "preact/hooks";
import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { mayTalk } from "../core/people";
import { Controls } from "./Controls";
import { captions } from "./looks";
import { Meter } from "./Meter";
import { People } from "./People";
import { Phase } from "./Phase";
import { Quality } from "./Quality";
import { Save } from "./Save";
import { TextBox } from "./TextBox";
import { Transcript } from "./Transcript";
import { Waterfall } from "./Waterfall";

/** A call: whose turn it is, what was said, how long it took. */
export function CallView({ client }: { client: VoiceClient }) {
  const main = useRef<HTMLElement>(null);
  const { room } = client.state.value;

  useEffect(() => {
    // The button that began the call is gone, and the focus with it: the next Tab goes into the call.
    main.current?.focus();
  }, []);

  return (
    <main class="call" ref={main} tabIndex={-1} data-words={captions.value} data-room={room !== null}>
      <section class="stage card">
        <Phase client={client} />
        {room && <People client={client} room={room} />}
        <div class="meters">
          {mayTalk(room) && <Meter client={client} source="microphone" />}
          <Meter client={client} source="agent" />
        </div>
        <Waterfall client={client} />
        <Quality client={client} />
      </section>
      <section class="talk card">
        <Banners client={client} />
        {captions.value === "on" && (
          <>
            <div class="bar-of-talk">
              <h2 class="label">{text.value.transcript}</h2>
              <Save client={client} />
            </div>
            <Transcript client={client} />
          </>
        )}
        {mayTalk(room) && <TextBox client={client} />}
      </section>
      <Controls client={client} />
    </main>
  );
}

function Banners({ client }: { client: VoiceClient }) {
  const { refusal, room } = client.state.value;
  return (
    <>
      {room && (
        // There from the start: what is put into it later is read out.
        <div role="status">
          {room.recording && (
            <p class="banner recording" data-testid="recording">
              {text.value.room.recording}
            </p>
          )}
        </div>
      )}
      {client.connection.value === "interrupted" && (
        <p class="banner" role="alert" data-testid="interrupted">
          {text.value.interrupted}
        </p>
      )}
      {client.speaker.silenced.value && (
        <p class="banner" role="alert">
          {text.value.silenced}
          <button type="button" onClick={() => void client.unsilence()}>
            {text.value.unsilence}
          </button>
        </p>
      )}
      {client.talk.unheard.value && (
        <p class="banner" role="alert" data-testid="unheard-speech">
          {client.talk.muted.value ? text.value.unheardSpeech : text.value.unheardHold}
        </p>
      )}
      {refusal && (
        <p class="banner" role="alert" data-testid="refusal">
          <span lang="en">{refusal.message}</span>
          <button type="button" onClick={() => client.dismissRefusal()}>
            {text.value.close}
          </button>
        </p>
      )}
    </>
  );
}
