"""@openai/agents-realtime over WebRTC in Chromium: serves its page, makes its key, passes on what it tells."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import urllib.request
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import ConsoleMessage, sync_playwright

from bench.browser import CHROMIUM, FLAGS
from tests.conformance.clients.stage import tell

HERE = Path(__file__).parent
SDK = HERE.parent / "node_modules/@openai/agents-realtime/dist/bundle/openai-realtime-agents.umd.js"
TYPES = {".js": "text/javascript", ".html": "text/html", ".wav": "audio/wav"}


class Files(http.server.BaseHTTPRequestHandler):
    """The page and its recordings."""

    def __init__(self, files: dict[str, Path], *args: object) -> None:
        self._files = files
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """One of them."""
        path = self._files.get(self.path)
        self.send_response(200 if path else 204)
        self.send_header("Content-Type", TYPES[path.suffix] if path else "text/plain")
        self.end_headers()
        if path:
            self.wfile.write(path.read_bytes())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def client_secret(url: str, key: str) -> str:
    """A key for the browser, as the site's own server gets one."""
    request = urllib.request.Request(
        f"{url}/realtime/client_secrets",
        data=json.dumps({"session": {"type": "realtime", "model": "gpt-realtime"}}).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return str(json.load(response)["value"])


def _access(url: str, key: str) -> dict[str, str]:
    """What the page is given."""
    return {"url": url, "key": client_secret(url, key)}


def passed_on(message: ConsoleMessage) -> None:
    """A line of the page's, or a complaint."""
    if message.type == "log" and message.text.startswith("{"):
        sys.stdout.write(message.text + "\n")
        sys.stdout.flush()
    elif message.type in ("warning", "error"):
        tell("wrong", text=f"console: {message.text}"[:500])


def main() -> None:
    """A spoken, an interrupted and a typed turn; and one with a tool."""
    do = json.loads(sys.argv[1])
    files = {
        "/": HERE / "agents_webrtc.html",
        "/page.js": HERE / "agents_webrtc_page.js",
        "/sdk.js": SDK,
        "/question.wav": Path(do["question"]),
        "/interruption.wav": Path(do["interruption"]),
    }
    server = http.server.ThreadingHTTPServer(("127.0.0.1", urlsplit(do["page"]).port or 0), partial(Files, files))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as library:
        browser = library.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=FLAGS)
        page = browser.new_page()
        page.on("console", passed_on)
        page.on("pageerror", lambda error: tell("wrong", text=f"exception: {error}"[:500]))
        page.goto(do["page"])
        found = page.evaluate("given => run(given)", _access(do["url"], do["key"]))
        found["events"] += page.evaluate("given => callATool(given)", _access(do["tools_url"], do["key"]))
        browser.close()
    server.shutdown()
    pcm = (np.clip(np.asarray(found["voice"], np.float32), -1, 1) * 32767).astype("<i2")
    Path(do["voice"]).write_bytes(pcm[np.abs(pcm) > 50].tobytes())
    lines = "\n".join(json.dumps(event) for event in found["events"])
    refused = subprocess.run(
        ["node", str(HERE / "agents_parse.js")], input=lines, capture_output=True, text=True, check=True
    )
    for kind in refused.stdout.split():
        tell("wrong", text=f"ignored: {kind}")


if __name__ == "__main__":
    main()
