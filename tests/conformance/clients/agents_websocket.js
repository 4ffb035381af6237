// @openai/agents-realtime's RealtimeSession over a WebSocket, in Node.
import fs from 'node:fs';
import { RealtimeAgent, RealtimeSession, tool } from '@openai/agents-realtime';
import { z } from 'zod';
import { parseRealtimeEvent } from '../node_modules/@openai/agents-realtime/dist/openaiRealtimeEvents.mjs';
import { ASKED, MOMENT_MS, Microphone, orders, RATE, sleep, STORY, tell, TYPED, until, WEATHER } from './stage.js';

const agent = new RealtimeAgent({ name: 'Assistant', instructions: 'You are helpful.' });
const session = new RealtimeSession(agent, { transport: 'websocket', model: 'gpt-realtime' });
let voice = [];
let heard = 0;
let created = 0;
let done = 0;
const length = () => voice.reduce((sum, part) => sum + part.length, 0);
const words = () => session.history
  .filter((item) => item.role === 'assistant')
  .map((item) => item.content.map((part) => part.transcript ?? '').join(''));

session.on('error', (error) => tell('wrong', { text: JSON.stringify(error).slice(0, 500) }));
session.on('audio', (event) => voice.push(Buffer.from(event.data)));
session.on('audio_interrupted', () => tell('interrupted'));
session.on('transport_event', (event) => {
  // The client keeps quiet about events that its schemas refuse; its own parser tells.
  if (parseRealtimeEvent({ data: JSON.stringify(event) }).isGeneric) tell('wrong', { text: `ignored: ${event.type}` });
  if (event.type === 'session.created') tell('first', { type: event.type });
  if (event.type === 'response.created') created++;
  if (event.type === 'response.done') done++;
  if (event.type === 'conversation.item.truncated') tell('truncated', { ms: event.audio_end_ms });
  if (event.type === 'conversation.item.input_audio_transcription.completed') {
    tell('heard', { text: event.transcript });
    heard++;
  }
});

const address = (url) => `${url.replace('http', 'ws')}/realtime?model=gpt-realtime`;
await session.connect({ apiKey: orders.key, url: address(orders.url) });
const microphone = new Microphone();
const close = microphone.open((pcm) => session.sendAudio(pcm.buffer.slice(pcm.byteOffset, pcm.byteOffset + pcm.length)));

tell('turn', { kind: 'spoken' });
microphone.say(orders.question);
await until(() => heard && done && words().at(-1), 'answer');
fs.writeFileSync(orders.voice, Buffer.concat(voice));
tell('answer', { text: words().at(-1) });

tell('turn', { kind: 'interrupted' });
voice = [];
session.sendMessage(STORY);
await until(() => voice.length, 'story');
await sleep(MOMENT_MS);
const before = created;
microphone.say(orders.interruption);
await until(() => created > before && done === created, 'other answer');

tell('turn', { kind: 'typed' });
voice = [];
const items = session.history.length;
session.sendMessage(TYPED);
await until(() => done === before + 2 && session.history.length > items + 1 && words().at(-1), 'answer');
tell('answer', { text: words().at(-1) });
tell('sound', { s: length() / 2 / RATE });
close();
session.close();

const getWeather = tool({
  name: 'get_weather', description: 'The weather in a city.', parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    tell('called', { city });
    return WEATHER;
  },
});
const calling = new RealtimeSession(
  new RealtimeAgent({ name: 'Assistant', instructions: 'You are helpful.', tools: [getWeather] }),
  { transport: 'websocket', model: 'gpt-realtime' },
);
const answer = () => calling.history.findLast((item) => item.role === 'assistant')?.content[0]?.transcript;
calling.on('error', (error) => tell('wrong', { text: JSON.stringify(error).slice(0, 500) }));
tell('turn', { kind: 'tool' });
await calling.connect({ apiKey: orders.key, url: address(orders.tools_url) });
calling.sendMessage(ASKED);
await until(answer, 'answer');
await sleep(300);
tell('answer', { text: answer() });
calling.close();
process.exit(0);
