"""Getting one file: try its sources, hash it while it is written, rename it into place.

A file appears under its name only when its content is right. The hub is read by HTTP with Range (RFC 9110
§14), so that a cut download goes on where it stopped; packages are read by `agent.engines.packages`.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import constants as hub

from agent.engines.packages import CHUNK, Shelf, SourceFailed
from agent.engines.progress import Progress
from agent.engines.rows import File, Part
from agent.errors import ModelCorrupt

if TYPE_CHECKING:
    from hashlib import _Hash

CONNECT_S = 5.0
"""A network that reaches no hub must fall through to the packages soon."""
READ_S = 30.0
"""Silence after which a download that was under way counts as cut."""
TRIES = 5
"""Connections in a row that may break off without a byte before a source is given up."""

_unreachable: dict[str, str] = {}
"""Hub endpoints that did not answer in this process, with the reason: not every file waits `CONNECT_S`."""


class _Cut(Exception):
    """A download broke off; it can be continued."""


def fetch(file: File, target: Path, label: str, shelf: Shelf, progress: Progress) -> None:
    """Put ``file`` at ``target`` from the first source that gives the right bytes.

    :param label: what to call the file in progress and errors.
    :raises ModelCorrupt: if a source gave other bytes and no source gave the right ones.
    :raises SourceFailed: if no source gave anything; the message lists each with its reason.
    :raises OSError: if it can not be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Named after the content, so that it is only ever continued as what it is.
    partial = target.with_name(f".{target.name}.{file.sha256[:12]}.part")
    corrupt: ModelCorrupt | None = None
    failures: list[str] = []
    for source in file.sources:
        origin = f"{label} from {source}"
        said = source.kind == "hf" and hub.ENDPOINT in _unreachable
        try:
            if source.kind == "hf":
                _from_hub(source.parts[0], file, partial, label, progress)
            else:
                _check(file, partial, origin, _write(partial, "wb", shelf.read(source), hashlib.sha256()))
            partial.replace(target)
        except SourceFailed as error:
            failures.append(str(error))
            if not said:  # a hub that is out of reach is worth one line, not one per file
                then = "trying the next source" if source is not file.sources[-1] else "no source is left"
                progress.note(f"{origin}: {error}; {then}")
        except ModelCorrupt as error:
            corrupt = error
            shelf.discard(source)
            progress.note(f"refused: {origin}: sha256 {error.actual}, expected {error.expected}")
        else:
            return
    raise corrupt or SourceFailed("; ".join(failures))


def sha256(path: Path, label: str, progress: Progress) -> str:
    """The sha256 of a file, in hexadecimal.

    :raises OSError: if it can not be read.
    """
    done, total = 0, path.stat().st_size
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
        done += len(chunk)
        progress.bytes(label, done, total)
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _write(partial: Path, mode: str, chunks: Iterable[bytes], digest: _Hash) -> str:
    """Write and hash; gives the sha256 of the whole file, in hexadecimal."""
    with partial.open(mode) as stream:
        for chunk in chunks:
            stream.write(chunk)
            digest.update(chunk)
        stream.flush()
        os.fsync(stream.fileno())  # a rename may reach the disk before the content does
    return digest.hexdigest()


def _check(file: File, partial: Path, origin: str, actual: str) -> None:
    if actual != file.sha256:
        partial.unlink()
        raise ModelCorrupt(origin, file.sha256, actual)


def _from_hub(part: Part, file: File, partial: Path, label: str, progress: Progress) -> None:
    continued = partial.exists()
    actual = _download(part, file, partial, label, progress)
    if continued and actual != file.sha256:  # perhaps it was the beginning that was wrong
        partial.unlink()
        actual = _download(part, file, partial, label, progress)
    _check(file, partial, f"{label} from hf {part}", actual)


def _download(part: Part, file: File, partial: Path, label: str, progress: Progress) -> str:
    """Complete ``partial`` from the hub, going on from what is there; gives its sha256.

    :raises SourceFailed: if the hub does not answer, lacks the file, or breaks off too often.
    """
    endpoint = hub.ENDPOINT
    if endpoint in _unreachable:
        raise SourceFailed(f"the model hub can not be reached ({_unreachable[endpoint]})")
    repo, _, revision = part.box.partition("@")
    url = f"{endpoint}/{repo}/resolve/{revision}/{urllib.parse.quote(part.member)}"
    answered, fruitless = False, 0
    while True:
        have = partial.stat().st_size if partial.exists() else 0
        if have == file.bytes:
            return sha256(partial, label, Progress())
        try:
            with _open(url, have) as response:
                answered = True
                have = _start(response, have, file)
                digest = hashlib.sha256()
                for chunk in _chunks(partial) if have else ():
                    digest.update(chunk)
                chunks = _received(response, have, file.bytes, label, progress)
                return _write(partial, "ab" if have else "wb", chunks, digest)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and have:  # what is there is longer than what the hub has
                partial.unlink()
                continue
            raise SourceFailed(f"the model hub answered {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            if not answered:
                _unreachable[endpoint] = str(error.reason)
                raise SourceFailed(f"the model hub can not be reached ({error.reason})") from error
            reason = str(error.reason)
        except _Cut as error:
            reason = str(error)
        now = partial.stat().st_size if partial.exists() else 0
        fruitless = 0 if now > have else fruitless + 1
        if fruitless >= TRIES:
            raise SourceFailed(f"the model hub broke off at byte {now} of {file.bytes}, {TRIES} times: {reason}")
        time.sleep(0.1 * 2**fruitless)


def _open(url: str, have: int) -> http.client.HTTPResponse:
    """Ask for the bytes from ``have`` on.

    :raises urllib.error.URLError: if there is no answer, or a refusal.
    """
    headers = {"User-Agent": "antiphon", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    opener = urllib.request.build_opener(_Http, _Https)
    try:
        response: http.client.HTTPResponse = opener.open(
            urllib.request.Request(url, headers=headers), timeout=CONNECT_S
        )
    except (OSError, http.client.HTTPException) as error:
        raise (error if isinstance(error, urllib.error.URLError) else urllib.error.URLError(repr(error))) from error
    return response


def _start(response: http.client.HTTPResponse, have: int, file: File) -> int:
    """The byte that the answer starts at: ``have``, or 0 if the hub does not do ranges.

    :raises SourceFailed: if what follows has not the length that the file has.
    """
    start = have if response.status == 206 else 0
    length = response.headers.get("Content-Length")
    if length is not None and start + int(length) != file.bytes:
        raise SourceFailed(f"the model hub's file has {start + int(length)} bytes, expected {file.bytes}")
    return start


def _received(
    response: http.client.HTTPResponse, done: int, total: int, label: str, progress: Progress
) -> Iterator[bytes]:
    """What arrives, until ``total`` is reached.

    :raises _Cut: if it breaks off before.
    """
    while done < total:
        try:
            chunk = response.read1(min(CHUNK, total - done))
        except (OSError, http.client.HTTPException) as error:
            raise _Cut(repr(error)) from error
        if not chunk:
            raise _Cut("the connection was closed")
        done += len(chunk)
        yield chunk
        progress.bytes(label, done, total)


class _Connection(http.client.HTTPConnection):
    """Quick to give up on a peer that does not answer, patient with one that does."""

    def connect(self) -> None:
        """Connect within the given timeout, then wait `READ_S` for what comes."""
        super().connect()
        self.sock.settimeout(READ_S)


class _SecureConnection(http.client.HTTPSConnection):
    """The same over TLS; the handshake counts as connecting."""

    def connect(self) -> None:
        """Connect within the given timeout, then wait `READ_S` for what comes."""
        super().connect()
        self.sock.settimeout(READ_S)


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req, context=ssl.create_default_context())
