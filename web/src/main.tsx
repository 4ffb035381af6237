// Mounts the page. The client is on `window` because people open the console, and tests do too.

import { render } from "preact";
import { VoiceClient } from "./core/client";
import { entrance } from "./core/entrance";
import { keep, recall } from "./core/kept";
import "./style.css";
import { App } from "./ui/App";
import { follow } from "./ui/looks";

declare global {
  interface Window {
    antiphon: VoiceClient;
  }
}

const TOKEN = "antiphon.token";

const way = entrance(location, recall(TOKEN, "tab"));
const client = new VoiceClient(document.baseURI, way);
window.antiphon = client;
hideToken();
// A page that is loaded anew goes on with its call. A closed one does not come back, and the server hangs up.
addEventListener("pagehide", () => {
  if (client.server.token) keep(TOKEN, client.server.token, "tab"); // one that was typed, too
  client.suspend();
});
void client.resume();
follow(document.documentElement);

/** An invitation's token comes behind the #, where no server and no log sees it, and is taken out of the address. */
function hideToken(): void {
  const behind = new URLSearchParams(location.hash.slice(1));
  if (!behind.get("token")) return;
  keep(TOKEN, way.token, "tab"); // it outlives a reload, and not the tab
  behind.delete("token");
  const rest = behind.toString();
  history.replaceState(null, "", location.pathname + location.search + (rest && `#${rest}`));
}

const root = document.getElementById("app");
if (root) render(<App client={client} />, root);
