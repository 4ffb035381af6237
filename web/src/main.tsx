// Mounts the page. The client is on `window` because people open the console, and tests do too.

import { render } from "preact";
import { VoiceClient } from "./core/client";
import "./style.css";
import { App } from "./ui/App";

declare global {
  interface Window {
    antiphon: VoiceClient;
  }
}

const client = new VoiceClient(document.baseURI);
window.antiphon = client;
// A closed tab hangs up; without this the server would find out only when ICE consent runs out.
addEventListener("pagehide", () => client.leave());

const root = document.getElementById("app");
if (root) render(<App client={client} />, root);
