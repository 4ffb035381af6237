// Whether somebody speaks into a microphone that is muted: they should be told, and a cough should not.

/** A voice at a desk is louder than this, a quiet room is not. */
const VOICE_DBFS = -42;
/** So much of a voice is speech. */
const SPEECH_MS = 400;
/** A pause this long begins the count anew. */
const PAUSE_MS = 600;
/** How long the hint stays after the last sound. */
const STAY_MS = 3_000;

/** Is shown the microphone's loudness now and then; says whether the hint should be seen. */
export class UnheardSpeech {
  #voiced_ms = 0;
  #last_ms = Number.NEGATIVE_INFINITY;
  #seen_ms: number | null = null;
  #shown = false;

  /** `rms_dbfs` is the loudness, `now_ms` any clock that does not jump. */
  look(rms_dbfs: number, now_ms: number): boolean {
    const since_ms = this.#seen_ms === null ? 0 : now_ms - this.#seen_ms;
    this.#seen_ms = now_ms;
    if (rms_dbfs > VOICE_DBFS) {
      this.#voiced_ms = now_ms - this.#last_ms > PAUSE_MS ? 0 : this.#voiced_ms + since_ms;
      this.#last_ms = now_ms;
      this.#shown ||= this.#voiced_ms >= SPEECH_MS;
    } else if (now_ms - this.#last_ms > STAY_MS) {
      this.#shown = false;
    }
    return this.#shown;
  }

  /** The microphone is open again. */
  reset(): void {
    this.#voiced_ms = 0;
    this.#last_ms = Number.NEGATIVE_INFINITY;
    this.#shown = false;
  }
}
