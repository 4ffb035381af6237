import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { VoiceClient } from "../core/client";
import { text } from "../core/i18n";
import type { Problem } from "../core/problems";
import { WarningIcon } from "./icons";
import { Transcript } from "./Transcript";

/** How often a server that is still loading is asked whether it is ready. */
const ASK_MS = 2_000;
/** Trying again changes nothing about these. */
const FINAL: readonly Problem["kind"][] = ["insecure", "unsupported", "loading"];

/** Why there is no call, and what to do about it. */
export function ProblemView({ client, problem }: { client: VoiceClient; problem: Problem }) {
  const { title, what, remedy } = text.problem(problem, client.server.address);
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
        {kind === "unauthorised" && <Token client={client} />}
        {!FINAL.includes(kind) && (
          <div class="row">
            {kind !== "unauthorised" && (
              <button type="button" class="primary" data-testid="again" onClick={() => void client.join()}>
                {text.again}
              </button>
            )}
            <button type="button" data-testid="back" onClick={() => client.dismiss()}>
              {text.back}
            </button>
          </div>
        )}
      </section>
      {client.state.value.lines.length > 0 && (
        <section class="card past">
          <Transcript client={client} />
        </section>
      )}
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
        aria-label={text.token}
        placeholder={text.token}
        autocomplete="current-password"
        value={token.value}
        onInput={(event) => {
          token.value = event.currentTarget.value;
        }}
      />
      <button type="submit" class="primary" disabled={token.value.trim() === ""}>
        {text.again}
      </button>
    </form>
  );
}
