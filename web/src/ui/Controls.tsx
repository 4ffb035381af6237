import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { holdable, mayTalk } from "../core/people";
import { HangUpIcon, InterruptIcon, MicrophoneIcon, MutedIcon, SettingsIcon } from "./icons";
import { dialog } from "./looks";

/** What a finger or a mouse can do in a call; the keys do the same. */
export function Controls({ client }: { client: VoiceClient }) {
  const { room } = client.state.value;
  const words = text.value;
  return (
    <div class="controls">
      {mayTalk(room) && <Talking client={client} />}
      <button type="button" class="danger" data-testid="hangup" onClick={() => client.leave()}>
        <HangUpIcon />
        {room ? words.room.leave : words.hangup}
      </button>
      <button
        type="button"
        class="quiet round"
        aria-label={text.value.settings}
        data-testid="open-settings"
        onClick={() => {
          dialog.value = "settings";
        }}
      >
        <SettingsIcon />
      </button>
      <button
        type="button"
        class="quiet round only-wide"
        aria-label={text.value.keys}
        data-testid="open-keys"
        onClick={() => {
          dialog.value = "keys";
        }}
      >
        ?
      </button>
    </div>
  );
}

/** What only those need who may say something. */
function Talking({ client }: { client: VoiceClient }) {
  const { room } = client.state.value;
  const words = text.value;
  return (
    <>
      {client.talk.holds ? (
        <Hold client={client} idle={words.hold} held={words.held} />
      ) : (
        <Mute client={client} />
      )}
      {room && holdable(room) && (
        <Hold client={client} idle={words.room.hold(room.agent)} held={words.room.held} />
      )}
      {room?.policy !== "scribe" && (
        <button
          type="button"
          data-testid="interrupt"
          disabled={!client.answering}
          aria-keyshortcuts="Escape"
          onClick={() => client.interrupt()}
        >
          <InterruptIcon />
          {words.interrupt} <kbd>{words.keyNames.escape}</kbd>
        </button>
      )}
    </>
  );
}

function Mute({ client }: { client: VoiceClient }) {
  const muted = client.talk.muted.value;
  return (
    <button
      type="button"
      data-testid="mute"
      data-on={muted}
      aria-keyshortcuts="M"
      onClick={() => client.talk.mute(!muted)}
    >
      {muted ? <MutedIcon /> : <MicrophoneIcon />}
      {muted ? text.value.unmute : text.value.mute} <kbd>M</kbd>
    </button>
  );
}

/** Push to talk for a finger, a mouse, and whoever has the focus on it. Its two words are for when it is held, or not. */
function Hold({ client, idle, held }: { client: VoiceClient; idle: string; held: string }) {
  const { holding } = client.talk;
  const on = holding.held.value;
  const key = (event: KeyboardEvent, act: () => void): void => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) act();
  };
  return (
    <button
      type="button"
      class="hold"
      data-testid="hold"
      data-on={on}
      aria-keyshortcuts="Space"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId); // let go beside it, it is let go
        holding.begin();
      }}
      onPointerUp={() => holding.end()}
      onPointerCancel={() => holding.end()}
      onContextMenu={(event) => event.preventDefault()} // a long press on a phone is no wish for a menu
      onKeyDown={(event) => key(event, () => holding.begin())}
      onKeyUp={(event) => key(event, () => holding.end())}
      onBlur={() => holding.end()}
    >
      <MicrophoneIcon />
      {on ? held : idle} <kbd>{text.value.keyNames.space}</kbd>
    </button>
  );
}
