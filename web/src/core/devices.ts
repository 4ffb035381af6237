// The microphone, or what is heard in its place: which one, with which processing, and what to do without.

import { type ReadonlySignal, signal } from "@preact/signals-core";
import { keep, recall } from "./kept";
import { CallError, diagnoseMicrophone } from "./problems";

const CHOICE = "antiphon.microphone";
const PROCESSING = "antiphon.processing";

/** A microphone or speaker that can be chosen. */
export interface Device {
  readonly id: string;
  readonly label: string;
}

/** What the agent hears: a microphone, or the sound of a tab or of the system. */
export type Origin = "microphone" | "screen";

/** What browsers can do to a microphone's sound. */
export const PROCESSES = ["echoCancellation", "noiseSuppression", "autoGainControl"] as const;
export type Process = (typeof PROCESSES)[number];

/** The microphone of this browser: opened when it is needed, closed as soon as it is not. */
export class Microphone {
  /** Known once the microphone has been opened: before, browsers do not tell. */
  readonly devices: ReadonlySignal<readonly Device[]>;
  /** What is being recorded; null when the microphone is closed. */
  readonly stream = signal<MediaStream | null>(null);
  readonly chosen = signal<string>(recall(CHOICE) ?? "");
  /** Not remembered: nobody should share a screen because they did last week. */
  readonly origin = signal<Origin>("microphone");
  /**
   * What is asked of the browser. Echo cancellation is what makes it possible to interrupt the agent without
   * headphones. To be changed with `process`, or from the console before a call.
   */
  readonly constraints: MediaTrackConstraints = {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    channelCount: 1,
  };
  /** Which of it is switched off. */
  readonly off = signal<readonly Process[]>([]);
  readonly #devices = signal<readonly Device[]>([]);
  #opening: Promise<MediaStream> | null = null;

  constructor() {
    this.devices = this.#devices;
    const kept = (recall(PROCESSING) ?? "").split(" ");
    this.#switchOff(PROCESSES.filter((process) => kept.includes(process)));
  }

  /** Whether this browser can share a tab's sound. */
  get sharesScreens(): boolean {
    return globalThis.navigator?.mediaDevices?.getDisplayMedia !== undefined;
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
    keep(CHOICE, id || null);
    await this.#again();
  }

  /** Switches a part of the processing on or off, now if the microphone is open, and from now on. Throws CallError. */
  async process(process: Process, on: boolean): Promise<void> {
    this.#switchOff(PROCESSES.filter((each) => (each === process ? !on : this.off.value.includes(each))));
    keep(PROCESSING, this.off.value.join(" ") || null);
    await this.#again();
  }

  /** Hears something else, now if the microphone is open, and until the page is closed. Throws CallError. */
  async hear(origin: Origin): Promise<void> {
    this.origin.value = origin;
    await this.#again();
  }

  /** Lets the microphone go; the browser's recording sign goes out. */
  close(): void {
    for (const track of this.stream.value?.getTracks() ?? []) track.stop();
    this.stream.value = null;
  }

  /** What is plugged in now. True if the chosen microphone has just come back, and is not the one in use. */
  found(all: readonly MediaDeviceInfo[]): boolean {
    const before = this.#devices.value;
    this.#devices.value = all
      .filter((device) => device.kind === "audioinput" && device.label !== "")
      .map((device) => ({ id: device.deviceId, label: device.label }));
    const id = this.chosen.value;
    if (id === "" || this.origin.value === "screen" || !this.stream.value) return false;
    const there = (devices: readonly Device[]): boolean => devices.some((device) => device.id === id);
    const used = this.stream.value.getAudioTracks()[0]?.getSettings().deviceId;
    return used !== id && !there(before) && there(this.#devices.value);
  }

  #switchOff(processes: readonly Process[]): void {
    this.off.value = processes;
    for (const process of PROCESSES) this.constraints[process] = !processes.includes(process);
  }

  async #again(): Promise<void> {
    if (!this.stream.value) return;
    this.close();
    await this.open();
  }

  async #open(): Promise<MediaStream> {
    // Undefined, not refused: browsers hide it from pages that came over plain http from another machine.
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new CallError({ kind: window.isSecureContext ? "unsupported" : "insecure" });
    }
    const stream = this.origin.value === "screen" ? await shared() : await this.#recorded();
    this.stream.value = stream;
    return stream;
  }

  async #recorded(): Promise<MediaStream> {
    const id = this.chosen.value;
    try {
      return await record(id ? { ...this.constraints, deviceId: { exact: id } } : this.constraints);
    } catch (cause) {
      throw new CallError(diagnoseMicrophone(cause), { cause });
    }
  }
}

/** Records as it is asked for; a remembered headset that is not plugged in today is no reason to refuse the call. */
async function record({ deviceId, ...audio }: MediaTrackConstraints): Promise<MediaStream> {
  // `exact`, because Chromium takes `ideal` for a hint and gives its standard microphone.
  if (deviceId) {
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: { ...audio, deviceId } });
    } catch (error) {
      const gone = error instanceof Error && /^(NotFound|Overconstrained)Error$/.test(error.name);
      if (!gone) throw error;
    }
  }
  return await navigator.mediaDevices.getUserMedia({ audio });
}

/** The sound of whatever is shared. Throws CallError. */
async function shared(): Promise<MediaStream> {
  let stream: MediaStream;
  try {
    stream = await navigator.mediaDevices.getDisplayMedia({
      // Processing made for voices at a microphone would spoil it; the agent's own voice is kept out where that is known.
      audio: {
        echoCancellation: false,
        noiseSuppression: false,
        autoGainControl: false,
        restrictOwnAudio: true,
      },
      video: true, // browsers share no sound without a picture
      systemAudio: "include",
      selfBrowserSurface: "exclude",
    } as DisplayMediaStreamOptions);
  } catch (cause) {
    const refused = cause instanceof DOMException && cause.name === "NotAllowedError";
    throw new CallError(refused ? { kind: "nothing-shared" } : diagnoseMicrophone(cause), { cause });
  }
  for (const track of stream.getVideoTracks()) {
    track.stop(); // nobody looks at it
    stream.removeTrack(track);
  }
  if (stream.getAudioTracks().length === 0) throw new CallError({ kind: "no-sound-shared" });
  return stream;
}
