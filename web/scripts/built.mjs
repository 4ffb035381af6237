// Says whether signaling/static/ is what this source builds to, and whether the page is still light.

import { readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const COMMITTED = join(import.meta.dirname, "../../signaling/static");
const LIMIT_BYTES = 60_000; // the whole page, gzipped

async function files(folder) {
  const names = (await readdir(folder)).sort();
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))])));
}

const fresh = join(tmpdir(), `antiphon-page-${process.pid}`);
await build({ logLevel: "warn", build: { outDir: fresh, emptyOutDir: true } });
const [built, committed] = await Promise.all([files(fresh), files(COMMITTED)]);
await rm(fresh, { recursive: true });

const names = new Set([...built.keys(), ...committed.keys()]);
const different = [...names].filter(
  (name) => !built.get(name)?.equals(committed.get(name) ?? Buffer.alloc(0)),
);
const weight = [...built.values()].reduce((sum, body) => sum + gzipSync(body).length, 0);

if (different.length > 0) {
  console.error(
    `signaling/static/ is not what web/ builds to (${different.join(", ")}): run \`npm run build\``,
  );
  process.exitCode = 1;
}
if (weight > LIMIT_BYTES) {
  console.error(`The page weighs ${weight} bytes gzipped, more than ${LIMIT_BYTES}`);
  process.exitCode = 1;
}
if (!process.exitCode) console.log(`The built page is up to date: ${weight} bytes gzipped`);
