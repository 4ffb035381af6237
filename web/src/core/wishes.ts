// One person's settings: remembered by the browser, told to the server at once and at the beginning of each call.

import { type ReadonlySignal, signal } from "@preact/signals-core";
import type { ClientEvent } from "./call";
import { keep, recall } from "./kept";
import {
  at,
  clean,
  holds,
  restored,
  type SessionConfig,
  type Settings,
  turnDetection,
  turns,
  updates,
} from "./settings";

const KEY = "antiphon.settings";

/** What is wanted of the agent. */
export class Wishes {
  /** Absent: as the server has it. */
  readonly settings: ReadonlySignal<Settings>;
  readonly #settings = signal<Settings>(restored(recall(KEY)));
  readonly #send: (event: ClientEvent) => boolean;
  readonly #usual: () => SessionConfig | null;

  /** `usual` is the session as the server had it before anybody changed it; null before the first call. */
  constructor(send: (event: ClientEvent) => boolean, usual: () => SessionConfig | null) {
    this.settings = this.#settings;
    this.#send = send;
    this.#usual = usual;
  }

  /** Turns end when a key is let go. */
  get holds(): boolean {
    return holds(this.#settings.value, this.#usual());
  }

  /** What ends turns as it is wanted; null where a key does. */
  get turnDetection(): SessionConfig | null {
    return turnDetection(this.#settings.value, this.#usual());
  }

  /** Wants something else, at once and in later calls. What is undefined is left to the server. */
  change(change: Settings): void {
    const before = this.#settings.value;
    const now = clean({ ...before, ...change });
    this.#settings.value = now;
    keep(KEY, Object.keys(now).length > 0 ? JSON.stringify(now) : null);
    this.#tell(before);
  }

  /** Leaves everything to the server. */
  reset(): void {
    const before = this.#settings.value;
    this.#settings.value = {};
    keep(KEY, null);
    this.#tell(before);
  }

  /** Tells a session that has just begun. */
  tell(): void {
    this.#tell({});
  }

  /** Tells a session that goes on what it does not know: a key was held when the connection broke. */
  remind(session: SessionConfig): void {
    const { turnDetection } = this;
    const theirs = at(session, "audio", "input", "turn_detection");
    if ((theirs === null) === (turnDetection === null)) return;
    this.#send({ type: "session.update", session: turns(turnDetection) });
  }

  #tell(before: Settings): void {
    for (const session of updates(before, this.#settings.value, this.#usual())) {
      this.#send({ type: "session.update", session });
    }
  }
}
