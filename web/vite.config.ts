import { defineConfig } from "vitest/config";

/** Where `antiphon serve` listens while the page is developed with `npm run dev`. */
const SERVER = "http://127.0.0.1:8080";

export default defineConfig({
  base: "./", // the page may live under any path of a reverse proxy
  build: {
    outDir: "../signaling/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false }, // one chunk: nothing to preload, and an inline script would break the CSP
    rolldownOptions: {
      // Names without hashes: the server revalidates by ETag, and the committed diff stays readable.
      output: { entryFileNames: "app.js", chunkFileNames: "[name].js", assetFileNames: "style[extname]" },
    },
  },
  server: { proxy: { "/v1": SERVER, "/readyz": SERVER, "/healthz": SERVER } },
  test: { include: ["test/**/*.test.ts"], environment: "node", css: true },
});
