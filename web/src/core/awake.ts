// Keeps the screen on during a call: a phone that falls asleep takes the microphone along.

/** Holds a screen wake lock for as long as it is wanted. Browsers without one do as they always did. */
export class Awake {
  #wanted = false;
  #lock: WakeLockSentinel | null = null;

  constructor() {
    // The browser lets go of it whenever the page is hidden; lives as long as the page does.
    globalThis.document?.addEventListener("visibilitychange", () => void this.#follow());
  }

  /** Wants the screen on, or no longer. */
  want(wanted: boolean): void {
    this.#wanted = wanted;
    void this.#follow();
  }

  async #follow(): Promise<void> {
    if (!this.#wanted) {
      const lock = this.#lock;
      this.#lock = null;
      await lock?.release();
      return;
    }
    if (document.visibilityState !== "visible" || (this.#lock && !this.#lock.released)) return;
    try {
      const lock = await navigator.wakeLock?.request("screen");
      if (!lock) return;
      if (this.#wanted && (!this.#lock || this.#lock.released)) this.#lock = lock;
      else await lock.release();
    } catch {
      return; // the battery is low, or a policy forbids it: the call goes on
    }
  }
}
