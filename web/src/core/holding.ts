// Push to talk: while a key or a button is held the turn lasts, and letting go ends it. OpenAI's manual turns.

import { type ReadonlySignal, signal } from "@preact/signals-core";
import type { ClientEvent } from "./call";
import { type SessionConfig, turns } from "./settings";
import type { ServerEvent } from "./wire";

/** After letting go: the last word is still on its way, and events are quicker than sound. */
export const TAIL_MS = 250;

/** After these a turn that was held is over. */
const CLOSING: ReadonlySet<string> = new Set(["input_audio_buffer.committed", "response.created"]);

/** What push to talk needs of a call. */
export interface Line {
  send(event: ClientEvent): boolean;
  /** Silences the agent if it is answering. */
  yield(): void;
  /** Lets the microphone through, or not. */
  gate(): void;
  /** The server has heard somebody speak in this turn; null from a server that does not say. */
  heard(): boolean | null;
  /** What ends turns when nothing is held; null where holding is the only way. */
  usually(): SessionConfig | null;
  /** In a room: what is held is for the agent, and turns are nobody's to change. False in a call of one's own. */
  address(on: boolean): boolean;
}

/** One key that is held, or is not. */
export class Holding {
  /** The microphone is open because of it. */
  readonly held: ReadonlySignal<boolean>;
  readonly #held = signal(false);
  readonly #open = signal(false);
  readonly #line: Line;
  #tail: ReturnType<typeof setTimeout> | undefined;
  #restore = false;

  constructor(line: Line) {
    this.held = this.#held;
    this.#line = line;
  }

  /** The key went down. */
  begin(): void {
    if (this.#held.value) return;
    if (this.#tail !== undefined) {
      clearTimeout(this.#tail); // let go for a moment only: the turn goes on
      this.#tail = undefined;
    } else if (!this.#line.address(true)) {
      this.#restore = this.#line.usually() !== null;
      if (this.#restore) this.#tell(null);
      this.#line.yield();
    }
    this.#held.value = this.#open.value = true;
    this.#line.gate();
  }

  /** The key was let go. */
  end(): void {
    if (!this.#held.value) return;
    this.#held.value = false;
    this.#tail = setTimeout(() => this.#finish(), TAIL_MS);
  }

  /** The microphone stays open until the last word has left. */
  get open(): boolean {
    return this.#open.value;
  }

  /** What the server says may close the turn. */
  told(event: ServerEvent): void {
    const idle = event.type === "antiphon.phase" && event.phase === "idle";
    if (idle || CLOSING.has(event.type)) this.closed();
  }

  /** The turn that was ended is closed: from now on turns end as they did before. */
  closed(): void {
    if (!this.#restore || this.open) return;
    this.#restore = false;
    this.#tell(this.#line.usually());
  }

  /** The call is over. */
  forget(): void {
    clearTimeout(this.#tail);
    this.#tail = undefined;
    this.#restore = false;
    this.#held.value = this.#open.value = false;
  }

  #tell(turnDetection: SessionConfig | null): void {
    this.#line.send({ type: "session.update", session: turns(turnDetection) });
  }

  #finish(): void {
    this.#tail = undefined;
    this.#open.value = false;
    this.#line.gate();
    if (this.#line.address(false)) return;
    if (this.#line.heard() === false) {
      // Nobody spoke: an answer to nothing would only puzzle.
      this.#line.send({ type: "input_audio_buffer.clear" });
      this.closed();
      return;
    }
    this.#line.send({ type: "input_audio_buffer.commit" });
    this.#line.send({ type: "response.create" });
  }
}
