// Every failure in English: what happened, and what to do about it.

import type { Problem } from "../problems";

/** A failure in words: what happened, and what to do about it. */
export interface ProblemText {
  readonly title: string;
  readonly what: string;
  readonly remedy: readonly string[];
}

/** The words for `found`, which happened with the server at this address. */
export function problem(found: Problem, server: string): ProblemText {
  switch (found.kind) {
    case "insecure":
      return {
        title: "This address can not use the microphone",
        what: "Browsers give the microphone only to pages that came over https, or from this very computer.",
        remedy: [
          "Open the page with https:// if the server is behind a certificate.",
          `Or forward the port, then open http://localhost:8080: ssh -L 8080:localhost:8080 ${server.split(":")[0]}`,
        ],
      };
    case "unsupported":
      return {
        title: "This browser can not make calls",
        what: "It has no WebRTC, or WebRTC is switched off.",
        remedy: ["Use a current Chrome, Edge, Firefox or Safari, outside of any embedded view."],
      };
    case "denied":
      return {
        title: "The microphone is blocked",
        what: "The browser did not let this page use the microphone.",
        remedy: ["Click the sign to the left of the address, allow the microphone, then try again."],
      };
    case "dismissed":
      return {
        title: "The browser is still waiting for a yes",
        what: "Its question about the microphone was closed without an answer.",
        remedy: ["Try again, and choose “Allow” when the browser asks."],
      };
    case "denied-by-system":
      return {
        title: "The system blocks the microphone",
        what: "The browser would allow it, but the operating system does not give the browser a microphone.",
        remedy: ["Allow the browser under Privacy, Microphone in the system's settings, then try again."],
      };
    case "no-microphone":
      return {
        title: "No microphone was found",
        what: "This device offers the browser no sound input.",
        remedy: ["Plug in a headset or a microphone, or switch it on, then try again."],
      };
    case "microphone-busy":
      return {
        title: "The microphone is in use",
        what: "It is there, but another program holds it, or its driver does not answer.",
        remedy: ["Close other programs that record, or plug the microphone in again, then try again."],
      };
    case "nothing-shared":
      return {
        title: "Nothing is shared",
        what: "The browser's question about what to share was closed, or answered with no.",
        remedy: ["Try again and choose a tab, or let the agent hear the microphone instead."],
      };
    case "no-sound-shared":
      return {
        title: "It was shared without its sound",
        what: "The browser gave this page the picture, which it does not use, and no sound.",
        remedy: [
          "Try again, and tick that the sound is shared, too. Not every system lets a browser share all of its sound; a tab's works in most.",
        ],
      };
    case "unreachable":
      return {
        title: "The server does not answer",
        what: `Nothing came back from ${server}.`,
        remedy: [
          "Check that it is running (antiphon serve) and that this computer has a network.",
          "Then try again.",
        ],
      };
    case "full":
      return {
        title: "All places are taken",
        what: found.message || "The server is having as many calls as it can carry.",
        remedy: ["Wait until somebody hangs up, then try again."],
      };
    case "loading":
      return {
        title: "The models are still loading",
        what: `The server is up, and waits for: ${found.waiting.join(", ")}.`,
        remedy: ["Nothing to do: this page goes on by itself when the server is ready."],
      };
    case "unauthorised":
      return {
        title: "This server wants a token",
        what: found.message || "It answers only callers that it knows.",
        remedy: ["Enter a token or key of this server, or open the invitation that you were sent again."],
      };
    case "room-full":
      return {
        title: "The room is full",
        what: found.message || "As many people are in this room as have a place.",
        remedy: ["Wait until somebody leaves, then try again, or talk in another room."],
      };
    case "wrong-room":
      return {
        title: "The invitation is for another room",
        what: found.message || "The token that this page has lets you into one room, and not into this.",
        remedy: ["Open the invitation again that you were sent, or enter a token or key for this room."],
      };
    case "no-room":
      return {
        title: "This address leads to no room",
        what: found.room
          ? `No room can be called “${found.room.slice(0, 64)}”.`
          : "It names a room, and the name is empty.",
        remedy: [
          "Check the address, or ask for the invitation again.",
          "A room's name has 1 to 64 of the letters A to Z, digits, - _ and the dot.",
        ],
      };
    case "forbidden":
      return {
        title: "Pages of this address may not call",
        what: found.message || `The server at ${server} does not know the address of this page.`,
        remedy: [
          "Open the page at the address that you were given.",
          "Running the server yourself? Let a proxy in front of it pass the Host header on, or name the address in server.origins.",
        ],
      };
    case "refused":
      return {
        title: "The server refused the call",
        what: `${found.message || "It gave no reason"} (HTTP ${found.status})`,
        remedy: ["If this stays, the server's log says more."],
      };
    case "no-path":
      return {
        title: "The sound found no way through",
        what: `The server at ${server} answered, but no direct path for the sound (UDP) could be opened between it and this browser.`,
        remedy: [
          "Try another network: some company and hotel networks block UDP.",
          "Running the server yourself? Open its UDP ports, or give it a TURN server. In a container, publish UDP too.",
        ],
      };
    case "lost":
      return {
        title: "The connection was lost",
        what: "The network broke, and did not come back in time.",
        remedy: ["Check the network, then call again. What was said stays below."],
      };
    case "ended":
      return {
        title: "The server ended the call",
        what: found.message || "It hung up, or was stopped.",
        remedy: ["Call again. What was said stays below."],
      };
    case "unexpected":
      return {
        title: "Something went wrong in this page",
        what: found.message,
        remedy: ["Reload the page. If it happens again, please report it with the text above."],
      };
  }
}
