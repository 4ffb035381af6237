// Antiphon in a browser, without a page: verbs in (join, leave, interrupt, say), signals out.

import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import { Awake } from "./awake";
import { Call, type CallListener, type ClientEvent } from "./call";
import { answering, type CallState, type Connection, EMPTY, heard } from "./conversation";
import type { Microphone } from "./devices";
import { ALONE, type Entrance, forListening } from "./entrance";
import { Levels } from "./levels";
import { CallError, diagnose, type Problem, whileLoading } from "./problems";
import { comeBack, Keeping, type Left, leave } from "./reload";
import { Room } from "./room";
import { Server } from "./server";
import { Speaker } from "./speaker";
import { begun, dismissed, over, reduce } from "./state";
import { type CallStats, Looks, network_ms } from "./stats";
import { Talk } from "./talk";
import { Uplink } from "./uplink";
import type { ServerEvent } from "./wire";
import { Wishes } from "./wishes";

/** The server keeps a call for so long for a client that was lost. */
const RECONNECT_MS = 30_000;
const AGAIN_MS = 1_000;

/** One person's end of a call. */
export class VoiceClient {
  readonly #connection = signal<Connection>("idle");
  readonly #problem: Signal<Problem | null>;
  readonly #state = signal<CallState>(EMPTY);
  readonly connection: ReadonlySignal<Connection> = this.#connection;
  /** Why there is no call, though there should be one. */
  readonly problem: ReadonlySignal<Problem | null>;
  /** What was said, whose turn it is, how long it took. Stays after a call until the next. */
  readonly state: ReadonlySignal<CallState> = this.#state;
  readonly levels = new Levels();
  readonly speaker = new Speaker();
  readonly microphone: Microphone;
  /** Mute, push to talk. */
  readonly talk: Talk;
  /** What is wanted of the agent. */
  readonly wishes: Wishes;
  readonly server: Server;
  /** Others, and what is between them and this one. */
  readonly room: Room;
  readonly looks = new Looks();
  /** Once a second during a call. */
  readonly stats: ReadonlySignal<CallStats | null> = this.looks.stats;
  readonly #awake = new Awake();
  readonly #uplink: Uplink;
  readonly #keeping = new Keeping();
  #call: Call | null = null;
  /** The call that is gone on with, until it is live again: it may be let go of and found anew meanwhile, too. */
  #lost: URL | null = null;
  /** Counts joins and ends: whatever awaited across one of them is stale. */
  #attempt = 0;
  /** Somebody wanted to join while the server was still loading. */
  #waited = false;
  #trying = false;

  /** `base` is where the server's routes begin: the page's own address. `way` says which room to join. */
  constructor(base: string | URL, way: Entrance = ALONE) {
    this.#problem = signal(way.unfit === null ? null : { kind: "no-room", room: way.unfit });
    this.problem = this.#problem;
    this.server = new Server(base);
    this.server.token = way.token;
    this.room = new Room(way, this.server, {
      send: (event) => this.send(event),
      state: () => this.#state.value.room,
    });
    this.#uplink = new Uplink(this.levels, this.speaker, {
      failed: (problem) => this.#end(problem),
      // Whoever shared a tab has not said that the room may be heard.
      unshared: () => this.talk.mute(true),
    });
    this.microphone = this.#uplink.microphone;
    this.wishes = new Wishes(
      (event) => this.send(event),
      () => this.#state.value.usual,
    );
    this.talk = new Talk(this.#uplink, this.levels, this.wishes, {
      send: (event) => this.send(event),
      yield: () => {
        if (this.answering) this.interrupt();
      },
      heard: () => heard(this.#state.value),
      address: (on) => this.room.address(on),
      shared: () => this.room.on,
      muted: (muted) => this.room.mute(muted),
    });
  }

  /** The microphone's sound is held back. */
  get muted(): ReadonlySignal<boolean> {
    return this.talk.muted;
  }

  /** The token is for listening: no microphone is opened. */
  get listens(): boolean {
    return forListening(this.server.token);
  }

  /** The agent is making or speaking an answer. */
  get answering(): boolean {
    return answering(this.#state.value);
  }

  /** Starts a call; call it from a click. Never throws: what goes wrong is in `problem`. */
  async join(): Promise<void> {
    if (this.#connection.value !== "idle") return;
    batch(() => {
      this.#problem.value = null;
      this.room.enter();
      this.talk.mute(false);
      this.#connection.value = this.listens ? "connecting" : "asking";
    });
    this.#waited = false;
    this.#attempt += 1;
    const attempt = this.#attempt;
    try {
      await this.#connect(attempt);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      const problem = diagnose(error);
      this.#end(problem);
      this.#waited = problem.kind === "loading";
    }
  }

  /** Hangs up. The transcript stays. */
  leave(): void {
    if (this.#lost) {
      this.#call?.suspend(); // or it would hang up as well
      void this.server.hangUp(this.#lost);
    }
    this.#end(null);
  }

  /** The page goes away, perhaps to be loaded again: lets go of the call without hanging up. */
  suspend(): void {
    const location = this.#call?.suspend() ?? this.#lost;
    const left = location && this.#left(location);
    this.#call = null;
    this.#end(null);
    if (left) leave(left);
  }

  /** Goes on with the call that this tab had before it was loaded anew, if there was one just now. */
  async resume(): Promise<void> {
    if (this.#problem.value) return;
    const left = await comeBack(RECONNECT_MS, this.room.name);
    if (!left || this.#connection.value !== "idle") return;
    this.#state.value = begun(left);
    this.talk.mute(left.muted);
    await this.#goOn(new URL(left.location));
  }

  /** Silences the agent, at once. */
  interrupt(): void {
    this.send({ type: "response.cancel" });
    this.send({ type: "output_audio_buffer.clear" });
  }

  /** Says `text` in writing: to the agent, or to everybody in the room. False when there is no call. */
  say(text: string): boolean {
    return this.room.say(text);
  }

  /** Sends any event of the protocol. False when there is no call. */
  send(event: ClientEvent): boolean {
    return this.#call?.send(event) ?? false;
  }

  /** Opens the microphone without a call, to see whether it works. */
  async tryMicrophone(): Promise<void> {
    this.levels.unlock();
    this.#trying = true;
    await this.#uplink.change(async () => void (await this.#uplink.open()));
    if (!this.#trying) this.closeMicrophone(); // nobody looks any more
  }

  /** Changes something about the microphone, also in the middle of a call. */
  async changeMicrophone(how: (microphone: Microphone) => Promise<void>): Promise<void> {
    await this.#uplink.change(() => how(this.microphone));
  }

  /** Closes a microphone that was opened without a call. */
  closeMicrophone(): void {
    this.#trying = false;
    if (this.#connection.value === "idle") this.#uplink.close();
  }

  /** The voice, after a click that the browser had been waiting for. */
  async unsilence(): Promise<void> {
    this.levels.unlock();
    await this.speaker.resume();
  }

  /** Back from a problem. */
  dismiss(): void {
    this.#waited = false;
    this.#problem.value = null;
  }

  /** Takes the last refusal away. */
  dismissRefusal(): void {
    this.#state.value = dismissed(this.#state.value);
  }

  /** Asks the server what it still waits for, and says so as a problem, or takes that problem away: who wanted to join does. */
  async checkReady(): Promise<void> {
    if (this.#connection.value !== "idle") return;
    const waiting = await this.server.waiting().catch(() => null);
    if (waiting === null || this.#connection.value !== "idle") return;
    this.#problem.value = whileLoading(this.#problem.value, waiting);
    if (this.#waited && this.#problem.value === null) await this.join();
  }

  /** Offers anew at the call's address until it goes on, or is over. */
  async #goOn(location: URL): Promise<void> {
    this.#rest();
    this.#call = null;
    this.#lost = location;
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
          const forgotten = problem.kind === "refused" && problem.status === 404; // the server was started anew
          this.#end(passing ? { kind: "lost" } : forgotten ? { kind: "ended", message: "" } : problem);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  async #connect(attempt: number, before: URL | null = null): Promise<void> {
    if (typeof RTCPeerConnection === "undefined") throw new CallError({ kind: "unsupported" });
    this.levels.unlock(); // before the first await: still inside the click
    const track = this.listens ? null : await this.#uplink.open();
    if (attempt !== this.#attempt) {
      if (this.#connection.value === "idle") this.#uplink.close(); // hung up while the browser was asking
      return;
    }
    this.#connection.value = before ? "interrupted" : "connecting";
    const configuration = await this.server.configuration();
    if (attempt !== this.#attempt) return; // hung up meanwhile
    const call = new Call(this.server, track, this.#listener(before === null), configuration, before);
    this.#call = call;
    this.#uplink.attach(call);
    this.talk.gate();
    await call.connect();
    if (attempt !== this.#attempt) return; // hung up meanwhile
    this.#lost = null;
    batch(() => {
      if (!before) this.#state.value = begun(); // before the first event of the call comes, and not when it was tried
      this.#connection.value = "live";
    });
    this.#awake.want(true);
    this.looks.begin(call.peer);
    this.talk.begin();
    const { location } = call;
    if (location) void this.#keeping.begin(() => this.#left(location));
  }

  #listener(fresh: boolean): CallListener {
    return {
      event: (event) => this.#told(event, fresh),
      voice: (stream) => {
        this.levels.listen("agent", stream);
        void this.speaker.play(stream);
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

  #told(event: ServerEvent, fresh: boolean): void {
    const now = { at_ms: Date.now(), network_ms: network_ms(this.stats.value) };
    this.#state.value = reduce(this.#state.value, event, now);
    this.room.told(event);
    this.talk.holding.told(event);
    if (event.type !== "session.created") return;
    if (!this.room.on) {
      // In a room the agent is everybody's: nobody brings settings along.
      if (fresh) this.wishes.tell();
      else this.wishes.remind(event.session);
    }
    this.talk.gate();
  }

  #left(location: URL): Left {
    const { usual, room } = this.#state.value;
    return { location: location.href, place: this.room.name, muted: this.muted.value, usual, room };
  }

  #rest(): void {
    this.#keeping.rest();
    this.looks.rest();
    this.talk.rest();
    this.#awake.want(false);
  }

  #end(problem: Problem | null): void {
    this.#attempt += 1;
    this.#rest();
    this.#keeping.forget();
    const call = this.#call;
    this.#call = this.#lost = null;
    call?.close();
    this.levels.ignore("agent");
    this.#uplink.close();
    void this.speaker.play(null);
    batch(() => {
      this.#connection.value = "idle";
      this.#problem.value = problem;
      this.#state.value = over(this.#state.value);
    });
  }
}
