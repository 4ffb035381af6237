import { useSignal } from "@preact/signals";
import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { type Person, present, type RoomState } from "../core/people";
import { VOLUME } from "../core/room";
import { Invite } from "./Invite";
import { MutedIcon, SpeakerIcon } from "./icons";

/** Who is in the room, who speaks, and how loud each of them is heard. */
export function People({ client, room }: { client: VoiceClient; room: RoomState }) {
  const volumes = useSignal(false);
  const here = present(room);
  const words = text.value.room;
  return (
    <section class="people" aria-label={words.people} data-volumes={volumes.value}>
      <h2 class="label">
        <bdi class="name">{words.title(room.name)}</bdi>
        <span class="figure" data-testid="count">
          {words.count(here.length, room.capacity)}
        </span>
      </h2>
      {/* On small screens a slider beside each name would leave no room for the names. */}
      <button
        type="button"
        class="quiet round only-narrow"
        data-testid="volumes"
        aria-label={words.volumes}
        aria-expanded={volumes.value}
        onClick={() => {
          volumes.value = !volumes.value;
        }}
      >
        <SpeakerIcon />
      </button>
      <ul data-testid="people">
        {here.map((person) => (
          <Member key={person.id} client={client} person={person} own={person.id === room.you} />
        ))}
      </ul>
      <Invite client={client} shown={false} />
      <p class="hidden" role="status" data-testid="news">
        {room.news && (room.news.came ? words.joined : words.left)(room.news.person.name)}
      </p>
    </section>
  );
}

function Member({ client, person, own }: { client: VoiceClient; person: Person; own: boolean }) {
  const words = text.value.room;
  const muted = own ? client.talk.muted.value && !client.talk.holding.held.value : person.muted;
  const speaking = person.here && person.speaking;
  const talks = person.role === "talk";
  const silent = talks ? (muted ? words.muted : "") : words.listens;
  const state = !person.here ? words.away : speaking ? words.speaking : silent;
  return (
    <li
      class="member"
      data-testid="member"
      data-person={person.id}
      data-colour={person.colour}
      data-here={person.here}
      data-speaking={speaking}
      data-muted={muted}
    >
      <span class="face" aria-hidden="true">
        {[...person.name][0]?.toUpperCase()}
        {(muted || !talks) && <MutedIcon />}
      </span>
      <span class="who">
        <bdi class="name" title={person.name}>
          {person.name}
        </bdi>
        <span class="state">
          {own && ` (${words.you})`} {state}
        </span>
      </span>
      {!own && talks && <Volume client={client} person={person} />}
    </li>
  );
}

function Volume({ client, person }: { client: VoiceClient; person: Person }) {
  const { volumes } = client.room;
  const volume = volumes.value[person.id] ?? VOLUME.usual;
  const words = text.value.room;
  return (
    <input
      type="range"
      data-testid="volume"
      min={VOLUME.min}
      max={VOLUME.max}
      step={VOLUME.step}
      value={volume}
      aria-label={words.volume(person.name)}
      aria-valuetext={words.loud(volume)}
      onInput={(event) => client.room.hear(person.id, event.currentTarget.valueAsNumber)}
    />
  );
}
