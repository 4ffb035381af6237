// What goes up: the microphone's sound through a gate, so that it can be measured while nobody is to hear it.

import type { Call } from "./call";
import { Microphone } from "./devices";
import type { Levels } from "./levels";
import { diagnose, type Problem } from "./problems";
import type { Speaker } from "./speaker";

/** Who is told of what happens by itself. */
interface Owner {
  /** The microphone could not be had after all. */
  failed(problem: Problem): void;
  /** What was shared is shared no longer, and the microphone takes its place. */
  unshared(): void;
}

/** Opens the microphone, lets its sound into a call, and follows what is plugged in and pulled out. */
export class Uplink {
  readonly microphone = new Microphone();
  readonly #levels: Levels;
  readonly #speaker: Speaker;
  readonly #owner: Owner;
  #call: Call | null = null;
  #source: MediaStream | null = null;
  /** A copy of the microphone's track: it alone is silenced, and the meter goes on. */
  #sent: MediaStreamTrack | null = null;
  #through = true;

  constructor(levels: Levels, speaker: Speaker, owner: Owner) {
    this.#levels = levels;
    this.#speaker = speaker;
    this.#owner = owner;
    // Plugged in or pulled out while the page is open; lives as long as the page does.
    globalThis.navigator?.mediaDevices?.addEventListener("devicechange", () => void this.#list());
  }

  /** The track that a call sends; opens the microphone if it is closed. Throws CallError. */
  async open(): Promise<MediaStreamTrack> {
    await this.#take(await this.microphone.open());
    await this.#list();
    if (!this.#sent) throw new DOMException("the microphone was closed again", "AbortError");
    return this.#sent;
  }

  /** From now on a change of the microphone is a change of this call's, too. */
  attach(call: Call): void {
    this.#call = call;
  }

  /** Lets the sound through, or holds it back. */
  gate(through: boolean): void {
    this.#through = through;
    if (this.#sent) this.#sent.enabled = through;
  }

  /** Changes something about the microphone; goes on with what it then gives. Never throws. */
  async change(how: () => Promise<void>): Promise<void> {
    try {
      await how();
      const stream = this.microphone.stream.value;
      if (stream) await this.#take(stream);
    } catch (error) {
      this.#owner.failed(diagnose(error));
    }
  }

  /** Lets go of everything. */
  close(): void {
    this.#call = null;
    this.#levels.ignore("microphone");
    this.microphone.close();
    this.#sent?.stop();
    this.#sent = this.#source = null;
  }

  async #take(stream: MediaStream): Promise<void> {
    if (stream === this.#source) return;
    this.#source = stream;
    this.#levels.listen("microphone", stream);
    const track = stream.getAudioTracks()[0];
    if (!track) return;
    this.#sent?.stop();
    this.#sent = track.clone();
    this.#sent.enabled = this.#through;
    track.onended = () => this.#ended();
    await this.#call?.useTrack(this.#sent);
  }

  /** Pulled out, or no longer shared: goes on with whatever microphone is left. */
  #ended(): void {
    this.microphone.close();
    if (this.microphone.origin.value === "screen") this.#owner.unshared();
    this.microphone.origin.value = "microphone";
    void this.change(async () => void (await this.microphone.open()));
  }

  async #list(): Promise<void> {
    const all = await navigator.mediaDevices.enumerateDevices();
    await this.#speaker.found(all);
    if (this.microphone.found(all))
      await this.change(() => this.microphone.choose(this.microphone.chosen.value));
  }
}
