import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ALONE, entrance, forListening, freshRoom, invitation } from "../src/core/entrance";
import type { RoomState } from "../src/core/people";
import { comeBack, Keeping, leave } from "../src/core/reload";
import { Room } from "../src/core/room";
import { Server } from "../src/core/server";
import type { RoomPerson, ServerEvent } from "../src/core/wire";

const token = (claims: object): string => {
  const part = (value: object): string =>
    btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(value))))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");
  return `ek_${part({ alg: "HS256" })}.${part(claims)}.signature`;
};
const address = (tail: string): URL => new URL(`https://host.test/antiphon/${tail}`);

describe("entrance", () => {
  it("without a room is a call of one's own", () => {
    expect(entrance(address(""), null)).toEqual(ALONE);
  });

  it.each(["", ".", "..", "a b", "Küche", "a/b", "x".repeat(65)])("leads to no room called %j", (name) => {
    const way = entrance(address(`?room=${encodeURIComponent(name)}`), null);
    expect(way).toMatchObject({ room: "", unfit: name });
  });

  it("tells who only listens", () => {
    expect(forListening(token({ room: "kitchen", role: "listen" }))).toBe(true);
    for (const other of [token({ room: "kitchen", role: "talk" }), token({}), "key-0123456789abcdef", null]) {
      expect(forListening(other)).toBe(false);
    }
  });

  it("tells the room, who invited, and the name that the token gives", () => {
    const ek = token({ room: "kitchen", name: "Zoë" });
    expect(entrance(address(`?room=kitchen#token=${ek}&from=Anna`), "old")).toEqual({
      room: "kitchen",
      unfit: null,
      from: "Anna",
      bound: true,
      given: "Zoë",
      token: ek,
    });
  });

  it("takes the token that the tab has, and makes nothing of a name for another room", () => {
    const ek = token({ room: "attic", name: "Ben" });
    expect(entrance(address("?room=kitchen"), ek)).toMatchObject({ given: "", bound: false, token: ek });
  });

  it.each(["key-0123456789abcdef", "ek_", "ek_a.b.c", "ek_a.ÿ.c", "..", token([]), token({ room: 7 })])(
    "reads nothing from the token %s, and keeps it",
    (odd) => {
      expect(entrance(address("?room=kitchen"), odd)).toMatchObject({ given: "", bound: false, token: odd });
    },
  );

  it("is led to by an invitation, whatever the names are", () => {
    for (const [room, from] of [
      ["kitchen", "Anna"],
      ["..a-b_c.9", "Tom & <i>Co</i> #1"],
    ] as const) {
      const link = new URL(invitation(address("?room=other#token=old"), room, from, "ek_1"));
      expect(link.pathname).toBe("/antiphon/");
      expect(entrance(link, null)).toMatchObject({ room, from, token: "ek_1" });
    }
    expect(invitation(address("?x=1#y"), "kitchen", "", null)).toBe(
      "https://host.test/antiphon/?room=kitchen",
    );
  });

  it("of a new room is one that the server takes, and nobody guesses", () => {
    const rooms = Array.from({ length: 100 }, () => freshRoom());
    expect(new Set(rooms).size).toBe(100);
    expect(rooms.every((room) => /^[a-z0-9]{10}$/.test(room))).toBe(true);
  });
});

describe("Room", () => {
  let sent: object[];
  let state: RoomState | null;
  let server: Server;
  let room: Room;

  const place = { ...ALONE, room: "kitchen" };
  const person = (id: string, muted = false): RoomPerson => ({
    id,
    name: id,
    role: "talk",
    muted,
    speaking: false,
    here: true,
  });
  const told = (...people: RoomPerson[]): ServerEvent => ({
    event_id: "e",
    type: "antiphon.room.state",
    room: "kitchen",
    policy: "addressed",
    agent: "Antiphon",
    you: "person_a",
    people,
    capacity: 10,
    recording: false,
  });
  const inside = (policy: string): RoomState => ({
    name: "kitchen",
    policy,
    agent: "Antiphon",
    you: "person_a",
    capacity: 10,
    recording: false,
    people: [],
    turns: new Map(),
    news: null,
  });
  const made = (way: typeof place): Room =>
    new Room(way, server, { send: (event) => sent.push(event) > 0, state: () => state });

  beforeEach(() => {
    sent = [];
    state = null;
    server = new Server("https://host.test/");
    room = made(place);
  });
  afterEach(() => vi.unstubAllGlobals());

  it("is where the next call goes, under the person's name or the token's", () => {
    room.rename("  Anna  ");
    room.enter();
    expect(server.place).toEqual({ room: "kitchen", name: "Anna" });
    made({ ...place, given: "Zoë" }).enter();
    expect(server.place).toEqual({ room: "kitchen", name: "Zoë" });
    made({ ...place, room: "" }).enter();
    expect(server.place).toBeNull();
  });

  it("writes to everybody, and where there is nobody to the agent", () => {
    expect(room.say("  ")).toBe(false);
    room.say("Hello");
    expect(sent.map((event) => "type" in event && event.type)).toEqual([
      "conversation.item.create",
      "response.create",
    ]);
    sent = [];
    state = inside("addressed");
    room.say(" Hello ");
    expect(sent).toEqual([{ type: "antiphon.room.say", text: "Hello" }]);
  });

  it("addresses the agent, unless that only writes", () => {
    expect(room.address(true)).toBe(false);
    state = inside("moderated");
    expect([room.address(true), room.address(false)]).toEqual([true, true]);
    expect(sent).toEqual([
      { type: "antiphon.room.address", on: true },
      { type: "antiphon.room.address", on: false },
    ]);
    state = inside("scribe");
    expect(room.address(true)).toBe(true);
    expect(sent.length).toBe(2);
  });

  it("tells that it is muted, also a server that had lost it", () => {
    room.mute(true);
    expect(sent).toEqual([]);
    state = inside("addressed");
    room.told(told(person("person_a", false)));
    expect(sent).toEqual([{ type: "antiphon.room.mute", muted: true }]);
    sent = [];
    room.told(told(person("person_a", true)));
    expect(sent).toEqual([]);
    room.mute(false);
    expect(sent).toEqual([{ type: "antiphon.room.mute", muted: false }]);
  });

  it("keeps how loud somebody is heard, and says it again to who comes back", () => {
    state = inside("addressed");
    room.hear("person_b", 0.4);
    const event = { type: "antiphon.room.volume", person_id: "person_b", volume: 0.4 };
    room.told(told(person("person_a"), person("person_b")));
    room.told({ event_id: "e", type: "antiphon.room.joined", person: person("person_b") });
    room.told({ event_id: "e", type: "antiphon.room.joined", person: person("person_c") });
    expect(sent).toEqual([event, event, event]);
    expect(room.volumes.value).toEqual({ person_b: 0.4 });
  });

  it("invites with a token where it gets one, else with the address", async () => {
    room.rename("Anna");
    const answers = [
      Response.json({ token: "ek_7", url: "/?room=kitchen#token=ek_7", expires_at: 1_800_000_000 }),
      Response.json({ error: { message: "no" } }, { status: 403 }),
      Response.json({ error: { message: "no" } }, { status: 404 }),
    ];
    const asked: string[] = [];
    vi.stubGlobal("fetch", async (url: URL, init: RequestInit) => {
      asked.push(`${init.method} ${url}`);
      return answers.shift();
    });
    const plain = "https://host.test/?room=kitchen";
    expect(await room.invite()).toEqual({
      link: `${plain}#token=ek_7&from=Anna`,
      expires_ms: 1_800_000_000_000,
      refused: false,
    });
    expect(await room.invite()).toEqual({ link: `${plain}#from=Anna`, expires_ms: null, refused: true });
    expect(await room.invite()).toEqual({ link: `${plain}#from=Anna`, expires_ms: null, refused: false });
    expect(asked[0]).toBe("POST https://host.test/v1/rooms/kitchen/invitations");
  });
});

/** Web Locks of one name, as the browser has them: whoever comes second waits, until its signal says not to. */
class Locks {
  #held: Promise<unknown> | null = null;

  async request(_: string, { signal }: { signal: AbortSignal }, had: () => Promise<void>): Promise<void> {
    const refused = new Promise((_, reject) => signal.addEventListener("abort", reject));
    refused.catch(() => undefined); // also when nobody waits for it any more
    if (this.#held) await Promise.race([this.#held, refused]);
    this.#held = had().then(() => {
      this.#held = null;
    });
    await this.#held;
  }
}

describe("a page that is loaded anew", () => {
  const left = {
    location: "https://host.test/v1/realtime/calls/rtc_1",
    place: "kitchen",
    muted: true,
    usual: null,
    room: null,
  };

  beforeEach(() => {
    const kept = new Map<string, string>();
    vi.stubGlobal("sessionStorage", {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
      removeItem: (key: string) => kept.delete(key),
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  it("goes on with its room once, as muted as it was", async () => {
    leave(left);
    expect(await comeBack(1_000, "kitchen")).toEqual(left);
    expect(await comeBack(1_000, "kitchen")).toBeNull();
  });

  it("knows who said what", async () => {
    const room: RoomState = {
      name: "kitchen",
      policy: "addressed",
      agent: "Antiphon",
      you: "person_a",
      capacity: 10,
      recording: false,
      people: [],
      turns: new Map([["u1", "person_b"]]),
      news: null,
    };
    leave({ ...left, room });
    expect((await comeBack(1_000, "kitchen"))?.room).toEqual(room);
  });

  it("goes on with no other room, nor takes a room for a call of one's own", async () => {
    for (const other of ["attic", ""]) {
      leave(left);
      expect(await comeBack(1_000, other)).toBeNull();
    }
  });

  it("goes on with a call that nobody had the time to let go of, and with none that was hung up", async () => {
    const keeping = new Keeping();
    await keeping.begin(() => left);
    expect(await comeBack(1_000, "kitchen")).toEqual(left);
    await keeping.begin(() => left);
    keeping.forget();
    expect(await comeBack(1_000, "kitchen")).toBeNull();
  });

  it("leaves what it has not come back to yet to the next page, if it is loaded anew itself", async () => {
    leave(left);
    new Keeping().forget(); // that page goes away without a call
    expect(await comeBack(1_000, "kitchen")).toEqual(left);
  });

  it("leaves the call to the tab that it was duplicated from", async () => {
    vi.stubGlobal("navigator", { locks: new Locks() });
    const keeping = new Keeping();
    await keeping.begin(() => left);
    expect(await comeBack(1_000, "kitchen")).toBeNull();
    await keeping.begin(() => left);
    keeping.rest();
    expect(await comeBack(1_000, "kitchen")).toEqual(left);
  });
});
