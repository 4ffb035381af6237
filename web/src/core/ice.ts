// How the server is reached: the STUN and TURN servers that it tells of, and what it is told of us after the offer.

const LINK = /<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,]+))*)/g;
const PARAMETER = /;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))/g;

/** The STUN and TURN servers in a header `Link`: https://www.rfc-editor.org/rfc/rfc9725#section-4.6 */
export function iceServers(link: string | null): RTCIceServer[] {
  const found: RTCIceServer[] = [];
  for (const [, urls = "", parameters = ""] of (link ?? "").matchAll(LINK)) {
    const named = new Map(
      [...parameters.matchAll(PARAMETER)].map(([, name = "", quoted, bare = ""]) => [
        name.toLowerCase(),
        quoted === undefined ? bare : quoted.replace(/\\(.)/g, "$1"),
      ]),
    );
    if (named.get("rel") !== "ice-server") continue;
    const [username, credential] = [named.get("username"), named.get("credential")];
    const known = username !== undefined && credential !== undefined;
    if (known && (named.get("credential-type") ?? "password") === "password") {
      found.push({ urls, username, credential });
    } else if (urls.startsWith("stun")) {
      found.push({ urls }); // a TURN server without a password would make the browser refuse the whole list
    }
  }
  return found;
}

/** Candidates that were found after an offer, as the body of a PATCH: https://www.rfc-editor.org/rfc/rfc8840#section-9 */
export function fragment(offer: string, candidates: readonly string[]): string {
  const lines = offer.split(/\r?\n/);
  // The first section is the one whose candidates count: all others are bundled with it.
  const head = ["a=ice-ufrag:", "a=ice-pwd:", "m=", "a=mid:"].map((start) =>
    lines.find((line) => line.startsWith(start)),
  );
  const body = [...head.filter((line) => line !== undefined), ...candidates.map((each) => `a=${each}`)];
  return `${body.join("\r\n")}\r\n`;
}
