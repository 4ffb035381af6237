// What the page says of a room, in German.

import type { Strings } from "./english";

export const room: Strings["room"] = {
  title: (name) => `Raum ${name}`,
  promise: "Hier sprechen Menschen miteinander und mit einem Agenten.",
  invitedBy: (name) => `${name} lädt Sie ein.`,
  ownName: "Ihr Name",
  guest: "Gast",
  asNamed: (name) => `Die Einladung ist für ${name}: So heißen Sie dort.`,
  records: "Was dort gesagt wird, wird aufgenommen.",
  asListener: "Sie sind zum Zuhören eingeladen: Sie hören alle, und niemand hört Sie.",
  join: "Eintreten",
  listen: "Zuhören",
  others: "Mit anderen sprechen",
  alone: "Mit dem Agenten allein sprechen",
  link: "Die Adresse dieses Raums",
  invite: "Einladung kopieren",
  invited: (until) =>
    until === null
      ? "Kopiert: Schicken Sie sie den anderen."
      : `Kopiert: Schicken Sie sie den anderen. Sie gilt bis ${until}.`,
  uninvited: "Kopiert, ohne Token: Dieser Server lässt nur ein, wer eines hat.",

  people: "Personen",
  count: (here, capacity) => `${here} von ${capacity}`,
  you: "Sie",
  speaking: "spricht",
  muted: "stumm",
  listens: "hört nur zu",
  away: "Verbindung verloren",
  volumes: "Lautstärken",
  volume: (name) => `Lautstärke von ${name}`,
  loud: (factor) => `${Math.round(100 * factor)} %`,
  joined: (name) => `${name} ist hereingekommen.`,
  left: (name) => `${name} ist gegangen.`,
  recording: "Dieser Raum wird aufgenommen.",
  somebody: "Jemand",
  rest: "Andere",

  listening: (agent) => `${agent} hört zu`,
  waiting: (agent) => `${agent} wartet, bis jemand fragt`,
  writing: (agent) => `${agent} schreibt mit`,
  thinking: (agent) => `${agent} denkt nach`,
  answering: (agent) => `${agent} spricht`,
  yielding: (agent) => `${agent} hält inne`,
  hearing: (names, count) => `${names} ${count > 1 ? "sprechen" : "spricht"}`,
  policies: {
    one_to_one: (agent) => `${agent} antwortet allen. Was gesagt wird, erscheint hier.`,
    addressed: (agent) =>
      `${agent} antwortet, wenn der Name fällt oder gefragt wird. Was gesagt wird, erscheint hier.`,
    moderated: (agent) =>
      `${agent} antwortet dem, der den Knopf oder die Leertaste hält. Was gesagt wird, erscheint hier.`,
    scribe: (agent) => `${agent} schreibt mit und sagt nichts. Was gesagt wird, erscheint hier.`,
  },

  hold: (agent) => `Halten: ${agent} fragen`,
  held: "Loslassen, wenn Sie gefragt haben",
  leave: "Gehen",
  write: "Allen schreiben",
  writeHere: "Oder hier allen schreiben",
  settings: "In einem Raum gehört der Agent allen: Seine Einstellungen sind die des Servers.",
  space: "Im Raum halten, um den Agenten zu fragen",
};
