import { describe, expect, it } from "vitest";
import { type CallState, EMPTY } from "../src/core/conversation";
import { author, COLOURS, cleaned, holdable, present, speakers } from "../src/core/people";
import { reduce } from "../src/core/state";
import type { RoomPerson, ServerEvent } from "../src/core/wire";

type Written = ServerEvent extends infer E ? (E extends ServerEvent ? Omit<E, "event_id"> : never) : never;

const person = (id: string, name: string, fields: Partial<RoomPerson> = {}): RoomPerson => ({
  id,
  name,
  role: "talk",
  muted: false,
  speaking: false,
  here: true,
  ...fields,
});
const anna = person("person_a", "Anna");
const ben = person("person_b", "Ben");
const entered = (...people: RoomPerson[]): Written => ({
  type: "antiphon.room.state",
  room: "kitchen",
  policy: "addressed",
  agent: "Antiphon",
  you: "person_a",
  people,
  capacity: 10,
  recording: false,
});
const joined = (who: RoomPerson): Written => ({ type: "antiphon.room.joined", person: who });
const left = (id: string): Written => ({ type: "antiphon.room.left", person_id: id, reason: "hung_up" });
const changed = (who: RoomPerson): Written => ({ type: "antiphon.room.changed", person: who });
const turn = (item_id: string, person_id: string): Written => ({
  type: "antiphon.room.turn",
  item_id,
  person_id,
});
const caption = (item_id: string, text: string): Written => ({
  type: "antiphon.caption",
  item_id,
  role: "user",
  text,
  stable: 0,
  final: false,
});

function play(...events: Written[]): CallState {
  return events.reduce((state, event) => reduce(state, { event_id: "e", ...event } as ServerEvent), EMPTY);
}

function roomOf(...events: Written[]) {
  const { room } = play(...events);
  if (!room) throw new Error("no room");
  return room;
}

describe("a room", () => {
  it("is none before the server tells of one, whatever else it tells", () => {
    expect(play(joined(ben), turn("u1", "person_b"), left("person_b")).room).toBeNull();
  });

  it("has its people in the order in which they came, each with a colour that stays", () => {
    const carla = person("person_c", "Carla");
    const room = roomOf(entered(anna, ben), joined(carla), changed({ ...ben, speaking: true }));
    expect(room.people.map(({ name, colour }) => [name, colour])).toEqual([
      ["Anna", 0],
      ["Ben", 1],
      ["Carla", 2],
    ]);
    expect(speakers(room).map(({ name }) => name)).toEqual(["Ben"]);
    expect(room.news).toMatchObject({ came: true, person: { name: "Carla" } });
  });

  it("names whoever sits at this page first among those who speak", () => {
    const loud = { speaking: true };
    const room = roomOf(entered(person("person_b", "Ben", loud), person("person_a", "Anna", loud)));
    expect(speakers(room).map(({ name }) => name)).toEqual(["Anna", "Ben"]);
  });

  it("forgets who left without a word, and remembers the name of who said something", () => {
    const quiet = roomOf(entered(anna, ben), left("person_b"));
    expect(quiet.people.map(({ name }) => name)).toEqual(["Anna"]);
    expect(quiet.news).toMatchObject({ came: false, person: { name: "Ben" } });
    const heard = roomOf(entered(anna, ben), turn("u1", "person_b"), left("person_b"));
    expect(present(heard).map(({ name }) => name)).toEqual(["Anna"]);
    expect(author(heard, "u1")).toMatchObject({ name: "Ben", gone: true });
  });

  it("gives the colour of who left to the next, and none twice while there are enough", () => {
    const crowd = Array.from({ length: COLOURS }, (_, at) => person(`person_${at}`, `P${at}`));
    const room = roomOf(entered(...crowd), left("person_3"), joined(ben));
    expect(new Set(present(room).map(({ colour }) => colour)).size).toBe(COLOURS);
    expect(room.people.at(-1)?.colour).toBe(3);
  });

  it("is the same after a reconnection, with its names, colours and turns", () => {
    const room = roomOf(
      entered(anna, ben),
      turn("u1", "person_b"),
      { type: "session.created", session: {} },
      entered(anna),
    );
    expect(author(room, "u1")).toMatchObject({ name: "Ben", colour: 1, gone: true });
    expect(present(room).map(({ name }) => name)).toEqual(["Anna"]);
  });

  it("tells when it is recorded", () => {
    expect(roomOf(entered(anna), { type: "antiphon.room.recording", on: true }).recording).toBe(true);
  });

  it("offers the button where it changes something", () => {
    const room = roomOf(entered(anna));
    expect(
      ["one_to_one", "addressed", "moderated", "scribe"].map((policy) => holdable({ ...room, policy })),
    ).toEqual([false, true, true, false]);
  });
});

describe("whose words", () => {
  it("two people's are apart, also while both speak", () => {
    const state = play(
      entered(anna, ben),
      turn("u1", "person_a"),
      caption("u1", "I think"),
      turn("u2", "person_b"),
      caption("u2", "No, wait"),
      caption("u1", "I think so"),
    );
    const said = state.lines.map(({ id, text }) => [author(state.room, id)?.name, text]);
    expect(said).toEqual([
      ["Anna", "I think so"],
      ["Ben", "No, wait"],
    ]);
  });

  it("the agent's are nobody's", () => {
    expect(author(roomOf(entered(anna)), "a1")).toBeNull();
  });

  it("of somebody who has left are finished, and keep nobody waiting", () => {
    const state = play(
      entered(anna, ben),
      turn("u1", "person_b"),
      caption("u1", "And then"),
      left("person_b"),
    );
    expect(state.lines[0]).toMatchObject({ text: "And then", final: true, cut: false });
  });
});

describe("names", () => {
  it.each([
    ["Anna", "Anna"],
    ["  A\n\tB  ", "A B"],
    ["\u202eannA\u202c", "annA"],
    ["<b>Bo</b>", "<b>Bo</b>"],
    ["", ""],
    ["\u0000", ""],
    ["👩🏽‍🚀 Zoë", "👩🏽‍🚀 Zoë"],
  ])("%j becomes %j", (name, line) => {
    expect(cleaned(name)).toBe(line);
  });

  it("of 10 kB are cut", () => {
    expect([...cleaned("x".repeat(10_000))].length).toBe(40);
    expect([...cleaned("😀".repeat(10_000))].length).toBe(40);
    const long = roomOf(entered(person("person_a", "y".repeat(10_000))));
    expect(long.people[0]?.name).toBe(`${"y".repeat(39)}…`);
  });
});
