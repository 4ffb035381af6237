// The test sound: two soft notes, a fifth apart, made here so that nothing has to be loaded.

const RATE = 24_000;
const NOTES_HZ = [523.25, 783.99];
const NOTE_S = 0.35;
/** Of full scale: as loud as a voice. */
const LOUDNESS = 0.25;
const FADE_S = 0.02;

/** A WAV file: mono, 16 bit. */
export function chime(): Uint8Array<ArrayBuffer> {
  const samples = Math.round(NOTES_HZ.length * NOTE_S * RATE);
  const file = new DataView(new ArrayBuffer(44 + 2 * samples));
  const text = (at: number, word: string): void => {
    for (let i = 0; i < word.length; i += 1) file.setUint8(at + i, word.charCodeAt(i));
  };
  text(0, "RIFF");
  file.setUint32(4, 36 + 2 * samples, true);
  text(8, "WAVEfmt ");
  file.setUint32(16, 16, true);
  file.setUint16(20, 1, true); // PCM
  file.setUint16(22, 1, true); // mono
  file.setUint32(24, RATE, true);
  file.setUint32(28, 2 * RATE, true);
  file.setUint16(32, 2, true);
  file.setUint16(34, 16, true);
  text(36, "data");
  file.setUint32(40, 2 * samples, true);
  for (let i = 0; i < samples; i += 1) {
    const note = Math.floor(i / (NOTE_S * RATE));
    const t_s = i / RATE - note * NOTE_S;
    const fade = Math.min(1, t_s / FADE_S) * Math.exp(-6 * t_s) * Math.min(1, (NOTE_S - t_s) / FADE_S);
    const value = Math.sin(2 * Math.PI * (NOTES_HZ[note] ?? 0) * t_s) * fade;
    file.setInt16(44 + 2 * i, Math.round(32_767 * LOUDNESS * value), true);
  }
  return new Uint8Array(file.buffer);
}
