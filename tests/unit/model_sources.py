"""Where models come from, on this machine: a server that answers as the hub and as an npm registry, and wheels."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

from agent.engines.progress import Progress

WEIGHTS = random.Random(1).randbytes(3_000_000)
"""The model."""
KEY = "org/name@abc:model.bin"
"""Where the hub has it."""


class Hub(ThreadingHTTPServer):
    """Files at ``/repo/resolve/revision/file``, by redirect and with ranges, as the real one serves them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, bytes] = {}
        """``org/name@revision:file`` to content"""
        self.packages: dict[str, bytes] = {}
        """npm package name to its tarball, version 1.0.0"""
        self.cut_at: list[int] = []
        """answers to come that break off after so many bytes"""
        self.ranges = True
        self.pause = threading.Event()
        """while it is clear, an answer stops half-way"""
        self.pause.set()
        self.half_way = threading.Event()
        """set as soon as an answer has stopped there"""
        self.asked: list[tuple[str, str | None]] = []
        """path and Range header of each request for content"""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        hub = cast("Hub", self.server)
        if self.path.startswith("/npm/"):
            self._npm(hub, self.path.removeprefix("/npm/"))
        elif self.path.startswith("/content/"):
            self._content(hub, self.path.removeprefix("/content/"))
        else:
            org, name, resolve, revision, file = self.path.removeprefix("/").split("/", 4)
            key = f"{org}/{name}@{revision}:{file}"
            if resolve != "resolve" or key not in hub.files:
                self.send_error(404)
                return
            self.send_response(302)
            self.send_header("Location", f"/content/{key}")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _content(self, hub: Hub, key: str) -> None:
        content, asked = hub.files[key], self.headers["Range"]
        hub.asked.append((key, asked))
        start = 0
        if asked and hub.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if hub.cut_at:
            self.wfile.write(content[start : start + hub.cut_at.pop(0)])
            return
        middle = start + (len(content) - start) // 2
        self.wfile.write(content[start:middle])
        if not hub.pause.is_set():
            self.wfile.flush()
            hub.half_way.set()
            hub.pause.wait(10)
        self.wfile.write(content[middle:])

    def _npm(self, hub: Hub, path: str) -> None:
        name = path.removesuffix(".tgz")
        if name not in hub.packages:
            self.send_error(404)
            return
        tarball = hub.packages[name]
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
        dist = {"tarball": f"{hub.url}/npm/{name}.tgz", "integrity": integrity}
        about = {"name": name, "versions": {"1.0.0": {"name": name, "version": "1.0.0", "dist": dist}}}
        body = tarball if path.endswith(".tgz") else json.dumps(about).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@contextmanager
def serve() -> Iterator[Hub]:
    """A hub on loopback."""
    with Hub() as hub:
        hub.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that was killed is no news
        thread = threading.Thread(target=hub.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hub
        finally:
            hub.pause.set()
            hub.shutdown()
            thread.join()


def wheel(folder: Path, package: str, members: dict[str, bytes]) -> Path:
    """A wheel of version 1.0 with these members and nothing to run."""
    name = package.replace("-", "_")
    info = f"{name}-1.0.dist-info"
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        for member, text in about.items():
            archive.writestr(f"{info}/{member}", text)
    return path


def tarball(package: str, members: dict[str, bytes]) -> bytes:
    """An npm tarball of version 1.0.0."""
    manifest = json.dumps({"name": package, "version": "1.0.0"}).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for member, content in {"package.json": manifest, **members}.items():
            entry = tarfile.TarInfo(f"package/{member}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def write(folder: Path, *sources: str, content: bytes = WEIGHTS, extra: str = "") -> Path:
    """A catalogue of one row, "m", with one file."""
    path = folder / "catalogue.toml"
    path.write_text(
        '[m]\nengine = "e"\nlicence = "MIT"\nlanguages = ["*"]\nnote = ""\n'
        + "\n".join(sources)
        + f'\nfiles = [{{ name = "model.bin", bytes = {len(content)}, '
        f'sha256 = "{hashlib.sha256(content).hexdigest()}" }}]\n{extra}'
    )
    return path


def names(folder: Path) -> list[str]:
    """What a user sees in a model's folder."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock") if folder.is_dir() else []


class Notes(Progress):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.labels: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def bytes(self, label: str, done: int, total: int | None) -> None:
        self.labels.append(label)
