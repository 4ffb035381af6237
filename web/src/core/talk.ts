// Whether the user's voice goes up: not while it is muted, and with push to talk only while something is held.

import { effect, type ReadonlySignal, signal } from "@preact/signals-core";
import { Holding, type Line } from "./holding";
import type { Levels } from "./levels";
import { UnheardSpeech } from "./unheard";
import type { Uplink } from "./uplink";
import type { Wishes } from "./wishes";

const LISTEN_MS = 100;

/** What taking turns needs of a call. */
export interface Party extends Omit<Line, "gate" | "usually"> {
  /** Others hear, too: the microphone is open unless it is muted. */
  shared(): boolean;
  /** It was muted by hand, or opened again. */
  muted(muted: boolean): void;
}

/** The user's side of taking turns. */
export class Talk {
  readonly muted: ReadonlySignal<boolean>;
  /** Somebody speaks, and it goes nowhere. */
  readonly unheard: ReadonlySignal<boolean>;
  readonly holding: Holding;
  readonly #muted = signal(false);
  readonly #unheard = signal(false);
  readonly #speech = new UnheardSpeech();
  readonly #uplink: Uplink;
  readonly #levels: Levels;
  readonly #wishes: Wishes;
  readonly #party: Party;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(uplink: Uplink, levels: Levels, wishes: Wishes, party: Party) {
    this.muted = this.#muted;
    this.unheard = this.#unheard;
    this.#uplink = uplink;
    this.#levels = levels;
    this.#wishes = wishes;
    this.#party = party;
    this.holding = new Holding({ ...party, gate: () => this.gate(), usually: () => wishes.turnDetection });
    effect(() => {
      if (wishes.settings.value) this.gate();
    });
  }

  /** Turns end when a key is let go; in a room the microphone is open for the others. */
  get holds(): boolean {
    return !this.#party.shared() && this.#wishes.holds;
  }

  /** What the user says goes up. */
  get open(): boolean {
    return this.holding.open || !(this.#muted.value || this.holds);
  }

  /** Holds the microphone's sound back, or lets it through again. */
  mute(muted: boolean): void {
    this.#muted.value = muted;
    this.#party.muted(muted);
    this.gate();
  }

  /** Opens or closes the way up, as it should be now. */
  gate(): void {
    this.#uplink.gate(this.open);
  }

  /** A call is on: listens for words that go nowhere. */
  begin(): void {
    this.#timer ??= setInterval(() => this.#overhear(), LISTEN_MS);
    this.gate();
  }

  /** No call is on, or its path is broken. */
  rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.holding.forget();
    this.#speech.reset();
    this.#unheard.value = false;
  }

  #overhear(): void {
    if (this.open) this.#speech.reset();
    const { rms_dbfs } = this.#levels.read("microphone");
    this.#unheard.value = !this.open && this.#speech.look(rms_dbfs, performance.now());
  }
}
