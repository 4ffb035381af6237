import { describe, expect, it } from "vitest";
import { fragment, iceServers } from "../src/core/ice";

describe("iceServers", () => {
  it("reads what the server sends, several in one header", () => {
    const link =
      '<stun:stun.example:3478>; rel="ice-server", ' +
      '<turn:turn.example:3478?transport=udp>; rel="ice-server"; username="1796000000:antiphon"; ' +
      'credential="a+b/c=,; \\"quoted\\""; credential-type="password"';
    expect(iceServers(link)).toEqual([
      { urls: "stun:stun.example:3478" },
      {
        urls: "turn:turn.example:3478?transport=udp",
        username: "1796000000:antiphon",
        credential: 'a+b/c=,; "quoted"',
      },
    ]);
  });

  it("leaves out what is no server, or can not be used", () => {
    expect(iceServers(null)).toEqual([]);
    expect(iceServers('</style.css>; rel="preload", <turn:turn.example>; rel="ice-server"')).toEqual([]);
    const other =
      '<turn:turn.example>; rel=ice-server; username="a"; credential="b"; credential-type="oauth"';
    expect(iceServers(other)).toEqual([]);
    expect(iceServers(other.replace("oauth", "password"))).toHaveLength(1);
  });
});

describe("fragment", () => {
  it("names the offer that its candidates belong to", () => {
    const offer = [
      "v=0",
      "m=audio 9 UDP/TLS/RTP/SAVPF 111",
      "a=ice-ufrag:abcd",
      "a=ice-pwd:0123456789",
      "a=mid:0",
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
      "a=ice-ufrag:abcd",
      "a=ice-pwd:0123456789",
      "a=mid:1",
    ];
    const candidate = "candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host";
    expect(fragment(offer.join("\r\n"), [candidate]).split("\r\n")).toEqual([
      "a=ice-ufrag:abcd",
      "a=ice-pwd:0123456789",
      "m=audio 9 UDP/TLS/RTP/SAVPF 111",
      "a=mid:0",
      `a=${candidate}`,
      "",
    ]);
  });
});
