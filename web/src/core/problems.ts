// Every way in which the microphone or the connection can fail, told apart. The sentences are in `i18n.ts`.

/** What stopped a call, or kept it from starting. */
export type Problem =
  /** The page came over plain http from another machine: browsers hide the microphone from it. */
  | { readonly kind: "insecure" }
  /** The browser has no WebRTC. */
  | { readonly kind: "unsupported" }
  /** The user, or a rule of the browser, said no. */
  | { readonly kind: "denied" }
  /** The prompt was closed without an answer. */
  | { readonly kind: "dismissed" }
  /** The operating system said no to the browser. */
  | { readonly kind: "denied-by-system" }
  | { readonly kind: "no-microphone" }
  /** Another program holds the microphone, or its driver failed. */
  | { readonly kind: "microphone-busy" }
  /** The browser's question about what to share was answered with no. */
  | { readonly kind: "nothing-shared" }
  /** A tab or screen was shared, and its sound was not. */
  | { readonly kind: "no-sound-shared" }
  /** No HTTP answer at all. */
  | { readonly kind: "unreachable" }
  /** 503 because all places are taken. */
  | { readonly kind: "full"; readonly message: string }
  /** 503 because models are still being loaded. */
  | { readonly kind: "loading"; readonly waiting: readonly string[] }
  /** 401: the server wants a token. */
  | { readonly kind: "unauthorised"; readonly message: string }
  /** 403: everybody who has a place in the room is there already. */
  | { readonly kind: "room-full"; readonly message: string }
  /** 403: the token is for another room. */
  | { readonly kind: "wrong-room"; readonly message: string }
  /** The page's address names a room that can not be. */
  | { readonly kind: "no-room"; readonly room: string }
  /** 403: the page came from an address whose pages may not call. */
  | { readonly kind: "forbidden"; readonly message: string }
  /** Any other HTTP status, with the server's own words. */
  | { readonly kind: "refused"; readonly status: number; readonly message: string }
  /** The offer was answered, but no path for the sound was found. */
  | { readonly kind: "no-path" }
  /** The path broke during the call. */
  | { readonly kind: "lost" }
  /** The server hung up. */
  | { readonly kind: "ended"; readonly message: string }
  /** A defect of this page: said, not hidden. */
  | { readonly kind: "unexpected"; readonly message: string };

/** A failure that already knows what to call itself. */
export class CallError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem, options?: ErrorOptions) {
    super(`the call failed: ${problem.kind}`, options);
    this.name = "CallError";
    this.problem = problem;
  }
}

/** What is shown once a server has said what it waits for: a problem of another kind stays. */
export function whileLoading(problem: Problem | null, waiting: readonly string[]): Problem | null {
  if (problem !== null && problem.kind !== "loading") return problem;
  return waiting.length > 0 ? { kind: "loading", waiting } : null;
}

/** The problem behind whatever was thrown. */
export function diagnose(error: unknown): Problem {
  if (error instanceof CallError) return error.problem;
  return { kind: "unexpected", message: error instanceof Error ? error.message : String(error) };
}

/** The problem behind what `getUserMedia` threw: https://www.w3.org/TR/mediacapture-streams/#dom-mediadevices-getusermedia */
export function diagnoseMicrophone(error: unknown): Problem {
  const name = error instanceof DOMException ? error.name : "";
  const message = error instanceof Error ? error.message : String(error);
  switch (name) {
    case "NotAllowedError":
      // One name for three situations with three remedies; only the message of Chromium tells them apart.
      if (/by system/i.test(message)) return { kind: "denied-by-system" };
      return { kind: /dismissed/i.test(message) ? "dismissed" : "denied" };
    case "SecurityError":
      return { kind: "denied" };
    case "NotFoundError":
    case "OverconstrainedError":
      return { kind: "no-microphone" };
    case "NotReadableError":
    case "AbortError":
      return { kind: "microphone-busy" };
    default:
      return { kind: "unexpected", message };
  }
}
