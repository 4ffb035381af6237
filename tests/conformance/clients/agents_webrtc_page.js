// In the browser: @openai/agents-realtime's RealtimeSession over WebRTC. The microphone is a node of Web Audio.
const RATE = 24000;
const STORY = 'Please tell me a long story about a ship that sails around the world.';
const TYPED = 'How many days are there in a week?';
const ASKED = 'What is the weather like in Oslo?';
const WEATHER = '7 degrees and rain';
const MOMENT_MS = 1200;
const TAP = `registerProcessor('tap', class extends AudioWorkletProcessor {
  process([[samples]]) { if (samples) this.port.postMessage(samples.slice()); return true; }
})`;

const tell = (what, fields = {}) => console.log(JSON.stringify({ what, ...fields }));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(condition, what, withinMs = 25000) {
  const deadline = Date.now() + withinMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`no ${what}`);
    await sleep(20);
  }
}

async function recording(stream) {
  const context = new AudioContext({ sampleRate: RATE });
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([TAP], { type: 'text/javascript' })));
  const tap = new AudioWorkletNode(context, 'tap');
  const samples = [];
  tap.port.onmessage = (message) => samples.push(...message.data);
  context.createMediaStreamSource(stream).connect(tap).connect(context.destination);
  return samples;
}

async function run({ url, key }) {
  const { OpenAIRealtimeWebRTC, RealtimeAgent, RealtimeSession } = OpenAIAgentsRealtime;
  const context = new AudioContext();
  const microphone = context.createMediaStreamDestination();
  // A microphone never stops sending, even if all is silent; a node without a source does.
  const room = new ConstantSourceNode(context, { offset: 0 });
  room.connect(microphone);
  room.start();
  const load = async (name) => context.decodeAudioData(await (await fetch(name)).arrayBuffer());
  const [question, interruption] = [await load('/question.wav'), await load('/interruption.wav')];
  const say = (buffer) => {
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(microphone);
    source.start();
  };
  const audioElement = document.getElementById('speaker');
  const agent = new RealtimeAgent({ name: 'Assistant', instructions: 'You are helpful.' });
  const transport = new OpenAIRealtimeWebRTC({
    mediaStream: microphone.stream, audioElement, baseUrl: `${url}/realtime/calls`,
  });
  const session = new RealtimeSession(agent, { transport, model: 'gpt-realtime' });
  const events = [];
  const count = (kind) => events.filter((event) => event.type === kind).length;
  const words = () => session.history
    .filter((item) => item.role === 'assistant')
    .map((item) => item.content.map((part) => part.transcript ?? '').join(''));

  session.on('error', (error) => tell('wrong', { text: JSON.stringify(error).slice(0, 500) }));
  session.on('transport_event', (event) => {
    events.push(event);
    if (event.type === 'session.created') tell('first', { type: events[0].type });
    // Over WebRTC the server stops the voice; the client says so with the server's own event.
    if (event.type === 'output_audio_buffer.cleared') tell('interrupted');
    if (event.type === 'conversation.item.truncated') tell('truncated', { ms: event.audio_end_ms });
    if (event.type === 'conversation.item.input_audio_transcription.completed') tell('heard', { text: event.transcript });
  });

  await session.connect({ apiKey: key });
  if (!transport.callId?.startsWith('rtc_')) tell('wrong', { text: `call id ${transport.callId}` });
  await until(() => audioElement.srcObject, 'stream');
  const heard = await recording(audioElement.srcObject);

  tell('turn', { kind: 'spoken' });
  await sleep(300);
  say(question);
  await until(() => count('output_audio_buffer.stopped') && words().at(-1), 'answer');
  tell('answer', { text: words().at(-1) });
  const voice = heard.splice(0);

  tell('turn', { kind: 'interrupted' });
  session.sendMessage(STORY);
  await until(() => count('output_audio_buffer.started') === 2, 'story');
  await sleep(MOMENT_MS);
  say(interruption);
  await until(() => count('output_audio_buffer.cleared') === 1, 'end of the story');
  await until(() => count('output_audio_buffer.started') === 3, 'other answer');
  await until(() => count('output_audio_buffer.stopped') === 2, 'end of the other answer');

  tell('turn', { kind: 'typed' });
  heard.splice(0);
  session.sendMessage(TYPED);
  await until(() => count('output_audio_buffer.started') === 4 && count('response.done') === 4, 'answer');
  await until(() => count('output_audio_buffer.stopped') === 3 && words().at(-1), 'end of the answer');
  tell('answer', { text: words().at(-1) });
  tell('sound', { s: heard.filter((sample) => Math.abs(sample) > 0.003).length / RATE });
  session.close();
  return { voice, events };
}

async function callATool({ url, key }) {
  const { OpenAIRealtimeWebRTC, RealtimeAgent, RealtimeSession, tool } = OpenAIAgentsRealtime;
  const getWeather = tool({
    name: 'get_weather', description: 'The weather in a city.', strict: true,
    parameters: {
      type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false,
    },
    execute: async ({ city }) => {
      tell('called', { city });
      return WEATHER;
    },
  });
  const agent = new RealtimeAgent({ name: 'Assistant', instructions: 'You are helpful.', tools: [getWeather] });
  const transport = new OpenAIRealtimeWebRTC({
    mediaStream: new AudioContext().createMediaStreamDestination().stream,
    audioElement: document.getElementById('speaker'), baseUrl: `${url}/realtime/calls`,
  });
  const session = new RealtimeSession(agent, { transport, model: 'gpt-realtime' });
  const events = [];
  session.on('error', (error) => tell('wrong', { text: JSON.stringify(error).slice(0, 500) }));
  session.on('transport_event', (event) => events.push(event));
  tell('turn', { kind: 'tool' });
  await session.connect({ apiKey: key });
  session.sendMessage(ASKED);
  await until(() => events.some((event) => event.type === 'output_audio_buffer.stopped'), 'answer');
  tell('answer', { text: session.history.findLast((item) => item.role === 'assistant').content[0].transcript });
  session.close();
  return events;
}
