// npm openai's OpenAIRealtimeWS: always wss, so the server has a certificate, and NODE_EXTRA_CA_CERTS names it.
import fs from 'node:fs';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { ASKED, MOMENT_MS, Microphone, orders, RATE, sleep, STORY, tell, TYPED, until, WEATHER } from './stage.js';

const client = new OpenAI({ baseURL: orders.url, apiKey: orders.key });
const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime' }, client);
let voice = [];
let began = 0;
let item = '';
let heard = 0;
let created = 0;
let done = 0;
const length = () => voice.reduce((sum, part) => sum + part.length, 0);

realtime.on('error', (error) => tell('wrong', { text: String(error) }));
realtime.on('session.created', (event) => tell('first', { type: event.type }));
realtime.on('conversation.item.input_audio_transcription.completed', (event) => {
  tell('heard', { text: event.transcript });
  heard++;
});
realtime.on('response.created', () => created++);
realtime.on('response.done', () => done++);
realtime.on('response.output_audio.delta', (event) => {
  began ||= Date.now();
  item = event.item_id;
  voice.push(Buffer.from(event.delta, 'base64'));
});
realtime.on('response.output_audio_transcript.done', (event) => tell('answer', { text: event.transcript }));
realtime.on('conversation.item.truncated', (event) => tell('truncated', { ms: event.audio_end_ms }));
realtime.on('input_audio_buffer.speech_started', () => {
  const playedMs = Date.now() - began;
  if (!began || playedMs > length() / 2 / RATE * 1000) return;
  tell('interrupted');
  realtime.send({ type: 'conversation.item.truncate', item_id: item, content_index: 0, audio_end_ms: playedMs });
});

function ask(text) {
  voice = [];
  began = 0;
  const content = [{ type: 'input_text', text }];
  realtime.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } });
  realtime.send({ type: 'response.create' });
}

await new Promise((open) => realtime.socket.on('open', open));
const microphone = new Microphone();
const close = microphone.open((pcm) => realtime.send({ type: 'input_audio_buffer.append', audio: pcm.toString('base64') }));
realtime.send({ type: 'session.update', session: { type: 'realtime', instructions: 'You are helpful.' } });

tell('turn', { kind: 'spoken' });
microphone.say(orders.question);
await until(() => heard && done, 'answer');
fs.writeFileSync(orders.voice, Buffer.concat(voice));

tell('turn', { kind: 'interrupted' });
ask(STORY);
await until(() => began, 'story');
await sleep(MOMENT_MS);
const before = created;
microphone.say(orders.interruption);
await until(() => created > before && done === created, 'other answer');

tell('turn', { kind: 'typed' });
ask(TYPED);
await until(() => done === before + 2, 'answer');
tell('sound', { s: length() / 2 / RATE });
close();
realtime.close();

const TOOL = {
  type: 'function', name: 'get_weather', description: 'The weather in a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const caller = new OpenAIRealtimeWS({ model: 'gpt-realtime' }, new OpenAI({ baseURL: orders.tools_url, apiKey: orders.key }));
let answered = false;
caller.on('error', (error) => tell('wrong', { text: String(error) }));
caller.on('response.function_call_arguments.done', (event) => tell('called', JSON.parse(event.arguments)));
caller.on('response.output_audio_transcript.done', (event) => tell('answer', { text: event.transcript }));
caller.on('response.done', (event) => {
  const call = event.response.output.find((output) => output.type === 'function_call');
  answered = !call;
  if (!call) return;
  caller.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: call.call_id, output: WEATHER } });
  caller.send({ type: 'response.create' });
});
tell('turn', { kind: 'tool' });
await new Promise((open) => caller.socket.on('open', open));
caller.send({ type: 'session.update', session: { type: 'realtime', tools: [TOOL] } });
const content = [{ type: 'input_text', text: ASKED }];
caller.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } });
caller.send({ type: 'response.create' });
await until(() => answered, 'answer');
caller.close();
