import { useEffect } from "preact/hooks";
import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { CallView } from "./CallView";
import { Logo } from "./icons";
import { Lobby } from "./Lobby";
import { dialog } from "./looks";
import { ProblemView } from "./ProblemView";
import { SettingsDialog } from "./Settings";
import { Keys, useShortcuts } from "./Shortcuts";

/** The page: a lobby, a call, or the reason why there is none. */
export function App({ client }: { client: VoiceClient }) {
  const connection = client.connection.value;
  const problem = client.problem.value;
  const inCall = connection === "live" || connection === "interrupted";

  useEffect(() => void client.checkReady(), [client]);
  useShortcuts(client);

  return (
    <>
      <header class="top">
        <Logo />
        <h1>{text.value.title}</h1>
        <span class="link" data-connection={connection}>
          {text.value.connection[connection]}
        </span>
      </header>
      {problem ? (
        <ProblemView client={client} problem={problem} />
      ) : inCall ? (
        <CallView client={client} />
      ) : (
        <Lobby client={client} />
      )}
      {dialog.value === "settings" && <SettingsDialog client={client} />}
      {dialog.value === "keys" && <Keys client={client} />}
      {/* In the document from the start: iOS plays nothing through an element that is not. */}
      {/* biome-ignore lint/a11y/useMediaCaption: the transcript is the caption */}
      <audio
        ref={(element) => {
          element?.setAttribute("playsinline", "");
          client.speaker.element = element;
        }}
      />
    </>
  );
}
