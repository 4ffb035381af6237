// Who is in a room, and whose words are whose: a pure function of the server's events. `state.ts` alone calls it.

import type { RoomPerson, RoomStateEvent, ServerEvent } from "./wire";

/** As many people are told apart by colour; names tell all of them apart. */
export const COLOURS = 8;

/** What the server promises of a name; whatever is longer is cut here. */
const LONGEST_NAME = 40;
const LONGEST_ROOM = 64;

/** Somebody who is in the room, or was. */
export interface Person extends Readonly<RoomPerson> {
  /** 0 to COLOURS - 1, the same for as long as this page is open. */
  readonly colour: number;
  /** Has left, and is remembered for what they said. */
  readonly gone: boolean;
}

/** A room as one of its people sees it. */
export interface RoomState {
  readonly name: string;
  /** Whom the agent answers: `one_to_one`, `addressed`, `moderated`, `scribe`, or one that this page does not know. */
  readonly policy: string;
  /** The agent's name. */
  readonly agent: string;
  /** The id of the person at this page. */
  readonly you: string;
  /** How many people have a place. */
  readonly capacity: number;
  readonly recording: boolean;
  /** In the order in which they came. */
  readonly people: readonly Person[];
  /** The id of the person who said it, by the item's id. */
  readonly turns: ReadonlyMap<string, string>;
  /** Who came or went last. */
  readonly news: { readonly person: Person; readonly came: boolean } | null;
}

/** The room after `event`; null before the server has told of one. */
export function roomAfter(room: RoomState | null, event: ServerEvent): RoomState | null {
  if (event.type === "antiphon.room.state") return entered(room, event);
  if (!room) return null;
  switch (event.type) {
    case "antiphon.room.joined": {
      const people = put(room.people, event.person);
      return { ...room, people, news: news(people, event.person.id, true) };
    }
    case "antiphon.room.changed":
      return { ...room, people: put(room.people, event.person) };
    case "antiphon.room.left":
      return left(room, event.person_id);
    case "antiphon.room.turn":
      return { ...room, turns: new Map(room.turns).set(event.item_id, event.person_id) };
    case "antiphon.room.recording":
      return { ...room, recording: event.on };
    default:
      return room;
  }
}

/** Who said the item; null of what nobody said who is known here. */
export function author(room: RoomState | null, itemId: string): Person | null {
  const id = room?.turns.get(itemId);
  return room?.people.find((person) => person.id === id) ?? null;
}

/** Those who have a place, also those whose line is lost. */
export function present(room: RoomState): readonly Person[] {
  return room.people.filter(({ gone }) => !gone);
}

/** Those who speak just now, the person at this page first. */
export function speakers(room: RoomState): readonly Person[] {
  const speaking = present(room).filter((person) => person.speaking && person.here);
  return speaking.sort((a, b) => Number(b.id === room.you) - Number(a.id === room.you));
}

/** Whether the person at this page may speak; a guest with a token for listening may not. */
export function mayTalk(room: RoomState | null): boolean {
  return room?.people.find(({ id }) => id === room.you)?.role !== "listen";
}

/** The agent answers whoever holds a button; elsewhere it hears everything, or answers nobody. */
export function holdable({ policy }: RoomState): boolean {
  return policy === "addressed" || policy === "moderated";
}

/** A name as one short line, whatever came in its place: nothing in it breaks the line or turns its direction. */
export function cleaned(name: string, longest: number = LONGEST_NAME): string {
  const line = name
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "")
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim();
  const letters = [...line];
  return letters.length > longest ? `${letters.slice(0, longest - 1).join("")}…` : line;
}

function entered(before: RoomState | null, event: RoomStateEvent): RoomState {
  const ids = new Set(event.people.map(({ id }) => id));
  const known = (before?.people ?? []).map((person) =>
    ids.has(person.id) ? person : { ...person, gone: true, speaking: false },
  );
  return {
    name: cleaned(event.room, LONGEST_ROOM),
    policy: event.policy,
    agent: cleaned(event.agent),
    you: event.you,
    capacity: event.capacity,
    recording: event.recording,
    people: event.people.reduce<readonly Person[]>(put, known),
    turns: before?.turns ?? new Map(),
    news: null,
  };
}

function put(people: readonly Person[], told: RoomPerson): readonly Person[] {
  const place = people.findIndex(({ id }) => id === told.id);
  const colour = people[place]?.colour ?? freeColour(people);
  const person: Person = { ...told, name: cleaned(told.name), colour, gone: false };
  return place < 0 ? [...people, person] : people.with(place, person);
}

/** Who said nothing is forgotten: people may come and go all day. */
function left(room: RoomState, id: string): RoomState {
  const spoke = new Set(room.turns.values()).has(id);
  const people = spoke
    ? room.people.map((person) => (person.id === id ? { ...person, gone: true, speaking: false } : person))
    : room.people.filter((person) => person.id !== id);
  return { ...room, people, news: news(room.people, id, false) };
}

function news(people: readonly Person[], id: string, came: boolean): RoomState["news"] {
  const person = people.find((each) => each.id === id);
  return person ? { person, came } : null;
}

function freeColour(people: readonly Person[]): number {
  const worn = new Set(people.filter(({ gone }) => !gone).map(({ colour }) => colour));
  const free = Array.from({ length: COLOURS }, (_, colour) => colour).find((colour) => !worn.has(colour));
  return free ?? people.length % COLOURS;
}
