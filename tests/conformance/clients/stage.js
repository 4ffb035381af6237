// What the drivers in JavaScript share: their orders, the microphone, and the lines that they print.
import fs from 'node:fs';

export const RATE = 24000;
export const PACKET_MS = 100;
export const STORY = 'Please tell me a long story about a ship that sails around the world.';
export const TYPED = 'How many days are there in a week?';
export const ASKED = 'What is the weather like in Oslo?';
export const WEATHER = '7 degrees and rain';
export const MOMENT_MS = 1200;

const given = JSON.parse(process.argv[2]);
// The samples of a WAV file with the usual header of 44 bytes.
const sound = (path) => fs.readFileSync(path).subarray(44);
export const orders = { ...given, question: sound(given.question), interruption: sound(given.interruption) };

export const tell = (what, fields = {}) => console.log(JSON.stringify({ what, ...fields }));
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

console.warn = console.error = (...words) => tell('wrong', { text: words.map(String).join(' ').slice(0, 500) });

export async function until(condition, what, withinMs = 25000) {
  const deadline = Date.now() + withinMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`no ${what}`);
    await sleep(20);
  }
}

// Sends sound in real time: what is to be said, else silence.
export class Microphone {
  #left = Buffer.alloc(0);

  say(pcm) {
    this.#left = pcm;
  }

  open(send) {
    const size = (RATE * PACKET_MS) / 1000 * 2;
    const began = Date.now();
    let sent = 0;
    const timer = setInterval(() => {
      for (; sent * PACKET_MS <= Date.now() - began; sent++) {
        const packet = Buffer.alloc(size);
        this.#left.copy(packet, 0, 0, size);
        this.#left = this.#left.subarray(size);
        send(packet);
      }
    }, 20);
    return () => clearInterval(timer);
  }
}
