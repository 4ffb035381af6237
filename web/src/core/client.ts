// Antiphon in a browser, without a page: four verbs in (join, leave, interrupt, say), signals out.

import { batch, type ReadonlySignal, signal } from "@preact/signals-core";
import { Call, type CallListener, type ClientEvent } from "./call";
import { Microphone } from "./devices";
import { Levels } from "./levels";
import { CallError, diagnose, type Problem } from "./problems";
import { Server } from "./server";
import { type CallState, EMPTY, reduce } from "./state";
import { type CallStats, StatsReader } from "./stats";

const LOOK_MS = 1_000;
/** The server keeps a call for so long for a client that was lost. */
const RECONNECT_MS = 30_000;
const AGAIN_MS = 1_000;
/** Where the tab keeps the address of its call over a reload. */
const KEPT = "antiphon.call";

/** Where a call stands. */
export type Connection =
  /** No call. */
  | "idle"
  /** The browser is asking for the microphone. */
  | "asking"
  /** The offer is under way, or ICE and DTLS are. */
  | "connecting"
  /** Voice and events flow. */
  | "live"
  /** The path broke; it may come back. */
  | "interrupted";

/** One person's end of a call. */
export class VoiceClient {
  readonly connection: ReadonlySignal<Connection>;
  /** Why there is no call, though there should be one. */
  readonly problem: ReadonlySignal<Problem | null>;
  /** What was said, whose turn it is, how long it took. Stays after a call until the next. */
  readonly state: ReadonlySignal<CallState>;
  /** Once a second during a call. */
  readonly stats: ReadonlySignal<CallStats | null>;
  readonly muted: ReadonlySignal<boolean>;
  /** The browser holds the voice back until somebody clicks. */
  readonly silenced: ReadonlySignal<boolean>;
  readonly microphone = new Microphone();
  readonly levels = new Levels();
  readonly server: Server;
  /** Plays the agent's voice; an element in the document, or iOS stays silent. */
  speaker: HTMLAudioElement | null = null;

  readonly #connection = signal<Connection>("idle");
  readonly #problem = signal<Problem | null>(null);
  readonly #state = signal<CallState>(EMPTY);
  readonly #stats = signal<CallStats | null>(null);
  readonly #muted = signal(false);
  readonly #silenced = signal(false);
  #call: Call | null = null;
  /** Counts joins and ends: whatever awaited across one of them is stale. */
  #attempt = 0;
  #looking: ReturnType<typeof setInterval> | undefined;

  /** `base` is where the server's routes begin: the page's own address. */
  constructor(base: string | URL) {
    this.server = new Server(base);
    this.connection = this.#connection;
    this.problem = this.#problem;
    this.state = this.#state;
    this.stats = this.#stats;
    this.muted = this.#muted;
    this.silenced = this.#silenced;
  }

  /** Starts a call; call it from a click. Never throws: what goes wrong is in `problem`. */
  async join(): Promise<void> {
    if (this.#connection.value !== "idle") return;
    batch(() => {
      this.#problem.value = null;
      this.#state.value = EMPTY;
      this.#muted.value = false;
      this.#connection.value = "asking";
    });
    this.#attempt += 1;
    const attempt = this.#attempt;
    try {
      await this.#connect(attempt);
    } catch (error) {
      if (attempt === this.#attempt) this.#end(diagnose(error));
    }
  }

  /** Hangs up. The transcript stays. */
  leave(): void {
    this.#end(null);
  }

  /** The page goes away, perhaps to be loaded again: lets go of the call without hanging up. */
  suspend(): void {
    const location = this.#call?.suspend();
    if (location) sessionStorage.setItem(KEPT, JSON.stringify({ location, at: Date.now() }));
    this.#call = null;
    this.#end(null);
  }

  /** Goes on with the call that this tab had before it was loaded anew, if there was one just now. */
  async resume(): Promise<void> {
    const kept = sessionStorage.getItem(KEPT);
    sessionStorage.removeItem(KEPT);
    if (!kept) return;
    const { location, at } = JSON.parse(kept) as { location: string; at: number };
    if (Date.now() - at < RECONNECT_MS) await this.#goOn(new URL(location));
  }

  /** Silences the agent, at once. */
  interrupt(): void {
    this.#call?.send({ type: "response.cancel" });
    this.#call?.send({ type: "output_audio_buffer.clear" });
  }

  /** Says `text` in writing and asks for an answer. False when there is no call. */
  say(text: string): boolean {
    const words = text.trim();
    if (!words || !this.#call) return false;
    const content = [{ type: "input_text", text: words }] as const;
    return (
      this.#call.send({
        type: "conversation.item.create",
        item: { type: "message", role: "user", content },
      }) && this.#call.send({ type: "response.create" })
    );
  }

  /** Sends any event of the protocol. False when there is no call. */
  send(event: ClientEvent): boolean {
    return this.#call?.send(event) ?? false;
  }

  /** Holds the microphone's sound back, or lets it through again. */
  mute(muted: boolean): void {
    this.#muted.value = muted;
    for (const track of this.microphone.stream.value?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  /** Opens the microphone without a call, to see whether it works. */
  async tryMicrophone(): Promise<void> {
    this.levels.unlock();
    try {
      this.levels.listen("microphone", await this.microphone.open());
    } catch (error) {
      this.#end(diagnose(error));
    }
  }

  /** Takes another microphone, also in the middle of a call. */
  async chooseMicrophone(id: string): Promise<void> {
    try {
      await this.microphone.choose(id);
      const stream = this.microphone.stream.value;
      if (stream) await this.#use(stream);
    } catch (error) {
      this.#end(diagnose(error));
    }
  }

  /** The voice, after a click that the browser had been waiting for. */
  async unsilence(): Promise<void> {
    this.levels.unlock();
    await this.#play();
  }

  /** Back from a problem. */
  dismiss(): void {
    this.#problem.value = null;
  }

  /** Takes the last refusal away. */
  dismissRefusal(): void {
    this.#state.value = { ...this.#state.value, refusal: null };
  }

  /** Asks the server what it still waits for, and says so as a problem, or takes that problem away. */
  async checkReady(): Promise<void> {
    if (this.#connection.value !== "idle") return;
    const waiting = await this.server.waiting().catch(() => null);
    if (waiting === null || this.#connection.value !== "idle") return;
    const problem = this.#problem.value;
    if (waiting.length > 0 && (problem === null || problem.kind === "loading")) {
      this.#problem.value = { kind: "loading", waiting };
    } else if (waiting.length === 0 && problem?.kind === "loading") {
      this.#problem.value = null;
    }
  }

  /** Offers anew at the call's address until it goes on, or is over. */
  async #goOn(location: URL): Promise<void> {
    clearInterval(this.#looking);
    this.#call = null;
    this.#attempt += 1;
    const attempt = this.#attempt;
    const until = Date.now() + RECONNECT_MS;
    this.#connection.value = "interrupted";
    while (attempt === this.#attempt) {
      try {
        await this.#connect(attempt, location);
        return;
      } catch (error) {
        if (attempt !== this.#attempt) return;
        const problem = diagnose(error);
        const passing = problem.kind === "unreachable" || problem.kind === "no-path";
        if (!passing || Date.now() > until) {
          this.#end(passing || problem.kind === "refused" ? { kind: "lost" } : problem);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  async #connect(attempt: number, before: URL | null = null): Promise<void> {
    if (typeof RTCPeerConnection === "undefined") throw new CallError({ kind: "unsupported" });
    this.levels.unlock(); // before the first await: still inside the click
    const stream = await this.microphone.open();
    if (attempt !== this.#attempt) {
      if (this.#connection.value === "idle") this.microphone.close(); // hung up while the browser was asking
      return;
    }
    this.#connection.value = before ? "interrupted" : "connecting";
    const configuration = await this.server.configuration();
    if (attempt !== this.#attempt) return; // hung up meanwhile
    const call = new Call(this.server, stream, this.#listener(), configuration, before);
    this.#call = call;
    await this.#use(stream);
    await call.connect();
    if (attempt !== this.#attempt) return; // hung up meanwhile
    this.#connection.value = "live";
    const reader = new StatsReader();
    this.#looking = setInterval(() => void this.#look(call, reader), LOOK_MS);
  }

  #listener(): CallListener {
    return {
      event: (event) => {
        this.#state.value = reduce(this.#state.value, event);
      },
      voice: (stream) => {
        if (this.speaker) this.speaker.srcObject = stream;
        this.levels.listen("agent", stream);
        void this.#play();
      },
      interrupted: (now) => {
        this.#connection.value = now ? "interrupted" : "live";
      },
      over: () => {
        this.#end({ kind: "ended", message: this.#state.value.refusal?.message ?? "" });
      },
      lost: (location) => {
        if (location) void this.#goOn(location);
        else this.#end({ kind: "lost" });
      },
    };
  }

  async #use(stream: MediaStream): Promise<void> {
    this.levels.listen("microphone", stream);
    const track = stream.getAudioTracks()[0];
    if (!track) return;
    track.enabled = !this.#muted.value;
    // Pulled out: go on with whatever microphone is left.
    track.onended = () => {
      this.microphone.close();
      void this.#reopen();
    };
    await this.#call?.useTrack(track);
  }

  async #reopen(): Promise<void> {
    try {
      await this.#use(await this.microphone.open());
    } catch (error) {
      this.#end(diagnose(error));
    }
  }

  async #play(): Promise<void> {
    try {
      await this.speaker?.play();
      this.#silenced.value = false;
    } catch (error) {
      // Only the browser's refusal needs a click; an element that was emptied meanwhile does not.
      this.#silenced.value = error instanceof DOMException && error.name === "NotAllowedError";
    }
  }

  async #look(call: Call, reader: StatsReader): Promise<void> {
    const reports = (await call.peer.getStats()) as unknown as ReadonlyMap<string, Record<string, unknown>>;
    if (this.#call === call) this.#stats.value = reader.read(reports);
  }

  #end(problem: Problem | null): void {
    this.#attempt += 1;
    clearInterval(this.#looking);
    const call = this.#call;
    this.#call = null;
    call?.close();
    this.levels.ignore("microphone");
    this.levels.ignore("agent");
    this.microphone.close();
    if (this.speaker) this.speaker.srcObject = null;
    batch(() => {
      this.#connection.value = "idle";
      this.#problem.value = problem;
      this.#stats.value = null;
      this.#silenced.value = false;
      this.#state.value = { ...this.#state.value, phase: "idle" };
    });
  }
}
