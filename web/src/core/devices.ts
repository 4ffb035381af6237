// The microphone: which one, with which processing, and what to do when it can not be had.

import { type ReadonlySignal, signal } from "@preact/signals-core";
import { CallError, diagnoseMicrophone } from "./problems";

const CHOICE = "antiphon.microphone";

/** A microphone that can be chosen. */
export interface Device {
  readonly id: string;
  readonly label: string;
}

/** The microphone of this browser: opened when it is needed, closed as soon as it is not. */
export class Microphone {
  /** Known once the microphone has been opened: before, browsers do not tell. */
  readonly devices: ReadonlySignal<readonly Device[]>;
  /** What is being recorded; null when the microphone is closed. */
  readonly stream = signal<MediaStream | null>(null);
  readonly chosen = signal<string>(remembered());
  /**
   * What is asked of the browser. Echo cancellation is what makes it possible to interrupt the agent without
   * headphones. To be changed from the console or a test, before a call.
   */
  readonly constraints: MediaTrackConstraints = {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    channelCount: 1,
  };
  readonly #devices = signal<readonly Device[]>([]);
  #opening: Promise<MediaStream> | null = null;

  constructor() {
    this.devices = this.#devices;
    // Plugged in or pulled out while the page is open; lives as long as the page does.
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.#list());
  }

  /** The microphone's sound; opens it if it is closed. Throws CallError with what is wrong and can be mended. */
  async open(): Promise<MediaStream> {
    if (this.stream.value) return this.stream.value;
    // Two clicks while the browser is still asking are one question.
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  /** Takes another microphone, now if one is open, and from now on. Throws CallError. */
  async choose(id: string): Promise<void> {
    this.chosen.value = id;
    try {
      localStorage.setItem(CHOICE, id);
    } catch {
      // Storage is full or forbidden: the choice then lasts as long as the page.
    }
    if (this.stream.value) {
      this.close();
      await this.open();
    }
  }

  /** Lets the microphone go; the browser's recording sign goes out. */
  close(): void {
    for (const track of this.stream.value?.getTracks() ?? []) track.stop();
    this.stream.value = null;
  }

  async #open(): Promise<MediaStream> {
    // Undefined, not refused: browsers hide it from pages that came over plain http from another machine.
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new CallError({ kind: window.isSecureContext ? "unsupported" : "insecure" });
    }
    const id = this.chosen.value;
    try {
      // `ideal`: a remembered headset that is not plugged in today is no reason to refuse the call.
      const audio = id ? { ...this.constraints, deviceId: { ideal: id } } : this.constraints;
      this.stream.value = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (cause) {
      throw new CallError(diagnoseMicrophone(cause), { cause });
    }
    await this.#list();
    return this.stream.value;
  }

  async #list(): Promise<void> {
    const all = await navigator.mediaDevices.enumerateDevices();
    this.#devices.value = all
      .filter((device) => device.kind === "audioinput" && device.label !== "")
      .map((device) => ({ id: device.deviceId, label: device.label }));
  }
}

function remembered(): string {
  try {
    return localStorage.getItem(CHOICE) ?? "";
  } catch {
    return "";
  }
}
