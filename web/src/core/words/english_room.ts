// What the page says of a room, in English.

/** Whom the agent answers; of a policy that this page does not know it says nothing. */
const policies: Readonly<Record<string, (agent: string) => string>> = {
  one_to_one: (agent) => `${agent} answers everybody. What is said appears here.`,
  addressed: (agent) => `${agent} answers when it is named or asked. What is said appears here.`,
  moderated: (agent) => `${agent} answers whoever holds the button or Space. What is said appears here.`,
  scribe: (agent) => `${agent} writes along and says nothing. What is said appears here.`,
};

export const room = {
  // -- the door
  title: (name: string) => `Room ${name}`,
  promise: "People talk here with each other, and with an agent.",
  invitedBy: (name: string) => `${name} invites you.`,
  ownName: "Your name",
  guest: "Guest",
  asNamed: (name: string) => `The invitation is for ${name}: that is how you are called there.`,
  records: "What is said there is recorded.",
  asListener: "You were invited to listen: you hear everybody, and nobody hears you.",
  join: "Join",
  listen: "Listen",
  others: "Talk with others",
  alone: "Talk with the agent alone",
  link: "The address of this room",
  invite: "Copy invitation",
  invited: (until: string | null) =>
    until === null
      ? "Copied: send it to others."
      : `Copied: send it to others. It lets them in until ${until}.`,
  uninvited: "Copied, without a token: this server lets in only who has one.",

  // -- people
  people: "People",
  count: (here: number, capacity: number) => `${here} of ${capacity}`,
  you: "you",
  speaking: "speaking",
  muted: "muted",
  listens: "listening only",
  away: "connection lost",
  volumes: "Volumes",
  volume: (name: string) => `Volume of ${name}`,
  loud: (factor: number) => `${Math.round(100 * factor)} %`,
  joined: (name: string) => `${name} has come in.`,
  left: (name: string) => `${name} has left.`,
  recording: "This room is being recorded.",
  somebody: "Somebody",
  rest: "Others",

  // -- whose turn it is
  listening: (agent: string) => `${agent} is listening`,
  waiting: (agent: string) => `${agent} waits to be asked`,
  writing: (agent: string) => `${agent} is writing along`,
  thinking: (agent: string) => `${agent} is thinking`,
  answering: (agent: string) => `${agent} is speaking`,
  yielding: (agent: string) => `${agent} has paused`,
  hearing: (names: string, count: number) => `${names} ${count > 1 ? "are" : "is"} speaking`,
  policies,

  // -- what can be done
  hold: (agent: string) => `Hold to ask ${agent}`,
  held: "Let go when you have asked",
  leave: "Leave",
  write: "Write to everybody",
  writeHere: "Or write to everybody here",
  settings: "In a room the agent is everybody's: its settings are the server's.",
  space: "Hold to ask the agent, in a room",
};
