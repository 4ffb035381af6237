import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import type { Problem } from "../core/problems";
import { WarningIcon } from "./icons";
import { Past } from "./Lobby";
import { CopyReport } from "./Quality";

/** How often a server that is still loading is asked whether it is ready. */
const ASK_MS = 2_000;
/** Trying again changes nothing about these. */
const FINAL: readonly Problem["kind"][] = ["insecure", "unsupported", "loading", "no-room"];

/** Another token changes these. */
const TOKEN_WANTED: readonly Problem["kind"][] = ["unauthorised", "wrong-room"];

/** Worth a report: nobody here did anything wrong. */
const REPORTED: readonly Problem["kind"][] = ["refused", "no-path", "lost", "ended", "unexpected"];

/** Why there is no call, and what to do about it. */
export function ProblemView({ client, problem }: { client: VoiceClient; problem: Problem }) {
  const { title, what, remedy } = text.value.problem(problem, client.server.address);
  const heading = useRef<HTMLHeadingElement>(null);
  const { kind } = problem;

  useEffect(() => {
    if (kind) heading.current?.focus();
    if (kind !== "loading") return;
    const asking = setInterval(() => void client.checkReady(), ASK_MS);
    return () => clearInterval(asking);
  }, [client, kind]);

  return (
    <main class="lobby">
      <section class="card problem" role="alert" data-testid="problem" data-kind={kind}>
        <WarningIcon />
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <p>{what}</p>
        <ul>
          {remedy.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
        {TOKEN_WANTED.includes(kind) && <Token client={client} />}
        {REPORTED.includes(kind) && <CopyReport client={client} />}
        {kind === "no-room" && (
          <a href="./" data-testid="alone">
            {text.value.room.alone}
          </a>
        )}
        {!FINAL.includes(kind) && (
          <div class="row">
            {!TOKEN_WANTED.includes(kind) && (
              <button type="button" class="primary" data-testid="again" onClick={() => void client.join()}>
                {text.value.again}
              </button>
            )}
            <button type="button" data-testid="back" onClick={() => client.dismiss()}>
              {text.value.back}
            </button>
          </div>
        )}
      </section>
      {client.state.value.lines.length > 0 && <Past client={client} title={text.value.transcript} />}
    </main>
  );
}

function Token({ client }: { client: VoiceClient }) {
  const token = useSignal("");
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        client.server.token = token.value.trim();
        void client.join();
      }}
    >
      <input
        type="password"
        data-testid="token"
        aria-label={text.value.token}
        placeholder={text.value.token}
        autocomplete="current-password"
        value={token.value}
        onInput={(event) => {
          token.value = event.currentTarget.value;
        }}
      />
      <button type="submit" class="primary" disabled={token.value.trim() === ""}>
        {text.value.again}
      </button>
    </form>
  );
}
