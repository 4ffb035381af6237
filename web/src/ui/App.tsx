import { useEffect } from "preact/hooks";
import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import { CallView } from "./CallView";
import { Logo } from "./icons";
import { Lobby } from "./Lobby";
import { ProblemView } from "./ProblemView";

/** The page: a lobby, a call, or the reason why there is none. */
export function App({ client }: { client: VoiceClient }) {
  const connection = client.connection.value;
  const problem = client.problem.value;
  const inCall = connection === "live" || connection === "interrupted";

  useEffect(() => void client.checkReady(), [client]);

  useEffect(() => {
    const listening = new AbortController();
    addEventListener(
      "keydown",
      (event) => {
        if (event.key === "Escape" && !event.defaultPrevented && !event.isComposing) client.interrupt();
      },
      { signal: listening.signal },
    );
    return () => listening.abort();
  }, [client]);

  return (
    <>
      <header class="top">
        <Logo />
        <h1>{text.title}</h1>
        <span class="link" data-connection={connection}>
          {text.connection[connection]}
        </span>
      </header>
      {problem ? (
        <ProblemView client={client} problem={problem} />
      ) : inCall ? (
        <CallView client={client} />
      ) : (
        <Lobby client={client} />
      )}
      {/* In the document from the start: iOS plays nothing through an element that is not. */}
      {/* biome-ignore lint/a11y/useMediaCaption: the transcript is the caption */}
      <audio
        ref={(element) => {
          element?.setAttribute("playsinline", "");
          client.speaker = element;
        }}
      />
    </>
  );
}
