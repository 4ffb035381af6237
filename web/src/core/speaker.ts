// The agent's voice: the element that plays it, through which speaker, and whether the browser holds it back.

import { type ReadonlySignal, signal } from "@preact/signals-core";
import { chime } from "./chime";
import type { Device } from "./devices";
import { keep, recall } from "./kept";

const CHOICE = "antiphon.speaker";

/** The test sound is over long before. */
const TEST_MS = 5_000;

/** Played through an `<audio>` element, whose sound browsers cancel best from the microphone's. */
export class Speaker {
  /** The browser holds the voice back until somebody clicks. */
  readonly silenced: ReadonlySignal<boolean>;
  /** Known once the microphone has been opened; empty where the browser does not let pages choose. */
  readonly devices: ReadonlySignal<readonly Device[]>;
  readonly chosen = signal<string>(recall(CHOICE) ?? "");
  readonly #silenced = signal(false);
  readonly #devices = signal<readonly Device[]>([]);
  #element: HTMLAudioElement | null = null;

  constructor() {
    this.silenced = this.#silenced;
    this.devices = this.#devices;
  }

  /** An element in the document, or iOS stays silent. */
  set element(element: HTMLAudioElement | null) {
    this.#element = element;
    if (element) void this.#route(element);
  }

  /** What is being played; null for nothing. */
  get srcObject(): MediaProvider | null {
    return this.#element?.srcObject ?? null;
  }

  /** Plays `stream` from now on; null for nothing. */
  async play(stream: MediaStream | null): Promise<void> {
    this.#silenced.value = false;
    if (!this.#element) return;
    this.#element.srcObject = stream;
    if (stream) await this.resume();
  }

  /** Plays on, after a click that the browser had been waiting for. */
  async resume(): Promise<void> {
    try {
      await this.#element?.play();
      this.#silenced.value = false;
    } catch (error) {
      // Only the browser's refusal needs a click; an element that was emptied meanwhile does not.
      this.#silenced.value = error instanceof DOMException && error.name === "NotAllowedError";
    }
  }

  /** Takes another speaker, also in the middle of a call. */
  async choose(id: string): Promise<void> {
    this.chosen.value = id;
    keep(CHOICE, id || null);
    if (this.#element) await this.#route(this.#element);
  }

  /** What is plugged in now; a chosen headset that comes back is used again. */
  async found(all: readonly MediaDeviceInfo[]): Promise<void> {
    if (!("setSinkId" in HTMLMediaElement.prototype)) return;
    const before = this.#devices.value;
    this.#devices.value = all
      .filter((device) => device.kind === "audiooutput" && device.label !== "")
      .map((device) => ({ id: device.deviceId, label: device.label }));
    const there = (devices: readonly Device[]): boolean => devices.some(({ id }) => id === this.chosen.value);
    if (this.#element && there(before) !== there(this.#devices.value)) await this.#route(this.#element);
  }

  /** Plays a short sound through the chosen speaker; call it from a click. False if the browser did not. */
  async test(): Promise<boolean> {
    const sound = URL.createObjectURL(new Blob([chime()], { type: "audio/wav" }));
    const element = new Audio(sound);
    try {
      await this.#route(element);
      const over = new Promise<void>((resolve) => {
        element.onended = () => resolve();
        element.onerror = () => resolve();
        setTimeout(resolve, TEST_MS); // a speaker that was pulled out never ends
      });
      await element.play();
      await over;
      return element.error === null;
    } catch {
      return false;
    } finally {
      URL.revokeObjectURL(sound);
    }
  }

  async #route(element: HTMLAudioElement): Promise<void> {
    if (!("setSinkId" in element)) return;
    try {
      await element.setSinkId(this.chosen.value);
    } catch {
      await element.setSinkId(""); // the remembered one is not plugged in today
    }
  }
}
