// How loud it is: the microphone and the agent, in dBFS, measured once per drawn frame for all who look.

/** Samples per measurement: 43 ms at 48 kHz, longer than one period of the lowest voice. */
const WINDOW = 2048;
/** What a silent or closed source reads. */
export const SILENCE_DBFS = -100;
/** How long a peak stays. */
const HOLD_MS = 1_000;
/** A peak from here on is cut off by the converter, and sounds broken. */
export const CLIP_DBFS = -0.2;

export type Source = "microphone" | "agent";

/** One source's loudness. */
export interface Level {
  /** Over the last window. */
  readonly rms_dbfs: number;
  /** The loudest sample of the last second. */
  readonly peak_dbfs: number;
}

interface Tap {
  readonly node: MediaStreamAudioSourceNode;
  readonly analyser: AnalyserNode;
  peak_dbfs: number;
  peakAt_ms: number;
}

const QUIET: Level = { rms_dbfs: SILENCE_DBFS, peak_dbfs: SILENCE_DBFS };

/** All meters of the page. */
export class Levels {
  readonly #taps = new Map<Source, Tap>();
  readonly #viewers = new Set<() => void>();
  readonly #window = new Float32Array(WINDOW);
  #context: AudioContext | null = null;
  #frame = 0;

  /** Must be called from a click: browsers start no audio otherwise. */
  unlock(): void {
    this.#context ??= new AudioContext();
    if (this.#context.state === "suspended") void this.#context.resume();
  }

  /** Measures `stream` from now on. Nothing is played: the voice comes from an `<audio>` element. */
  listen(source: Source, stream: MediaStream): void {
    this.unlock();
    this.ignore(source);
    const context = this.#context;
    if (!context) return;
    const node = context.createMediaStreamSource(stream);
    const analyser = new AnalyserNode(context, { fftSize: WINDOW });
    node.connect(analyser);
    this.#taps.set(source, { node, analyser, peak_dbfs: SILENCE_DBFS, peakAt_ms: 0 });
    this.#run();
  }

  /** Stops measuring. */
  ignore(source: Source): void {
    this.#taps.get(source)?.node.disconnect();
    this.#taps.delete(source);
  }

  /** The loudness now. */
  read(source: Source): Level {
    const tap = this.#taps.get(source);
    if (!tap) return QUIET;
    tap.analyser.getFloatTimeDomainData(this.#window);
    let sum = 0;
    let peak = 0;
    for (const sample of this.#window) {
      sum += sample * sample;
      peak = Math.max(peak, Math.abs(sample));
    }
    const peak_dbfs = dbfs(peak);
    const now_ms = performance.now();
    if (peak_dbfs >= tap.peak_dbfs || now_ms - tap.peakAt_ms > HOLD_MS) {
      tap.peak_dbfs = peak_dbfs;
      tap.peakAt_ms = now_ms;
    }
    return { rms_dbfs: dbfs(Math.sqrt(sum / WINDOW)), peak_dbfs: tap.peak_dbfs };
  }

  /** Calls `draw` for every frame while something is measured; returns how to stop. */
  watch(draw: () => void): () => void {
    this.#viewers.add(draw);
    this.#run();
    return () => this.#viewers.delete(draw);
  }

  // One loop for all meters. It rests when there is nothing to measure or nobody to see it; in a hidden tab the
  // browser holds animation frames back by itself.
  #run(): void {
    if (this.#frame !== 0) return;
    const step = (): void => {
      for (const draw of this.#viewers) draw();
      this.#frame = this.#taps.size > 0 && this.#viewers.size > 0 ? requestAnimationFrame(step) : 0;
    };
    this.#frame = requestAnimationFrame(step);
  }
}

function dbfs(amplitude: number): number {
  return Math.max(SILENCE_DBFS, 20 * Math.log10(amplitude || Number.MIN_VALUE));
}
