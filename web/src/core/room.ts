// One person's side of a room: under which name, how loud the others are, what is written to all, who is invited.

import { type ReadonlySignal, signal } from "@preact/signals-core";
import type { ClientEvent } from "./call";
import { type Entrance, invitation } from "./entrance";
import { text } from "./i18n";
import { keep, recall } from "./kept";
import { cleaned, type RoomState } from "./people";
import type { Server } from "./server";
import { at } from "./settings";
import type { ServerEvent } from "./wire";

const NAME = "antiphon.name";
const VOLUMES = "antiphon.volumes";

/** How loud somebody is heard, of 1 as they are. */
export const VOLUME = { min: 0, max: 2, step: 0.1, usual: 1 } as const;

/** What a room needs of a call. */
interface Line {
  send(event: ClientEvent): boolean;
  /** Null before the server has told of the room, and in a call of one's own. */
  state(): RoomState | null;
}

/** An address that can be sent to others. */
export interface Invited {
  readonly link: string;
  /** ms since 1970 from which the link lets nobody in; null where it has no token. */
  readonly expires_ms: number | null;
  /** This server hands out no token to whoever asked: the link helps those who have one. */
  readonly refused: boolean;
}

/** The room that this page is in, or is about to be. */
export class Room {
  /** "" for a call of one's own. */
  readonly name: string;
  /** Who invited; "" if nobody says. */
  readonly from: string;
  /** This page may go nowhere else. */
  readonly bound: boolean;
  /** The name that the token gives; "" where it is up to the person. */
  readonly given: string;
  /** What the person at this page is called; remembered by the browser. */
  readonly own: ReadonlySignal<string>;
  /** By the person's id; absent: as they are. */
  readonly volumes: ReadonlySignal<Readonly<Record<string, number>>>;
  readonly #own = signal(cleaned(recall(NAME) ?? ""));
  readonly #volumes = signal(keptVolumes());
  readonly #line: Line;
  readonly #server: Server;
  #muted = false;

  constructor({ room, from, bound, given }: Entrance, server: Server, line: Line) {
    this.name = room;
    this.from = from;
    this.bound = bound;
    this.given = given;
    this.own = this.#own;
    this.volumes = this.#volumes;
    this.#server = server;
    this.#line = line;
  }

  /** There are others, or there may be. */
  get on(): boolean {
    return this.name !== "";
  }

  /** Takes another name: from the next call on, and for later visits. */
  rename(own: string): void {
    this.#own.value = own;
    keep(NAME, cleaned(own) || null);
  }

  /** The next call goes here. */
  enter(): void {
    this.#server.place = this.on
      ? { room: this.name, name: this.given || cleaned(this.#own.value) || text.value.room.guest }
      : null;
  }

  /** An event, after the state that it led to: the server hears what it can not know yet. */
  told(event: ServerEvent): void {
    const room = this.#line.state();
    if (event.type === "antiphon.room.state") {
      const own = event.people.find(({ id }) => id === event.you);
      if (own && own.muted !== this.#muted) this.mute(this.#muted);
      for (const { id } of event.people) this.#tellVolume(id);
    } else if (event.type === "antiphon.room.joined" && room) {
      this.#tellVolume(event.person.id);
    }
  }

  /** The microphone was closed by hand, or opened again. */
  mute(muted: boolean): void {
    this.#muted = muted;
    if (this.#line.state()) this.#line.send({ type: "antiphon.room.mute", muted });
  }

  /** From now on what is said is for the agent, or is no more. False in a call of one's own. */
  address(on: boolean): boolean {
    const room = this.#line.state();
    if (!room) return false;
    if (room.policy !== "scribe") this.#line.send({ type: "antiphon.room.address", on });
    return true;
  }

  /** Writes to everybody; in a call of one's own to the agent, which answers. False when there is no call. */
  say(text: string): boolean {
    const words = text.trim();
    if (!words) return false;
    if (this.#line.state()) return this.#line.send({ type: "antiphon.room.say", text: words });
    const content = [{ type: "input_text", text: words }] as const;
    const item = { type: "message", role: "user", content } as const;
    const { send } = this.#line;
    return send({ type: "conversation.item.create", item }) && send({ type: "response.create" });
  }

  /** Hears somebody louder or quieter, until the tab is closed. */
  hear(personId: string, volume: number): void {
    this.#volumes.value = { ...this.#volumes.value, [personId]: volume };
    keep(VOLUMES, JSON.stringify(this.#volumes.value), "tab");
    this.#line.send({ type: "antiphon.room.volume", person_id: personId, volume });
  }

  /** Makes an address that can be sent to others: with a token, where the server hands one out. Never throws. */
  async invite(): Promise<Invited> {
    const pass = await this.#server.invite(this.name);
    const from = this.given || cleaned(this.#own.value);
    const link = invitation(this.#server.base, this.name, from, pass.token);
    return { link, expires_ms: pass.expires_ms, refused: pass.refused };
  }

  #tellVolume(personId: string): void {
    const volume = this.#volumes.value[personId];
    if (volume !== undefined) {
      this.#line.send({ type: "antiphon.room.volume", person_id: personId, volume });
    }
  }
}

/** What this tab had chosen before it was loaded anew. */
function keptVolumes(): Readonly<Record<string, number>> {
  try {
    const found: unknown = JSON.parse(recall(VOLUMES, "tab") ?? "{}");
    const entries = Object.entries(typeof found === "object" && found !== null ? found : {});
    return Object.fromEntries(entries.filter(([id]) => typeof at(found, id) === "number"));
  } catch {
    return {};
  }
}
