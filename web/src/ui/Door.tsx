import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { cleaned } from "../core/people";
import { Invite } from "./Invite";

/** Before a room: which it is, who invited, and how one wants to be called there. */
export function Welcome({ client }: { client: VoiceClient }) {
  const { room } = client;
  const words = text.value.room;
  return (
    <>
      <h2 data-testid="room-title">{words.title(cleaned(room.name, 64))}</h2>
      <p class="soft">
        {room.from !== "" && <strong data-testid="invited-by">{words.invitedBy(room.from)} </strong>}
        {words.promise}
      </p>
      {client.server.records.value && <p data-testid="records">{words.records}</p>}
      {client.listens && <p data-testid="listens">{words.asListener}</p>}
      {room.given ? <p data-testid="as-named">{words.asNamed(room.given)}</p> : <OwnName client={client} />}
    </>
  );
}

function OwnName({ client }: { client: VoiceClient }) {
  const { room } = client;
  return (
    <form
      class="door"
      onSubmit={(event) => {
        event.preventDefault();
        void client.join();
      }}
    >
      <label class="field">
        <span>{text.value.room.ownName}</span>
        <input
          type="text"
          data-testid="own-name"
          dir="auto"
          maxLength={40}
          autocomplete="nickname"
          enterkeyhint="go"
          placeholder={text.value.room.guest}
          disabled={client.connection.value !== "idle"}
          value={room.own.value}
          onInput={(event) => room.rename(event.currentTarget.value)}
        />
      </label>
    </form>
  );
}

/** Below the large button: who else may come, and the way back. */
export function Others({ client }: { client: VoiceClient }) {
  const { room } = client;
  return (
    <>
      <Invite client={client} shown={true} />
      {!room.bound && (
        <a class="small" href="./" data-testid="alone">
          {text.value.room.alone}
        </a>
      )}
    </>
  );
}
