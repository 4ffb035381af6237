// One WebRTC call as an ordinary OpenAI Realtime client makes it: microphone up, voice down, events on a channel.

import { fragment } from "./ice";
import { CallError } from "./problems";
import type { Server } from "./server";
import type { SessionConfig } from "./settings";
import type { ServerEvent } from "./wire";

/** Servers take the offer without candidates too, so waiting long for them would only delay the first word. */
const GATHERING_MS = 1_000;
/** From the answer to an open data channel; ICE on a bad network needs a few seconds, never this many. */
const CONNECT_MS = 15_000;
/** A connection that stays broken this long is given up for a new one; browsers call it broken after some seconds. */
const INTERRUPTED_MS = 3_000;

/** What the page asks of the server. */
export type ClientEvent =
  | { readonly type: "response.cancel" }
  | { readonly type: "output_audio_buffer.clear" }
  | { readonly type: "response.create" }
  | { readonly type: "input_audio_buffer.commit" }
  | { readonly type: "input_audio_buffer.clear" }
  | { readonly type: "session.update"; readonly session: SessionConfig }
  | { readonly type: "antiphon.room.mute"; readonly muted: boolean }
  | { readonly type: "antiphon.room.address"; readonly on: boolean }
  | { readonly type: "antiphon.room.say"; readonly text: string }
  | { readonly type: "antiphon.room.volume"; readonly person_id: string; readonly volume: number }
  | {
      readonly type: "conversation.item.create";
      readonly item: {
        readonly type: "message";
        readonly role: "user";
        readonly content: readonly [{ readonly type: "input_text"; readonly text: string }];
      };
    };

/** What a call tells its owner. */
export interface CallListener {
  /** An event of the protocol. */
  event(event: ServerEvent): void;
  /** The agent's voice. */
  voice(stream: MediaStream): void;
  /** The path broke for now (true), or works again (false). */
  interrupted(now: boolean): void;
  /** The call is over, and not because this side hung up. */
  over(how: "ended"): void;
  /** The path is gone for good; whoever offers anew at this address goes on with the call. */
  lost(location: URL | null): void;
}

/** A call from its offer to its end. */
export class Call {
  readonly peer: RTCPeerConnection;
  readonly #channel: RTCDataChannel;
  readonly #server: Server;
  readonly #listener: CallListener;
  readonly #closing = new AbortController();
  readonly #before: URL | null;
  #location: URL | null = null;
  #tag: string | null = null;
  #offer = "";
  /** Candidates that are not in the offer, and that the server has not been told of yet. */
  #late: string[] = [];
  #patience: ReturnType<typeof setTimeout> | undefined;

  /** Without a microphone: only to listen. `configuration` is the server's; `before` a call that this one goes on with. */
  constructor(
    server: Server,
    microphone: MediaStreamTrack | null,
    listener: CallListener,
    configuration: RTCConfiguration,
    before: URL | null = null,
  ) {
    this.peer = new RTCPeerConnection(configuration);
    this.#before = before;
    this.#server = server;
    this.#listener = listener;
    const { signal } = this.#closing;
    if (microphone) this.peer.addTrack(microphone, new MediaStream([microphone]));
    else this.peer.addTransceiver("audio", { direction: "recvonly" });
    this.peer.addEventListener("icecandidate", ({ candidate }) => this.#found(candidate), { signal });
    this.#channel = this.peer.createDataChannel("oai-events");
    this.#channel.addEventListener("message", (message) => this.#received(message.data), { signal });
    this.#channel.addEventListener("close", () => this.#ended(), { signal });
    this.peer.addEventListener(
      "track",
      ({ streams, track }) => listener.voice(streams[0] ?? new MediaStream([track])),
      { signal },
    );
  }

  /** Where others go on with it; null before the server has answered, and after the end. */
  get location(): URL | null {
    return this.#location;
  }

  /** Connects; resolves when events can flow. Throws CallError, and is then closed. */
  async connect(): Promise<void> {
    try {
      await this.peer.setLocalDescription();
      await this.#gathered();
      const sdp = this.peer.localDescription?.sdp ?? "";
      this.#offer = sdp;
      const answer = this.#before
        ? await this.#server.goOn(this.#before, sdp)
        : await this.#server.offer(sdp);
      this.#location = answer.location;
      this.#tag = answer.tag;
      if (this.#closing.signal.aborted) {
        // Hung up while the server was answering: it must not keep a place for nobody.
        this.#hangUp();
        return;
      }
      await this.peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
      this.#trickle();
      await this.#opened();
      this.peer.addEventListener("connectionstatechange", () => this.#watch(), {
        signal: this.#closing.signal,
      });
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      if (this.#before) this.suspend();
      else this.close();
      throw error;
    }
  }

  /** Sends one event. False when the channel is not open. */
  send(event: ClientEvent): boolean {
    if (this.#channel.readyState !== "open") return false;
    this.#channel.send(JSON.stringify(event));
    return true;
  }

  /** Puts another microphone in the place of the one in use. */
  async useTrack(track: MediaStreamTrack): Promise<void> {
    await this.peer
      .getSenders()
      .find((sender) => sender.track?.kind === "audio")
      ?.replaceTrack(track);
  }

  /** Hangs up. Safe to call twice, and at any moment. */
  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    clearTimeout(this.#patience);
    this.#hangUp();
    this.peer.close();
  }

  /** Lets go without hanging up, so that somebody can go on with the call at the address that is returned. */
  suspend(): URL | null {
    const location = this.#location;
    this.#location = null;
    this.close();
    return location;
  }

  #hangUp(): void {
    if (this.#location) void this.#server.hangUp(this.#location);
    this.#location = null;
  }

  #ended(): void {
    if (this.#closing.signal.aborted) return;
    this.suspend(); // the server has already forgotten the call
    this.#listener.over("ended");
  }

  #lost(): void {
    if (this.#closing.signal.aborted) return;
    this.#listener.lost(this.suspend());
  }

  #received(data: unknown): void {
    if (typeof data !== "string") return;
    // What the server sends has one of these types; one that is newer than this page falls through the reducer.
    this.#listener.event(JSON.parse(data) as ServerEvent);
  }

  #watch(): void {
    clearTimeout(this.#patience);
    const { connectionState } = this.peer;
    if (connectionState === "failed") this.#lost();
    if (connectionState === "connected") this.#listener.interrupted(false);
    if (connectionState === "disconnected") {
      this.#listener.interrupted(true);
      this.#patience = setTimeout(() => this.#lost(), INTERRUPTED_MS);
    }
  }

  #found(candidate: RTCIceCandidate | null): void {
    if (!candidate?.candidate || !this.#offer) return; // what is found before is in the offer
    this.#late.push(candidate.candidate);
    this.#trickle();
  }

  /** Tells of a relay that took its time: behind one of its own the server hears only whom it knows. */
  #trickle(): void {
    if (!this.#location || this.#late.length === 0) return;
    const late = this.#late.splice(0);
    void this.#server.trickle(this.#location, fragment(this.#offer, late), this.#tag);
  }

  /** All candidates are known, or waiting for the rest is not worth it. */
  #gathered(): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.peer.iceGatheringState === "complete") resolve();
      };
      this.peer.addEventListener("icegatheringstatechange", check, { signal: this.#closing.signal });
      setTimeout(resolve, GATHERING_MS);
      check();
    });
  }

  /** The data channel is open. Throws CallError "no-path" when ICE or DTLS did not get there. */
  async #opened(): Promise<void> {
    const { signal } = this.#closing;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const fail = (): void => reject(new CallError({ kind: "no-path" }));
        const check = (): void => {
          if (this.#channel.readyState === "open") resolve();
          if (this.peer.connectionState === "failed") fail();
        };
        timer = setTimeout(fail, CONNECT_MS);
        signal.addEventListener("abort", fail);
        this.#channel.addEventListener("open", check, { signal });
        this.peer.addEventListener("connectionstatechange", check, { signal });
        check();
      });
    } finally {
      clearTimeout(timer);
    }
  }
}
