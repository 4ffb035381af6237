// Reads events, one a line, and prints the types of those that @openai/agents-realtime's own schemas refuse.
import readline from 'node:readline';
import { parseRealtimeEvent } from '../node_modules/@openai/agents-realtime/dist/openaiRealtimeEvents.mjs';

for await (const data of readline.createInterface({ input: process.stdin })) {
  const event = JSON.parse(data);
  if (parseRealtimeEvent({ data }).isGeneric) console.log(event.type);
}
